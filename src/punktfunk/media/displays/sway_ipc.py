"""The control socket of sway (the i3 IPC protocol): as much of it as displays and desktops need."""

from __future__ import annotations

import json
import math
import socket
import struct
from typing import Any

from punktfunk.media.plan import Mode

RUN_COMMAND = 0
GET_WORKSPACES = 1
GET_OUTPUTS = 3
GET_TREE = 4
GET_VERSION = 7

_HEADER = struct.Struct("=6sII")
_MAGIC = b"i3-ipc"
_MAX_REPLY_BYTES = 4 * 1024 * 1024
_TIMEOUT_S = 2.0
_EXACT_TIMER_SINCE = (1, 12)


class SwayError(Exception):
    """The compositor does not answer, or refuses."""


class SwayControl:
    """One request, one reply, one connection each: the compositor may have been replaced in between."""

    def __init__(self, path: str) -> None:
        self._path = path

    def request(self, kind: int, payload: str = "") -> Any:
        """Send one request and return the decoded reply. Raises SwayError."""
        data = payload.encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
                control.settimeout(_TIMEOUT_S)
                control.connect(self._path)
                control.sendall(_HEADER.pack(_MAGIC, len(data), kind) + data)
                magic, length, _ = _HEADER.unpack(_read(control, _HEADER.size))
                if magic != _MAGIC or length > _MAX_REPLY_BYTES:
                    raise SwayError("sway answered with something else than its protocol")
                return json.loads(_read(control, length))
        except (OSError, ValueError) as error:
            raise SwayError(f"sway does not answer on {self._path}: {error}") from error

    def run(self, command: str) -> None:
        """Run a sway command. Raises SwayError when it is refused."""
        for result in self.request(RUN_COMMAND, command):
            if not result.get("success"):
                raise SwayError(f"sway refuses {command!r}: {result.get('error', 'no reason given')}")

    def set_mode(self, mode: Mode, *, output: str = "*", tuned: bool = True) -> None:
        """Give the output this mode, with its timer tuned so that it really repaints at the mode's rate, or a little
        below that rate."""
        refresh_hz = (self.timer_mhz(mode) if tuned else mode.refresh_mhz - 1) / 1000
        self.run(f"output {output} mode --custom {mode.width}x{mode.height}@{refresh_hz:.3f}Hz")

    def timer_mhz(self, mode: Mode) -> int:
        """Refresh rate to ask for, so that the compositor reaches the mode's own."""
        reply = self.request(GET_VERSION)
        return timer_mhz(mode, (int(reply.get("major", 0)), int(reply.get("minor", 0))))

    def version(self) -> str:
        """sway's version for people. Raises SwayError."""
        return str(self.request(GET_VERSION).get("human_readable", "")).partition(" ")[0]


def timer_mhz(mode: Mode, version: tuple[int, int]) -> int:
    """Refresh rate (mHz) that makes a headless sway of ``version`` repaint at ``mode``'s rate or a little above.

    Older wlroots re-arms a timer of whole milliseconds after each repaint, so that 60 Hz becomes 57.5. The capture side
    paces to the exact rate.
    """
    if version >= _EXACT_TIMER_SINCE:
        return mode.refresh_mhz
    megapixels = mode.width * mode.height / 1e6
    repaint_ms = min(1.2 + 0.45 * megapixels, 3.0)
    delay_ms = max(1, math.floor(1e6 / mode.refresh_mhz - repaint_ms))
    return max(mode.refresh_mhz, 1_000_000 // delay_ms)


def quoted(name: str) -> str:
    """A name as one word of a command."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _read(control: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        chunk = control.recv(length - len(data))
        if not chunk:
            raise OSError("connection closed")
        data += chunk
    return bytes(data)
