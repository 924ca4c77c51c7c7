"""A person's view of a keyboard layout, by libxkbcommon alone: which keys to press, and the text that they make."""

from __future__ import annotations

from collections.abc import Iterable
from ctypes import c_char_p, c_int, c_size_t, c_uint32, c_void_p, create_string_buffer

from punktfunk.input.xkb import XKB_OFFSET, KeyboardLayout, Keymap

SHIFT, ALTGR, CAPS = 42, 100, 58
NOTHING, COMPOSING, COMPOSED, CANCELLED = range(4)
DOWN, UP = 1, 0


class Typist:
    """Presses keys of evdev codes under a layout and reads the text, dead keys composed as toolkits do."""

    def __init__(self, names: KeyboardLayout, locale: str = "en_US.UTF-8") -> None:
        self._keymap = Keymap(names)
        self._x = x = self._keymap.library
        for name, result, arguments in (
            ("xkb_state_new", c_void_p, [c_void_p]),
            ("xkb_state_unref", None, [c_void_p]),
            ("xkb_state_update_key", c_int, [c_void_p, c_uint32, c_int]),
            ("xkb_state_key_get_one_sym", c_uint32, [c_void_p, c_uint32]),
            ("xkb_keysym_to_utf8", c_int, [c_uint32, c_char_p, c_size_t]),
            ("xkb_compose_table_new_from_locale", c_void_p, [c_void_p, c_char_p, c_int]),
            ("xkb_compose_state_new", c_void_p, [c_void_p, c_int]),
            ("xkb_compose_state_feed", c_int, [c_void_p, c_uint32]),
            ("xkb_compose_state_get_status", c_int, [c_void_p]),
            ("xkb_compose_state_get_utf8", c_int, [c_void_p, c_char_p, c_size_t]),
            ("xkb_compose_state_reset", None, [c_void_p]),
        ):
            function = getattr(x, name)
            function.restype, function.argtypes = result, arguments
        self._state = x.xkb_state_new(self._keymap.pointer)
        table = x.xkb_compose_table_new_from_locale(self._keymap._context, locale.encode(), 0)
        assert table, f"no compose table for {locale}"
        self._compose = x.xkb_compose_state_new(table, 0)

    def key(self, code: int, pressed: bool) -> str:
        """One key's edge; the text that a press makes."""
        x, text = self._x, ""
        if pressed:
            text = self._text(x.xkb_state_key_get_one_sym(self._state, code + XKB_OFFSET))
        x.xkb_state_update_key(self._state, code + XKB_OFFSET, DOWN if pressed else UP)
        return text

    def tap(self, code: int, held: Iterable[int] = ()) -> str:
        """A key with others held."""
        held = tuple(held)
        for modifier in held:
            self.key(modifier, True)
        text = self.key(code, True)
        self.key(code, False)
        for modifier in reversed(held):
            self.key(modifier, False)
        return text

    def _text(self, symbol: int) -> str:
        x, buffer = self._x, create_string_buffer(64)
        x.xkb_compose_state_feed(self._compose, symbol)
        status = x.xkb_compose_state_get_status(self._compose)
        if status == COMPOSING:
            return ""
        if status in (COMPOSED, CANCELLED):
            if status == COMPOSED:
                x.xkb_compose_state_get_utf8(self._compose, buffer, 64)
            x.xkb_compose_state_reset(self._compose)
        else:
            x.xkb_keysym_to_utf8(symbol, buffer, 64)
        return buffer.value.decode()
