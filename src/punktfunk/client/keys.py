"""Physical keys (USB HID usages, SDL's scancodes) to virtual-key codes of a US layout (punktfunk1.md §7.2)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _row(first_usage: int, *codes: int) -> dict[int, int]:
    return {first_usage + offset: code for offset, code in enumerate(codes)}


_LETTERS = _row(4, *range(0x41, 0x5B))
_DIGITS = _row(30, *range(0x31, 0x3A), 0x30)
# return, escape, backspace, tab, space, minus, equals, brackets, backslash, the ISO key beside return, semicolon,
# apostrophe, grave, comma, period, slash, caps lock
_MAIN = _row(
    40, 0x0D, 0x1B, 0x08, 0x09, 0x20, 0xBD, 0xBB, 0xDB, 0xDD, 0xDC, 0xDC, 0xBA, 0xDE, 0xC0, 0xBC, 0xBE, 0xBF, 0x14
)
_FUNCTION = _row(58, *range(0x70, 0x7C))
# print screen, scroll lock, pause, insert, home, page up, delete, end, page down, right, left, down, up, num lock
_NAVIGATION = _row(70, 0x2C, 0x91, 0x13, 0x2D, 0x24, 0x21, 0x2E, 0x23, 0x22, 0x27, 0x25, 0x28, 0x26, 0x90)
# divide, multiply, subtract, add, enter, 1-9, 0, decimal; then the ISO key beside the left shift, and menu
_KEYPAD = _row(84, 0x6F, 0x6A, 0x6D, 0x6B, 0x6C, *range(0x61, 0x6A), 0x60, 0x6E, 0xE2, 0x5D)
_MORE_FUNCTION = _row(104, *range(0x7C, 0x88))
_SOUND = {127: 0xAD, 128: 0xAF, 129: 0xAE}
_MODIFIERS = _row(224, 0xA2, 0xA0, 0xA4, 0x5B, 0xA3, 0xA1, 0xA5, 0x5C)

HID_USAGE_TO_VIRTUAL_KEY: Mapping[int, int] = MappingProxyType(
    _LETTERS | _DIGITS | _MAIN | _FUNCTION | _NAVIGATION | _KEYPAD | _MORE_FUNCTION | _SOUND | _MODIFIERS
)
"""Usages of the keyboard page; what is not in it is not sent."""
