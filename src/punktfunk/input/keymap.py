"""Windows virtual-key codes to Linux evdev key codes, in the US-positional sense: both name a physical key
(punktfunk1.md §7.2; the keys beyond that table are gamestream.md §7.3)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _row(first_virtual_key: int, *codes: int) -> dict[int, int]:
    return {first_virtual_key + offset: code for offset, code in enumerate(codes)}


_EDITING = {0x08: 14, 0x09: 15, 0x0C: 355, 0x0D: 28, 0x13: 119, 0x14: 58, 0x1B: 1, 0x20: 57}
_MODIFIERS = {
    **_row(0x10, 42, 29, 56),
    **_row(0x5B, 125, 126, 127),
    **_row(0xA0, 42, 54, 29, 97, 56, 100),
}
_LANGUAGE = {0x15: 122, 0x19: 123, 0x1C: 92, 0x1D: 94}
_NAVIGATION = _row(0x21, 104, 109, 107, 102, 105, 103, 106, 108)
_COMMANDS = {
    # select, print, execute (evdev has it as "open", like the HID usage), print screen, insert, delete, help
    **_row(0x29, 353, 210, 134, 99, 110, 111, 138),
    # Android's print screen
    0x9A: 99,
}
_DIGITS = _row(0x30, 11, 2, 3, 4, 5, 6, 7, 8, 9, 10)
_LETTERS = _row(
    0x41, 30, 48, 46, 32, 18, 33, 34, 35, 23, 36, 37, 38, 50, 49, 24, 25, 16, 19, 31, 20, 22, 47, 17, 45, 21, 44
)
_KEYPAD = {
    **_row(0x60, 82, 79, 80, 81, 75, 76, 77, 71, 72, 73),
    # multiply, add, separator (keypad enter), subtract, decimal, divide
    **_row(0x6A, 55, 78, 96, 74, 83, 98),
}
_FUNCTION = {
    **_row(0x70, *range(59, 69), 87, 88),
    **_row(0x7C, *range(183, 195)),
}
_LOCKS = {0x90: 69, 0x91: 70}
_BROWSER = _row(0xA6, 158, 159, 173, 128, 217, 156, 172)
# mute, volume down, volume up, next, previous, stop, play/pause
_MEDIA = _row(0xAD, 113, 114, 115, 163, 165, 166, 164)
_PUNCTUATION = {
    **_row(0xBA, 39, 13, 51, 12, 52, 53, 41),
    **_row(0xDB, 26, 43, 27, 40),
    0xE2: 86,
}

VIRTUAL_KEY_TO_EVDEV: Mapping[int, int] = MappingProxyType(
    _EDITING
    | _MODIFIERS
    | _LANGUAGE
    | _NAVIGATION
    | _COMMANDS
    | _DIGITS
    | _LETTERS
    | _KEYPAD
    | _FUNCTION
    | _LOCKS
    | _BROWSER
    | _MEDIA
    | _PUNCTUATION
)
"""Keys that are not in it mean nothing on this side and are dropped."""
