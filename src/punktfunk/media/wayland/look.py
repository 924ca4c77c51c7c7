"""What a Wayland compositor has: outputs with their names, protocols, the keymap of its seat. Asks once, and leaves."""

from __future__ import annotations

import os
from dataclasses import dataclass

from punktfunk.media.plan import Mode
from punktfunk.media.wayland.client import Global
from punktfunk.media.wayland.connection import WaylandConnection
from punktfunk.media.wayland.wire import Arguments, WaylandError, uint

MAX_OUTPUTS = 64
MAX_KEYMAP_BYTES = 128 * 1024
"""Usual ones have 60 kB; it has to fit into a message to a worker."""

_GET_KEYBOARD = 1
_OUTPUT_VERSION = 4
_OUTPUT_MODE, _OUTPUT_NAME = 1, 4
_CURRENT_MODE = 1
_SEAT_CAPABILITIES, _HAS_KEYBOARD = 0, 2
_KEYMAP, _KEYMAP_IS_TEXT = 0, 1
_USUAL_RATE_MHZ = 60_000


class LookError(Exception):
    """The compositor does not answer as one."""


@dataclass(frozen=True, slots=True)
class Output:
    """``number`` is that of its global, ``name`` as in ``HDMI-A-1`` ("" from old compositors)."""

    number: int
    name: str
    mode: Mode | None


@dataclass(frozen=True, slots=True)
class Compositor:
    """``keymap`` is that of its seat's keyboard as XKB text, "" without one."""

    outputs: tuple[Output, ...]
    interfaces: frozenset[str]
    keymap: str = ""

    def output(self, name: str) -> Output | None:
        """The one with this name; the only one for ""."""
        if not name:
            return self.outputs[0] if len(self.outputs) == 1 else None
        return next((output for output in self.outputs if output.name == name), None)


def look(path: str) -> Compositor:
    """Ask the compositor that listens on ``path``. Raises LookError."""
    try:
        connection = WaylandConnection(path)
        try:
            return _Look(connection).run()
        finally:
            connection.close()
    except (OSError, WaylandError) as error:
        raise LookError(f"no Wayland compositor answers on {path}: {error}") from error


class _Seen:
    """One output, as its events tell of it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = ""
        self.mode: Mode | None = None

    def event(self, opcode: int, arguments: Arguments) -> None:
        if opcode == _OUTPUT_MODE:
            flags, width, height, refresh = arguments.uint(), arguments.sint(), arguments.sint(), arguments.sint()
            if flags & _CURRENT_MODE and width > 0 and height > 0:
                self.mode = Mode(width, height, refresh if refresh > 0 else _USUAL_RATE_MHZ)
        elif opcode == _OUTPUT_NAME:
            self.name = arguments.string()


class _Look:
    def __init__(self, connection: WaylandConnection) -> None:
        self._connection = connection
        self._client = connection.client
        self._has_keyboard = False
        self._keymap = ""

    def run(self) -> Compositor:
        self._connection.roundtrip()
        found = tuple(self._client.globals.values())
        outputs = [self._output(entry) for entry in found if entry.interface == "wl_output"][:MAX_OUTPUTS]
        seat = self._client.find("wl_seat")
        seat_object = self._client.bind(seat, 1, self._seat_event) if seat is not None else 0
        self._connection.roundtrip()
        if self._has_keyboard:
            self._client.send(seat_object, _GET_KEYBOARD, uint(self._client.add(self._keyboard_event)))
            self._connection.roundtrip()
        return Compositor(
            tuple(Output(seen.number, seen.name, seen.mode) for seen in outputs),
            frozenset(entry.interface for entry in found),
            self._keymap,
        )

    def _output(self, entry: Global) -> _Seen:
        seen = _Seen(entry.name)
        self._client.bind(entry, min(entry.version, _OUTPUT_VERSION), seen.event)
        return seen

    def _seat_event(self, opcode: int, arguments: Arguments) -> None:
        if opcode == _SEAT_CAPABILITIES:
            self._has_keyboard = bool(arguments.uint() & _HAS_KEYBOARD)

    def _keyboard_event(self, opcode: int, arguments: Arguments) -> None:
        if opcode != _KEYMAP:
            return
        file = self._client.take_descriptor()
        try:
            kind, size = arguments.uint(), arguments.uint()
            if kind == _KEYMAP_IS_TEXT and size <= MAX_KEYMAP_BYTES:
                self._keymap = os.pread(file, size, 0).rstrip(b"\0").decode(errors="replace")
        finally:
            os.close(file)
