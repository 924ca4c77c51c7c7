"""One output of a compositor that has several: what a capture library sees through this filter.

pixelflux captures the first output that it is told of, sets the mode of it as it pleases, and spreads absolute pointer
positions over all outputs (docs/decisions/0041-wlroots.md). Through this filter there is one output, nobody to ask for
other modes, and pointers belong to that output.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from punktfunk.media.wayland.wire import Arguments, Message, MessageStream, WaylandError, message, uint

MAX_CONNECTIONS = 16
"""Of the capture library, at a time; it takes four."""
MAX_DESCRIPTORS = 28
"""What libwayland sends, and receives, with one call."""

_CHUNK_BYTES = 1 << 16
_DISPLAY = 1
_GET_REGISTRY = 1
_BIND = 0
_GLOBAL, _GLOBAL_REMOVE = 0, 1
_RELEASE_OUTPUT = 0
_CREATE_POINTER, _DESTROY_MANAGER, _CREATE_POINTER_WITH_OUTPUT = 0, 1, 2
_POINTERS_WITH_OUTPUT_SINCE = 2
_HIDDEN = frozenset({"zwlr_output_manager_v1"})

log = logging.getLogger(__name__)


class OutputFilter:
    """One connection's messages, both ways. ``output`` is the number of the global to leave."""

    def __init__(self, output: int) -> None:
        self._output = output
        self._client, self._server = MessageStream(), MessageStream()
        self._registries: set[int] = set()
        self._hidden: set[int] = set()
        self._outputs: list[int] = []
        self._pointer_managers: set[int] = set()
        self._lock = threading.Lock()

    def from_client(self, data: bytes) -> bytes:
        """What the compositor gets of the client's bytes. Raises WaylandError."""
        with self._lock:
            return b"".join(map(self._request, self._client.feed(data)))

    def from_server(self, data: bytes) -> bytes:
        """What the client gets of the compositor's bytes. Raises WaylandError."""
        with self._lock:
            return b"".join(message(*event) for event in self._server.feed(data) if not self._hides(event))

    def _request(self, request: Message) -> bytes:
        target, opcode = request.target, request.opcode
        if target == _DISPLAY and opcode == _GET_REGISTRY:
            self._registries.add(Arguments(request.body).uint())
        elif target in self._registries and opcode == _BIND:
            self._bound(Arguments(request.body))
        elif target in self._outputs and opcode == _RELEASE_OUTPUT:
            self._outputs.remove(target)
        elif target in self._pointer_managers:
            if opcode == _CREATE_POINTER and self._outputs:
                arguments = Arguments(request.body)
                seat, pointer = arguments.uint(), arguments.uint()
                return message(target, _CREATE_POINTER_WITH_OUTPUT, uint(seat), uint(self._outputs[0]), uint(pointer))
            if opcode == _DESTROY_MANAGER:
                self._pointer_managers.discard(target)
        return message(*request)

    def _bound(self, arguments: Arguments) -> None:
        name, interface = arguments.uint(), arguments.string()
        version, new_object = arguments.uint(), arguments.uint()
        if name == self._output:
            self._outputs.append(new_object)
        elif interface == "zwlr_virtual_pointer_manager_v1" and version >= _POINTERS_WITH_OUTPUT_SINCE:
            self._pointer_managers.add(new_object)

    def _hides(self, event: Message) -> bool:
        if event.target not in self._registries:
            return False
        arguments = Arguments(event.body)
        name = arguments.uint()
        if event.opcode == _GLOBAL:
            interface = arguments.string()
            if interface in _HIDDEN or (interface == "wl_output" and name != self._output):
                self._hidden.add(name)
                return True
        elif event.opcode == _GLOBAL_REMOVE and name in self._hidden:
            self._hidden.discard(name)
            return True
        return False


class FilteredDisplay:
    """A socket beside a compositor's, through which it has one output. ``folder`` is private to this process's user.

    Threads move the bytes, one for each way of each connection: what they carry is a few small messages for each frame.
    """

    def __init__(self, display: str, output: int, folder: Path) -> None:
        self._display = display
        self._output = output
        self.path = str(folder / f"one-output-{secrets.token_hex(4)}")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._places = threading.Semaphore(MAX_CONNECTIONS)

    def start(self) -> None:
        """Listen. Raises OSError."""
        self._listener.bind(self.path)
        self._listener.listen(MAX_CONNECTIONS)
        threading.Thread(target=self._accept, name="one output", daemon=True).start()

    def close(self) -> None:
        """Take no more connections; those that there are end with their client. Safe to repeat."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._places.acquire(blocking=False):
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                server.connect(self._display)
            except OSError as error:
                log.warning("the compositor takes no connection: %s", error)
                client.close()
                server.close()
                self._places.release()
                continue
            self._serve(client, server)

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        filtered = OutputFilter(self._output)
        ways = [(client, server, filtered.from_client), (server, client, filtered.from_server)]
        left = len(ways)
        lock = threading.Lock()

        def move(source: socket.socket, target: socket.socket, through: Callable[[bytes], bytes]) -> None:
            nonlocal left
            try:
                _move(source, target, through)
            except (OSError, WaylandError) as error:
                log.debug("a connection to the compositor ends: %s", error)
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            with lock:
                left -= 1
                last = not left
            if last:
                client.close()
                server.close()
                self._places.release()

        for way in ways:
            threading.Thread(target=move, args=way, name="one output", daemon=True).start()


def _move(source: socket.socket, target: socket.socket, through: Callable[[bytes], bytes]) -> None:
    waiting: list[int] = []
    try:
        while True:
            data, descriptors, _, _ = socket.recv_fds(
                source, _CHUNK_BYTES, MAX_DESCRIPTORS, flags=socket.MSG_CMSG_CLOEXEC
            )
            waiting += descriptors
            if not data:
                return
            out = through(data)
            if out:
                _send(target, out, waiting)
                _close(waiting)
    finally:
        _close(waiting)


def _send(target: socket.socket, data: bytes, descriptors: Sequence[int]) -> None:
    """All of it, descriptors with the first bytes: they may be early, never late."""
    view = memoryview(data)
    for start in range(0, len(descriptors), MAX_DESCRIPTORS):
        more = start + MAX_DESCRIPTORS < len(descriptors)
        sent = socket.send_fds(target, [view[:1] if more else view], descriptors[start : start + MAX_DESCRIPTORS])
        view = view[sent:]
    target.sendall(view)


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
