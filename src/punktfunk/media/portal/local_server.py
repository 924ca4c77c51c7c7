"""Unix sockets that this very process talks to itself through, because a library knows no other way in.

Nobody else gets in: the folder is private, and a connection from another process is closed.
"""

from __future__ import annotations

import array
import contextlib
import logging
import os
import selectors
import socket
import struct
import threading
from collections.abc import Callable
from typing import Protocol

MAX_CONNECTIONS = 16
"""At one time; what comes beyond is closed at once."""
MAX_FDS = 28
"""That travel with one piece of data, the kernel's libraries' usual bound."""
_READ_BYTES = 64 * 1024
_CREDENTIALS = struct.Struct("3i")

log = logging.getLogger(__name__)


class ConversationError(Exception):
    """The peer broke the protocol; its connection is closed."""


class Conversation(Protocol):
    """One connection's protocol, without the socket."""

    def receive(self, data: bytes) -> None:
        """Bytes came. Raises ConversationError."""
        ...

    def ended(self) -> None:
        """The connection is gone."""
        ...


class Connection:
    """Where a conversation's answers go. ``send`` may be called from any thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()

    def send(self, data: bytes, fds: tuple[int, ...] = ()) -> None:
        """Send, and close the descriptors here. A peer that is gone or stuck is noticed elsewhere."""
        try:
            with self._lock, contextlib.suppress(OSError):
                sent = self._sock.sendmsg([data], _rights(fds)) if fds else 0
                self._sock.sendall(data[sent:])
        finally:
            for fd in fds:
                os.close(fd)


class LocalServer:
    """Listens on paths and serves what connects, on one thread."""

    def __init__(self, name: str, *, process: int | None = None) -> None:
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._process = os.getpid() if process is None else process
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._listeners: dict[socket.socket, Callable[[Connection], Conversation]] = {}
        self._conversations: dict[socket.socket, Conversation] = {}
        self._paths: list[str] = []

    def listen(self, path: str, make: Callable[[Connection], Conversation]) -> None:
        """Listen on ``path``, where nothing may be yet; before ``start``. Raises OSError."""
        sock = socket.socket(socket.AF_UNIX)
        self._listeners[sock] = make
        sock.bind(path)
        os.chmod(path, 0o600)
        self._paths.append(path)
        sock.listen(MAX_CONNECTIONS)
        self._selector.register(sock, selectors.EVENT_READ)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """End all connections and remove the sockets; returns when no conversation is called any more."""
        self._wake.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        for path in self._paths:
            with contextlib.suppress(OSError):
                os.unlink(path)

    def _run(self) -> None:
        while self._step():
            pass
        for sock in list(self._conversations):
            self._drop(sock)
        for listener in self._listeners:
            listener.close()
        self._woken.close()
        self._selector.close()

    def _step(self) -> bool:
        for key, _ in self._selector.select():
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if sock is self._woken:
                return False
            if sock in self._listeners:
                self._accept(sock)
            elif sock in self._conversations:
                self._read(sock)
        return True

    def _accept(self, listener: socket.socket) -> None:
        sock, _ = listener.accept()
        if len(self._conversations) >= MAX_CONNECTIONS or not self._is_own(sock):
            sock.close()
            return
        self._conversations[sock] = self._listeners[listener](Connection(sock))
        self._selector.register(sock, selectors.EVENT_READ)

    def _is_own(self, sock: socket.socket) -> bool:
        process, _, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        return bool(process == self._process)

    def _read(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(_READ_BYTES)
            if data:
                self._conversations[sock].receive(data)
        except ConversationError as error:
            log.warning("%s: %s", self._thread.name, error)
            data = b""
        except OSError:
            data = b""
        if not data:
            self._drop(sock)

    def _drop(self, sock: socket.socket) -> None:
        self._selector.unregister(sock)
        self._conversations.pop(sock).ended()
        sock.close()


def _rights(fds: tuple[int, ...]) -> list[tuple[int, int, bytes]]:
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())]
