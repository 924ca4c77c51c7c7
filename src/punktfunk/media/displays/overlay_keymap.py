"""Text as key presses, whatever the keyboard layout: spare keycodes are bound to the characters that are typed.

No clock: times in seconds are arguments.
"""

from __future__ import annotations

from collections import OrderedDict

SPARE_KEYCODES = tuple(code for code in range(208, 255) if code != 225)
"""XKB keycodes that no client sends (evdev 200..246 without KEY_SEARCH). X11 programs know none above 255, and the
modifiers of the evdev rules end at 207."""

SETTLE_S = 0.2
"""How long a keycode keeps its character after a tap. X11 programs look a keycode up only when they get to its event,
and would read a newer binding. People type slower than that through all keycodes; only pasted text has to wait."""

_CONTROL_KEYSYMS = {"\b": 0xFF08, "\t": 0xFF09, "\n": 0xFF0D, "\r": 0xFF0D, "\x1b": 0xFF1B, "\x7f": 0xFFFF}


def keysym(character: str) -> int | None:
    """The X11 keysym of a character, None when it has none (other control characters, surrogates)."""
    code = ord(character)
    if character in _CONTROL_KEYSYMS:
        return _CONTROL_KEYSYMS[character]
    if 0x20 <= code <= 0x7E or 0xA0 <= code <= 0xFF:
        return code
    if code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code <= 0xDFFF:
        return None
    return 0x0100_0000 + code


class OverlayKeymap:
    """Assigns keycodes to characters, the least recently typed one giving way."""

    def __init__(self, keycodes: tuple[int, ...] = SPARE_KEYCODES) -> None:
        self._spare = list(reversed(keycodes))
        self._bound: OrderedDict[int, int] = OrderedDict()
        self._tapped: dict[int, float] = {}

    def assign(self, text: str) -> tuple[list[tuple[int, int]] | None, list[int]]:
        """Keycodes to tap for ``text``, at most as many different characters as there are keycodes, and the whole
        overlay as (keycode, keysym) when it changed."""
        keysyms = [symbol for symbol in map(keysym, text) if symbol is not None]
        changed = False
        for symbol in keysyms:
            if symbol in self._bound:
                self._bound.move_to_end(symbol)
                continue
            keycode = self._spare.pop() if self._spare else self._bound.popitem(last=False)[1]
            self._bound[symbol] = keycode
            changed = True
        overlay = sorted((keycode, symbol) for symbol, keycode in self._bound.items()) if changed else None
        return overlay, [self._bound[symbol] for symbol in keysyms]

    def free_at(self, text: str) -> float:
        """When `assign` may be called for ``text`` without taking a keycode away from a tap that is under way."""
        new = len({symbol for symbol in map(keysym, text) if symbol is not None and symbol not in self._bound})
        given_up = list(self._bound.values())[: max(0, new - len(self._spare))]
        return max((self._tapped.get(keycode, 0.0) + SETTLE_S for keycode in given_up), default=0.0)

    def tapped(self, keycodes: list[int], now: float) -> None:
        """These keycodes are being typed."""
        self._tapped.update(dict.fromkeys(keycodes, now))

    @property
    def capacity(self) -> int:
        """How many different characters can be bound at once."""
        return len(self._spare) + len(self._bound)
