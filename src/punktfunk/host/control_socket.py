"""The local control endpoint: an owner-only Unix socket between a running host and the command line.

One request line, one answer line, then the connection closes. Only the same user and root are heard: the folder is
0700, the socket 0600, and the kernel's peer credentials are checked besides.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from punktfunk.host.control_messages import (
    MAX_MESSAGE_BYTES,
    Answer,
    AnyAnswer,
    MessageError,
    Refused,
    Request,
    decode_answer,
    decode_request,
    encode,
)
from punktfunk.host.paths import CONTROL_SOCKET_NAME, ensure_private_directory

MAX_CONNECTIONS = 16
REQUEST_DEADLINE_S = 5.0
HANDLER_DEADLINE_S = 30.0
MAX_SOCKET_PATH_BYTES = 107
_CREDENTIALS = struct.Struct("3i")

log = logging.getLogger(__name__)

Handler = Callable[[Any], Awaitable[Answer]]
"""Takes the request that it is registered for; raises ``RequestRefused`` to say no."""


class ControlError(Exception):
    """The control endpoint cannot be opened or asked; the message says what to do."""


class HostNotRunning(ControlError):
    """Nobody answers at the socket."""


class HostAlreadyRunning(ControlError):
    """Another host of this user serves this runtime folder; ``pid`` is 0 when it does not say."""

    def __init__(self, pid: int, path: Path) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"A host runs already ({who}, {path}). Stop it with: punktfunk-host stop")
        self.pid = pid


class RequestRefused(Exception):
    """What was asked cannot be done; the message goes to the person who asked."""


class ControlServer:
    """Serves a mapping of request type to handler. ``start`` once, ``close`` once; handlers run in the loop."""

    def __init__(self, runtime_dir: Path, handlers: Mapping[type[Request], Handler]) -> None:
        self._folder = runtime_dir
        self._handlers = dict(handlers)
        self._path = runtime_dir / CONTROL_SOCKET_NAME
        self._lock_fd = -1
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Take the folder's lock and listen. A socket left by a killed host is replaced.

        Raises ``HostAlreadyRunning``, ``ControlError`` and ``PathError``.
        """
        ensure_private_directory(self._folder)
        if len(os.fsencode(self._path)) > MAX_SOCKET_PATH_BYTES:
            raise ControlError(f"{self._path} is too long for a socket; set host.runtime_dir to a shorter folder")
        self._lock_fd = _take_lock(self._path)
        try:
            self._server = await asyncio.start_unix_server(
                self._accept, sock=_listen(self._path), limit=MAX_MESSAGE_BYTES
            )
        except OSError as error:
            self._release()
            raise ControlError(f"{self._path} cannot be opened: {error.strerror}") from error

    async def close(self) -> None:
        """Stop listening, drop the connections and remove the socket."""
        if self._server is not None:
            self._server.close()
            for task in list(self._connections):
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            await self._server.wait_closed()
            self._server = None
        self._release()

    def _release(self) -> None:
        if self._lock_fd >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._lock_fd)
            self._lock_fd = -1

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= MAX_CONNECTIONS or not _is_trusted(writer):
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            async with asyncio.timeout(REQUEST_DEADLINE_S):
                line = await reader.readline()
            writer.write(encode(await self._answer(line)))
            async with asyncio.timeout(REQUEST_DEADLINE_S):
                await writer.drain()
        except (TimeoutError, ValueError, ConnectionError) as error:
            log.debug("control connection dropped: %s", error or "too slow")
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = decode_request(line)
        except MessageError as error:
            return Refused(message=str(error))
        handler = self._handlers.get(type(request))
        if handler is None:
            return Refused(message="This host cannot do that.")
        try:
            async with asyncio.timeout(HANDLER_DEADLINE_S):
                return await handler(request)
        except RequestRefused as refusal:
            return Refused(message=str(refusal))
        except TimeoutError:
            return Refused(message="The host took too long; look at its log and try again.")
        except Exception:
            log.exception("control request %s failed", type(request).__name__)
            return Refused(message="The host failed to do that; its log says why.")


def ask(runtime_dir: Path, request: Request, timeout_s: float = HANDLER_DEADLINE_S + REQUEST_DEADLINE_S) -> AnyAnswer:
    """Ask the running host, blocking. Raises ``HostNotRunning``, ``ControlError`` and ``RequestRefused``."""
    path = runtime_dir / CONTROL_SOCKET_NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(os.fspath(path))
        except PermissionError as error:
            raise ControlError(f"{path} belongs to another user; run this as that user, or with sudo") from error
        except OSError as error:
            raise HostNotRunning(
                f"No host of this user is running (nobody answers at {path}). Start it with: punktfunk-host serve"
            ) from error
        try:
            connection.sendall(encode(request))
            answer = decode_answer(_read_line(connection))
        except (OSError, MessageError) as error:
            raise ControlError(f"The host did not answer properly ({error}); is it the same version?") from error
    if isinstance(answer, Refused):
        raise RequestRefused(answer.message)
    return answer


def _read_line(connection: socket.socket) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n"):
        chunk = connection.recv(65536)
        if not chunk or len(data) + len(chunk) > MAX_MESSAGE_BYTES:
            raise MessageError("the answer is cut off or too large")
        data += chunk
    return bytes(data)


def _take_lock(path: Path) -> int:
    """The kernel drops this lock with the process, however it dies, so a held lock means a live host."""
    try:
        fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ControlError(f"{path.with_suffix('.lock')} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    except BlockingIOError:
        text = os.pread(fd, 32, 0).strip()
        os.close(fd)
        raise HostAlreadyRunning(int(text) if text.isdigit() else 0, path) from None
    except OSError as error:
        os.close(fd)
        raise ControlError(f"{path.with_suffix('.lock')} cannot be written: {error.strerror}") from error
    return fd


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(MAX_CONNECTIONS)
    except OSError:
        listener.close()
        raise
    return listener


def _is_trusted(writer: asyncio.StreamWriter) -> bool:
    peer = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, uid, _ = _CREDENTIALS.unpack(credentials)
        if uid in (0, os.geteuid()):
            return True
        log.warning("control connection of user id %d refused", uid)
    return False
