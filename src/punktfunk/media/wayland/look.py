"""What a Wayland compositor has: outputs with their names, protocols, the keymap of its seat. Asks once, and leaves."""

from __future__ import annotations

from dataclasses import dataclass

from punktfunk.media.plan import Mode
from punktfunk.media.wayland.client import Global, WaylandClient
from punktfunk.media.wayland.connection import WaylandConnection
from punktfunk.media.wayland.keymap import SeatKeymap
from punktfunk.media.wayland.wire import Arguments, WaylandError

MAX_OUTPUTS = 64
MAX_KEYMAP_BYTES = 128 * 1024
"""Usual ones have 60 kB; it has to fit into a message to a worker."""

_OUTPUT_VERSION = 4
_OUTPUT_MODE, _OUTPUT_NAME = 1, 4
_CURRENT_MODE = 1
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
            return _ask(connection)
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


def _ask(connection: WaylandConnection) -> Compositor:
    client = connection.client
    keymap = SeatKeymap(client, MAX_KEYMAP_BYTES)
    connection.roundtrip()
    found = tuple(client.globals.values())
    outputs = [_watched(client, entry) for entry in found if entry.interface == "wl_output"][:MAX_OUTPUTS]
    # What outputs are, and whether there is a keyboard; then what that one has.
    connection.roundtrip()
    connection.roundtrip()
    return Compositor(
        tuple(Output(seen.number, seen.name, seen.mode) for seen in outputs),
        frozenset(entry.interface for entry in found),
        keymap.text,
    )


def _watched(client: WaylandClient, entry: Global) -> _Seen:
    seen = _Seen(entry.name)
    client.bind(entry, min(entry.version, _OUTPUT_VERSION), seen.event)
    return seen
