"""The client's half of a Wayland connection without a socket: objects, the registry, and who hears which event."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from punktfunk.media.wayland.wire import Arguments, MessageStream, WaylandError, message, string, uint

MAX_GLOBALS = 1024
"""What a compositor may announce; real ones have about 60."""
MAX_OBJECTS = 4096
"""Objects that this side makes."""
MAX_DESCRIPTORS = 16
"""File descriptors that arrived and no event has asked for yet."""

Handler = Callable[[int, Arguments], None]
"""Gets an event's opcode and its arguments."""

_DISPLAY, _REGISTRY = 1, 2
_SYNC, _GET_REGISTRY = 0, 1
_ERROR, _DELETE_ID = 0, 1
_GLOBAL, _GLOBAL_REMOVE = 0, 1
_BIND = 0
_FIRST_SERVER_ID = 0xFF00_0000


class Global(NamedTuple):
    """An object that the compositor offers; ``name`` is its number in the registry."""

    name: int
    interface: str
    version: int


class WaylandClient:
    """Queues requests in ``outgoing`` and takes events by `receive`; the registry is asked for from the start.

    ``on_global`` and ``on_gone`` hear of every global, also of later ones.
    """

    def __init__(self) -> None:
        self.outgoing = bytearray()
        self.globals: dict[int, Global] = {}
        self.on_global: list[Callable[[Global], None]] = []
        self.on_gone: list[Callable[[Global], None]] = []
        self._stream = MessageStream()
        self._handlers: dict[int, Handler] = {_DISPLAY: self._display_event, _REGISTRY: self._registry_event}
        self._next_id = _REGISTRY + 1
        self._free_ids: list[int] = []
        self._descriptors: deque[int] = deque()
        self.send(_DISPLAY, _GET_REGISTRY, uint(_REGISTRY))

    def send(self, target: int, opcode: int, *arguments: bytes) -> None:
        """Queue a request."""
        self.outgoing += message(target, opcode, *arguments)

    def add(self, handler: Handler) -> int:
        """A number for a new object, whose events go to ``handler``. Raises WaylandError when there are too many."""
        if len(self._handlers) >= MAX_OBJECTS:
            raise WaylandError("too many objects")
        if self._free_ids:
            number = self._free_ids.pop()
        else:
            number, self._next_id = self._next_id, self._next_id + 1
        self._handlers[number] = handler
        return number

    def bind(self, found: Global, version: int, handler: Handler | None = None) -> int:
        """Make an object of a global."""
        number = self.add(handler or _ignore)
        self.send(_REGISTRY, _BIND, uint(found.name), string(found.interface), uint(version), uint(number))
        return number

    def mute(self, number: int) -> None:
        """Hear no more of an object that is being destroyed; its number is free once the compositor says so."""
        self._handlers[number] = _ignore

    def sync(self, done: Callable[[], None]) -> None:
        """``done`` is called when the compositor has seen everything that was sent before."""
        self.send(_DISPLAY, _SYNC, uint(self.add(lambda _opcode, _arguments: done())))

    def find(self, interface: str) -> Global | None:
        """The first global of an interface."""
        return next((found for found in self.globals.values() if found.interface == interface), None)

    def receive(self, data: bytes, descriptors: Sequence[int] = ()) -> None:
        """Take what arrived and call the handlers. Raises WaylandError, after which nothing more can be done."""
        self._descriptors.extend(descriptors)
        for number, opcode, body in self._stream.feed(data):
            handler = self._handlers.get(number)
            if handler is not None:
                handler(opcode, Arguments(body))
            elif number < _FIRST_SERVER_ID:
                raise WaylandError(f"an event for object {number}, which does not exist")
        if len(self._descriptors) > MAX_DESCRIPTORS:
            raise WaylandError("too many file descriptors")

    def take_descriptor(self) -> int:
        """The descriptor of the event that is being handled; the caller closes it. Raises WaylandError."""
        if not self._descriptors:
            raise WaylandError("an event without its file descriptor")
        return self._descriptors.popleft()

    def close(self) -> None:
        """Close descriptors that nobody took."""
        while self._descriptors:
            os.close(self._descriptors.popleft())

    def _display_event(self, opcode: int, arguments: Arguments) -> None:
        if opcode == _ERROR:
            number, code, text = arguments.uint(), arguments.uint(), arguments.string()
            raise WaylandError(f"{text!r} (object {number}, error {code})")
        if opcode == _DELETE_ID:
            number = arguments.uint()
            if number <= _REGISTRY or self._handlers.pop(number, None) is None:
                raise WaylandError(f"object {number} is deleted, which does not exist")
            self._free_ids.append(number)

    def _registry_event(self, opcode: int, arguments: Arguments) -> None:
        name = arguments.uint()
        if opcode == _GLOBAL:
            found = self.globals[name] = Global(name, arguments.string(), arguments.uint())
            if len(self.globals) > MAX_GLOBALS:
                raise WaylandError("too many globals")
            for hear in self.on_global:
                hear(found)
        elif opcode == _GLOBAL_REMOVE and (gone := self.globals.pop(name, None)) is not None:
            for hear in self.on_gone:
                hear(gone)


def _ignore(_opcode: int, _arguments: Arguments) -> None:
    """Events of objects without a listener."""
