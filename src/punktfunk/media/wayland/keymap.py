"""The keymap that a compositor's keyboard has now (wl_seat, wl_keyboard): clients get it without having the focus."""

from __future__ import annotations

import os

from punktfunk.media.wayland.client import Global, WaylandClient
from punktfunk.media.wayland.wire import Arguments, uint

MAX_KEYMAP_BYTES = 1024 * 1024
"""Real ones have about 60 KiB."""

_SEAT, _SEAT_VERSION = "wl_seat", 5
_CAPABILITIES, _KEYBOARD_BIT = 0, 2
_GET_KEYBOARD, _RELEASE_KEYBOARD, _RELEASE_SINCE = 1, 0, 3
_KEYMAP, _XKB_V1 = 0, 1


class SeatKeymap:
    """Follows the keyboard of the first seat; ``text`` is its keymap in XKB's own language, "" while there is none of
    at most ``max_bytes``."""

    def __init__(self, client: WaylandClient, max_bytes: int = MAX_KEYMAP_BYTES) -> None:
        self.text = ""
        self._client = client
        self._max_bytes = max_bytes
        self._version = 0
        self._seat = 0
        self._keyboard = 0
        client.on_global.append(self._arrived)

    def _arrived(self, found: Global) -> None:
        if found.interface == _SEAT and not self._seat:
            self._version = min(found.version, _SEAT_VERSION)
            self._seat = self._client.bind(found, self._version, self._seat_event)

    def _seat_event(self, opcode: int, arguments: Arguments) -> None:
        if opcode != _CAPABILITIES:
            return
        has_keyboard = bool(arguments.uint() & _KEYBOARD_BIT)
        if has_keyboard and not self._keyboard:
            self._keyboard = self._client.add(self._keyboard_event)
            self._client.send(self._seat, _GET_KEYBOARD, uint(self._keyboard))
        elif not has_keyboard and self._keyboard:
            self._client.mute(self._keyboard)
            if self._version >= _RELEASE_SINCE:
                self._client.send(self._keyboard, _RELEASE_KEYBOARD)
            self._keyboard = 0

    def _keyboard_event(self, opcode: int, arguments: Arguments) -> None:
        if opcode != _KEYMAP:
            return
        fd = self._client.take_descriptor()
        try:
            kind, size = arguments.uint(), arguments.uint()
            if kind == _XKB_V1 and 0 < size <= self._max_bytes:
                self.text = _read(fd, size)
        finally:
            os.close(fd)


def _read(fd: int, size: int) -> str:
    try:
        data = os.pread(fd, size, 0)
    except OSError:
        return ""
    return data.split(b"\0", 1)[0].decode(errors="replace")
