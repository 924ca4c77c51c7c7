"""Outputs that KWin makes for a stream (zkde_screencast_unstable_v1, versions 2 to 5): a PipeWire node each.

The output is there as long as the connection that asked for it, so that it goes whatever ends this program.
"""

from __future__ import annotations

import contextlib

from punktfunk.media.wayland.connection import WaylandConnection
from punktfunk.media.wayland.wire import Arguments, WaylandError, fixed, sint, string, uint

INTERFACE = "zkde_screencast_unstable_v1"
VIRTUAL_SINCE = 2
START_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 0.5
HIDDEN, EMBEDDED, METADATA = 1, 2, 4

_NEWEST_VERSION = 3
_STREAM_VIRTUAL_OUTPUT = 3
_CLOSE = 0
_CLOSED, _CREATED, _FAILED = 0, 1, 2


class VirtualOutput:
    """One output and its stream. Raises WaylandError when KWin makes none, with its reason. ``node`` is PipeWire's."""

    def __init__(self, path: str, name: str, width: int, height: int, pointer: int = EMBEDDED) -> None:
        self.node = 0
        self._problem = ""
        self._connection = WaylandConnection(path)
        try:
            self._open(name, width, height, pointer)
        except WaylandError:
            self._connection.close()
            raise

    def close(self) -> None:
        """Have KWin take it away, and wait a moment until it has: the next one may have its name. Safe to repeat."""
        connection = self._connection
        with contextlib.suppress(WaylandError), connection.lock:
            if not connection.lost:
                connection.client.send(self._stream, _CLOSE)
                connection.roundtrip(CLOSE_TIMEOUT_S)
        connection.close()

    def _open(self, name: str, width: int, height: int, pointer: int) -> None:
        connection, client = self._connection, self._connection.client
        connection.roundtrip()
        found = client.find(INTERFACE)
        if found is None:
            raise WaylandError(f"KWin does not offer {INTERFACE} to this program")
        if found.version < VIRTUAL_SINCE:
            raise WaylandError(f"KWin offers version {found.version} of {INTERFACE}; outputs need {VIRTUAL_SINCE}")
        manager = client.bind(found, min(found.version, _NEWEST_VERSION))
        self._stream = client.add(self._event)
        size = (sint(width), sint(height), fixed(1.0))
        client.send(manager, _STREAM_VIRTUAL_OUTPUT, uint(self._stream), string(name), *size, uint(pointer))
        if not connection.wait(lambda: bool(self.node or self._problem), START_TIMEOUT_S):
            raise WaylandError(f"KWin made no output within {START_TIMEOUT_S:g} s")
        if self._problem:
            raise WaylandError(f"KWin makes no output of {width}x{height}: {self._problem}")

    def _event(self, opcode: int, arguments: Arguments) -> None:
        if opcode == _CREATED:
            self.node = arguments.uint()
        elif opcode == _FAILED:
            self._problem = arguments.string() or "no reason given"
        elif opcode == _CLOSED:
            self._problem = self._problem or "it closed the stream"
