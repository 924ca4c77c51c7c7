"""sway's control socket without a sway: outputs and workspaces in the form that sway 1.7 was heard to answer in."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_HEADER = struct.Struct("=6sII")
_MODE = re.compile(r"output (\S+) mode --custom (\d+)x(\d+)@([\d.]+)Hz")


@dataclass
class Space:
    """A workspace; without windows it is there as long as it is shown."""

    output: str
    visible: bool = True
    windows: int = 0


@dataclass
class FakeSway:
    """``can_unplug`` as from 1.10 on. ``commands`` is what it was told."""

    path: Path
    can_unplug: bool = False
    can_create: bool = True
    outputs: dict[str, tuple[int, int]] = field(default_factory=lambda: {"DP-1": (2560, 1440)})
    spaces: dict[str, Space] = field(default_factory=lambda: {"1": Space("DP-1")})
    focused: str = "1"
    commands: list[str] = field(default_factory=list)
    made: int = 0
    evacuates_to: str = ""
    """Where windows of an output go that is unplugged, to be seen there; sway 1.10 was seen to do so."""

    def __post_init__(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """As when sway dies."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def shown(self) -> dict[str, str]:
        """Output to what it shows."""
        return {space.output: name for name, space in self.spaces.items() if space.visible}

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                header = connection.recv(_HEADER.size)
                if len(header) < _HEADER.size:
                    continue
                _, length, kind = _HEADER.unpack(header)
                payload = connection.recv(length).decode() if length else ""
                reply = json.dumps(self._answer(kind, payload)).encode()
                connection.sendall(_HEADER.pack(b"i3-ipc", len(reply), kind) + reply)

    def _answer(self, kind: int, payload: str) -> Any:
        if kind == 7:
            minor = 10 if self.can_unplug else 7
            return {"major": 1, "minor": minor, "human_readable": f"1.{minor}"}
        if kind == 3:
            return [
                {"name": name, "active": True, "current_mode": {"width": width, "height": height, "refresh": 60000}}
                for name, (width, height) in self.outputs.items()
            ]
        if kind == 1:
            return [
                {
                    "name": name,
                    "output": space.output,
                    "visible": space.visible,
                    "focused": name == self.focused,
                    "representation": "H[foot]" if space.windows else None,
                }
                for name, space in self.spaces.items()
            ]
        self.commands.append(payload)
        error = self._run(payload)
        return [{"success": False, "parse_error": True, "error": error} if error else {"success": True}]

    def _run(self, command: str) -> str:
        if command == "create_output":
            if not self.can_create:
                return "Can only create outputs for Wayland, X11 or headless backends"
            self.made += 1
            name = f"HEADLESS-{self.made}"
            self.outputs[name] = (1920, 1080)
            self._show(self._free(), name)
        elif found := _MODE.fullmatch(command):
            self.outputs[found[1]] = (int(found[2]), int(found[3]))
        elif found := re.fullmatch(r'rename workspace "(.*)" to "(.*)"', command):
            self.spaces = {found[2] if name == found[1] else name: space for name, space in self.spaces.items()}
            self.focused = found[2] if self.focused == found[1] else self.focused
        elif found := re.fullmatch(r"focus output (\S+)", command):
            self._focus(self.shown()[found[1]])
        elif found := re.fullmatch(r'workspace "(.*)"', command):
            name = found[1].replace('\\"', '"')
            if name not in self.spaces:
                self._show(name, self.spaces[self.focused].output)
            self._focus(name)
        elif found := re.fullmatch(r"move workspace to output (\S+)", command):
            left = self.spaces[self.focused].output
            self._show(self.focused, found[1])
            if left not in self.shown():
                self._show(self._free(), left)
        elif found := re.fullmatch(r"output (\S+) unplug", command):
            if not self.can_unplug:
                return "Invalid output subcommand: unplug."
            if found[1] not in self.outputs:
                return "Output not found"
            del self.outputs[found[1]]
            for name, space in list(self.spaces.items()):
                if space.output == found[1]:
                    space.output, space.visible = self.evacuates_to or next(iter(self.outputs)), False
                    if self.evacuates_to:
                        self._show(name, space.output)
            self._clean()
        else:
            return f"Unknown/invalid command '{command}'"
        return ""

    def _free(self) -> str:
        return next(str(number) for number in range(1, 99) if str(number) not in self.spaces)

    def _focus(self, name: str) -> None:
        self.focused = name
        self._show(name, self.spaces[name].output)

    def _show(self, name: str, output: str) -> None:
        for space in self.spaces.values():
            if space.output == output:
                space.visible = False
        space = self.spaces.setdefault(name, Space(output))
        space.output, space.visible = output, True
        self._clean()

    def _clean(self) -> None:
        self.spaces = {n: s for n, s in self.spaces.items() if s.visible or s.windows or n == self.focused}
