"""Keyboard layouts, by libxkbcommon: what they are called, whether this machine has them, where their letters lie."""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Iterable
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_uint32, c_void_p
from dataclasses import dataclass

LIBRARY = "libxkbcommon.so.0"
XKB_OFFSET = 8
"""XKB keycode minus evdev code."""
MAX_LAYOUTS = 4
"""What a keymap of X11 can hold."""

_ENTRY = re.compile(r"([a-z]{2,20})(?:\(([A-Za-z0-9_-]{1,32})\))?")
_OPTIONS = re.compile(r"\w{1,32}:[\w-]{1,64}(,\w{1,32}:[\w-]{1,64})*")
_NO_FLAGS = 0
_TEXT_V1 = 1
_DOWN = 1
_NO_ENVIRONMENT = 1 << 1
# US positions of A to Z.
_LETTERS = (30, 48, 46, 32, 18, 33, 34, 35, 23, 36, 37, 38, 50, 49, 24, 25, 16, 19, 31, 20, 22, 47, 17, 45, 21, 44)
_TYPING_KEYS = (*range(2, 14), *range(16, 28), *range(30, 42), *range(43, 54), 86)


class LayoutError(ValueError):
    """A layout that is misspelt or that this machine does not have; the message is for the user."""


class RuleNames(Structure):
    """struct xkb_rule_names."""

    _fields_ = [(name, c_char_p) for name in ("rules", "model", "layout", "variant", "options")]


@dataclass(frozen=True, slots=True)
class KeyboardLayout:
    """XKB's names. Several layouts are separated by commas, ``variant`` then has as many parts, empty ones too."""

    layout: str = "us"
    variant: str = ""
    options: str = ""

    @classmethod
    def parse(cls, text: str, options: str = "") -> KeyboardLayout:
        """``de``, ``us(intl)`` or ``us,ru(phonetic)``, as XKB writes it. Raises LayoutError."""
        entries = [_ENTRY.fullmatch(part) for part in text.split(",")]
        if not all(entries):
            raise LayoutError(f"{text!r} is no keyboard layout; examples: de, us(intl), us,ru(phonetic)")
        if len(entries) > MAX_LAYOUTS:
            raise LayoutError(f"{text!r} names {len(entries)} layouts; a keyboard has at most {MAX_LAYOUTS}")
        if options and not _OPTIONS.fullmatch(options):
            raise LayoutError(f"{options!r} are no keyboard options; an example: grp:alt_shift_toggle")
        found = [entry for entry in entries if entry]
        variants = [entry[2] or "" for entry in found]
        return cls(",".join(entry[1] for entry in found), ",".join(variants) if any(variants) else "", options)

    def __str__(self) -> str:
        variants = self.variant.split(",") if self.variant else []
        names = self.layout.split(",")
        return ",".join(f"{name}({v})" if v else name for name, v in zip(names, variants + [""] * len(names)))  # noqa: B905


class Keymap:
    """A compiled layout. Raises LayoutError when this machine does not have it, OSError without libxkbcommon."""

    def __init__(self, names: KeyboardLayout | None = None, *, text: str = "") -> None:
        self.library = load_library()
        self._context = self.library.xkb_context_new(_NO_ENVIRONMENT)
        # Compiling says on standard error what is wrong; the caller says it better.
        self.library.xkb_context_set_log_level(self._context, 0)
        if text:
            self.pointer = self.library.xkb_keymap_new_from_string(self._context, text.encode(), _TEXT_V1, _NO_FLAGS)
        else:
            names = names or KeyboardLayout()
            parts = (b"evdev", b"pc105", names.layout.encode(), names.variant.encode(), names.options.encode())
            self.pointer = self.library.xkb_keymap_new_from_names(self._context, byref(RuleNames(*parts)), _NO_FLAGS)
        if not self.pointer:
            self.library.xkb_context_unref(self._context)
            raise LayoutError(
                "the desktop's keymap is none" if text else f"this machine has no keyboard layout {names}"
            )

    @classmethod
    def of_text(cls, text: str) -> Keymap:
        """From a whole keymap as XKB text. Raises as the class."""
        return cls(text=text)

    def __del__(self) -> None:
        if getattr(self, "pointer", None):
            self.library.xkb_keymap_unref(self.pointer)
            self.library.xkb_context_unref(self._context)

    def symbol(self, code: int, level: int = 0, layout: int = 0) -> int:
        """Keysym of an evdev code on a shift level, 0 for none or several."""
        symbols = POINTER(c_uint32)()
        count = self.library.xkb_keymap_key_get_syms_by_level(
            self.pointer, code + XKB_OFFSET, layout, level, byref(symbols)
        )
        return int(symbols[0]) if count == 1 else 0

    def typed(self, held: tuple[int, ...], codes: Iterable[int]) -> dict[int, tuple[int, str]]:
        """What keys make while the keys ``held`` are down, in the first layout: keysym and character, "" for none."""
        state = self.library.xkb_state_new(self.pointer)
        try:
            for code in held:
                self.library.xkb_state_update_key(state, code + XKB_OFFSET, _DOWN)
            made = {}
            for code in codes:
                symbol = self.library.xkb_state_key_get_one_sym(state, code + XKB_OFFSET)
                character = self.library.xkb_state_key_get_utf32(state, code + XKB_OFFSET)
                made[code] = int(symbol), chr(character) if character else ""
            return made
        finally:
            self.library.xkb_state_unref(state)


def check_layout(names: KeyboardLayout) -> None:
    """Raises LayoutError for a layout that this machine does not have, OSError without libxkbcommon."""
    Keymap(names)


def letter_positions(keymap: Keymap) -> dict[int, int]:
    """Evdev code of a letter's key on a US keyboard, to that of the same letter under the layout, where they differ:
    with ``de``, Z's to Y's. Letters that the layout does not have are not in it."""
    places: dict[int, int] = {}
    for code in _TYPING_KEYS:
        places.setdefault(keymap.symbol(code), code)
    moved = {us: places.get(ord("a") + index) for index, us in enumerate(_LETTERS)}
    return {us: place for us, place in moved.items() if place is not None and place != us}


@functools.cache
def load_library() -> ctypes.CDLL:
    """libxkbcommon with the types of what is called here. Raises OSError."""
    library = ctypes.CDLL(LIBRARY)
    signatures = {
        "xkb_context_new": (c_void_p, [c_int]),
        "xkb_context_unref": (None, [c_void_p]),
        "xkb_context_set_log_level": (None, [c_void_p, c_int]),
        "xkb_keymap_new_from_names": (c_void_p, [c_void_p, POINTER(RuleNames), c_int]),
        "xkb_keymap_new_from_string": (c_void_p, [c_void_p, c_char_p, c_int, c_int]),
        "xkb_keymap_unref": (None, [c_void_p]),
        "xkb_state_new": (c_void_p, [c_void_p]),
        "xkb_state_unref": (None, [c_void_p]),
        "xkb_state_update_key": (c_int, [c_void_p, c_uint32, c_int]),
        "xkb_state_key_get_one_sym": (c_uint32, [c_void_p, c_uint32]),
        "xkb_state_key_get_utf32": (c_uint32, [c_void_p, c_uint32]),
        "xkb_keymap_key_get_syms_by_level": (
            c_int,
            [c_void_p, c_uint32, c_uint32, c_uint32, POINTER(POINTER(c_uint32))],
        ),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
