"""A connection between the capture library and a service of the desktop, with us in the middle."""

from __future__ import annotations

import array
import contextlib
import os
import selectors
import socket
import threading
from collections.abc import Callable, Iterable

from punktfunk.media.portal.local_server import MAX_FDS

MAX_WAITING_FDS = 64
"""Descriptors kept for a message that is not whole yet."""
_READ_BYTES = 64 * 1024

Way = Callable[[bytes], bytes]
"""Takes what came in one direction and returns what is to be sent on, which may be nothing yet. Raises RelayError."""


class RelayError(Exception):
    """What passes is not the protocol that it should be; the connection ends."""


class Relay:
    """Carries one connection on a thread of its own. ``up`` is the library's way to the service, ``down`` the other."""

    def __init__(self, service: socket.socket, name: str, up: Way, down: Way = bytes) -> None:
        # As a descriptor from elsewhere it may be one that does not wait.
        service.setblocking(True)
        self._service = service
        self._library, self._handed_out = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._ways = {self._library: (self._service, up), self._service: (self._library, down)}
        self._waiting: dict[socket.socket, list[int]] = {self._library: [], self._service: []}
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> int:
        """Begin; the descriptor for the library, which the caller owns."""
        self._thread.start()
        return self._handed_out.detach()

    def _run(self) -> None:
        with self._service, self._library, selectors.DefaultSelector() as selector:
            for sock in self._ways:
                selector.register(sock, selectors.EVENT_READ)
            # One side closes its end, or breaks off: the other one sees the same.
            with contextlib.suppress(OSError, RelayError):
                while all(self._pass(key.fileobj) for key, _ in selector.select()):
                    pass
        for fds in self._waiting.values():
            _close(fds)

    def _pass(self, source: object) -> bool:
        assert isinstance(source, socket.socket)
        target, way = self._ways[source]
        data, fds = _receive(source)
        if not data:
            return False
        # Descriptors belong to a message that may not be whole yet.
        waiting = self._waiting[source]
        waiting += fds
        data = way(data)
        if data or len(waiting) > MAX_WAITING_FDS:
            self._waiting[source] = []
            _send(target, data, waiting)
        return True


def _receive(sock: socket.socket) -> tuple[bytes, list[int]]:
    size = array.array("i").itemsize
    data, ancillary, flags, _ = sock.recvmsg(_READ_BYTES, socket.CMSG_SPACE(MAX_FDS * size))
    fds = array.array("i")
    for level, kind, rights in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(rights[: len(rights) - len(rights) % size])
    if flags & socket.MSG_CTRUNC:
        _close(fds)
        raise RelayError("more descriptors than one message may have")
    return data, list(fds)


def _send(sock: socket.socket, data: bytes, fds: list[int]) -> None:
    """Send, and close the descriptors here."""
    try:
        for start in range(0, len(fds), MAX_FDS):
            # Each piece of data carries only so many, and at least one byte.
            rights = array.array("i", fds[start : start + MAX_FDS])
            last = start + MAX_FDS >= len(fds)
            sent = sock.sendmsg([data if last else data[:1]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            data = data[sent:]
        sock.sendall(data)
    finally:
        _close(fds)


def _close(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)
