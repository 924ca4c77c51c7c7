"""The virtual-key table, against the names that the kernel gives the codes."""

import pytest

from punktfunk.input.keymap import VIRTUAL_KEY_TO_EVDEV

ecodes = pytest.importorskip("evdev").ecodes

NAMES = {
    **{0x30 + digit: f"KEY_{digit}" for digit in range(10)},
    **{ord(letter): f"KEY_{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    **{0x60 + digit: f"KEY_KP{digit}" for digit in range(10)},
    **{0x6F + number: f"KEY_F{number}" for number in range(1, 25)},
    **dict(zip(range(0x21, 0x29), ["PAGEUP", "PAGEDOWN", "END", "HOME", "LEFT", "UP", "RIGHT", "DOWN"], strict=True)),
    **dict(zip(range(0x29, 0x30), ["SELECT", "PRINT", "OPEN", "SYSRQ", "INSERT", "DELETE", "HELP"], strict=True)),
    **dict(zip(range(0x6A, 0x70), ["KPASTERISK", "KPPLUS", "KPENTER", "KPMINUS", "KPDOT", "KPSLASH"], strict=True)),
    **dict(
        zip(
            range(0xA0, 0xB4),
            [
                "LEFTSHIFT",
                "RIGHTSHIFT",
                "LEFTCTRL",
                "RIGHTCTRL",
                "LEFTALT",
                "RIGHTALT",
                "BACK",
                "FORWARD",
                "REFRESH",
                "STOP",
                "SEARCH",
                "BOOKMARKS",
                "HOMEPAGE",
                "MUTE",
                "VOLUMEDOWN",
                "VOLUMEUP",
                "NEXTSONG",
                "PREVIOUSSONG",
                "STOPCD",
                "PLAYPAUSE",
            ],
            strict=True,
        )
    ),
    **dict(zip(range(0xBA, 0xC1), ["SEMICOLON", "EQUAL", "COMMA", "MINUS", "DOT", "SLASH", "GRAVE"], strict=True)),
    **dict(zip(range(0xDB, 0xDF), ["LEFTBRACE", "BACKSLASH", "RIGHTBRACE", "APOSTROPHE"], strict=True)),
    **{0x08: "BACKSPACE", 0x09: "TAB", 0x0C: "CLEAR", 0x0D: "ENTER", 0x13: "PAUSE", 0x14: "CAPSLOCK", 0x1B: "ESC"},
    **{0x10: "LEFTSHIFT", 0x11: "LEFTCTRL", 0x12: "LEFTALT", 0x20: "SPACE", 0x9A: "SYSRQ", 0xE2: "102ND"},
    **{0x15: "HANGEUL", 0x19: "HANJA", 0x1C: "HENKAN", 0x1D: "MUHENKAN", 0x90: "NUMLOCK", 0x91: "SCROLLLOCK"},
    **{0x5B: "LEFTMETA", 0x5C: "RIGHTMETA", 0x5D: "COMPOSE"},
}


def test_table():
    expected = {key: getattr(ecodes, "KEY_" + name.removeprefix("KEY_")) for key, name in NAMES.items()}
    assert dict(VIRTUAL_KEY_TO_EVDEV) == expected


def test_keys_fit_their_types():
    assert all(0 < key < 0x100 and 0 < code < 0x300 for key, code in VIRTUAL_KEY_TO_EVDEV.items())
