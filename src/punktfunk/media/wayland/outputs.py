"""Where a compositor's outputs lie in its plane of logical pixels (wl_output, xdg-output)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from punktfunk.media.wayland.client import Global, WaylandClient
from punktfunk.media.wayland.wire import Arguments, uint

MAX_OUTPUTS = 64
_OUTPUT, _MANAGER = "wl_output", "zxdg_output_manager_v1"
_OUTPUT_VERSION, _MANAGER_VERSION = 4, 3
_OUTPUT_NAME = 4
_GET_XDG_OUTPUT = 1
_LOGICAL_POSITION, _LOGICAL_SIZE, _XDG_NAME = 0, 1, 3
_DESTROY_XDG_OUTPUT = 0
_RELEASE_OUTPUT, _RELEASE_SINCE = 0, 3


@dataclass(frozen=True, slots=True)
class Output:
    """One output: its name, and its place in logical pixels; no width while that is not known."""

    name: str = ""
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0


@dataclass(slots=True)
class _Watched:
    output: int
    version: int
    xdg: int = 0
    seen: Output = field(default_factory=Output)


class Outputs:
    """Follows the outputs as they come, go and move."""

    def __init__(self, client: WaylandClient) -> None:
        self._client = client
        self._manager = 0
        self._watched: dict[int, _Watched] = {}
        client.on_global.append(self._arrived)
        client.on_gone.append(self._left)

    def all(self) -> list[Output]:
        """The outputs whose place is known, in the order in which they were announced."""
        return [watched.seen for watched in self._watched.values() if watched.seen.width]

    def named(self, *names: str) -> Output | None:
        """The output with one of these names."""
        return next((output for output in self.all() if output.name in names), None)

    def _arrived(self, found: Global) -> None:
        if found.interface == _MANAGER and not self._manager:
            self._manager = self._client.bind(found, min(found.version, _MANAGER_VERSION))
            for watched in self._watched.values():
                self._watch_place(watched)
        elif found.interface == _OUTPUT and len(self._watched) < MAX_OUTPUTS:
            version = min(found.version, _OUTPUT_VERSION)
            number = self._client.bind(found, version, lambda opcode, a: self._output_event(found.name, opcode, a))
            watched = self._watched[found.name] = _Watched(number, version)
            if self._manager:
                self._watch_place(watched)

    def _watch_place(self, watched: _Watched) -> None:
        def heard(opcode: int, arguments: Arguments) -> None:
            if opcode == _LOGICAL_POSITION:
                watched.seen = replace(watched.seen, x=arguments.sint(), y=arguments.sint())
            elif opcode == _LOGICAL_SIZE:
                watched.seen = replace(watched.seen, width=arguments.sint(), height=arguments.sint())
            elif opcode == _XDG_NAME:
                watched.seen = replace(watched.seen, name=arguments.string())

        watched.xdg = self._client.add(heard)
        self._client.send(self._manager, _GET_XDG_OUTPUT, uint(watched.xdg), uint(watched.output))

    def _output_event(self, name: int, opcode: int, arguments: Arguments) -> None:
        watched = self._watched.get(name)
        if watched is not None and opcode == _OUTPUT_NAME:
            watched.seen = replace(watched.seen, name=arguments.string())

    def _left(self, gone: Global) -> None:
        watched = self._watched.pop(gone.name, None)
        if watched is None:
            return
        if watched.xdg:
            self._client.mute(watched.xdg)
            self._client.send(watched.xdg, _DESTROY_XDG_OUTPUT)
        self._client.mute(watched.output)
        if watched.version >= _RELEASE_SINCE:
            self._client.send(watched.output, _RELEASE_OUTPUT)
