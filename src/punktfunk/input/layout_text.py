"""Text as strokes of a layout's own keys, for desktops whose keymap is not ours to change."""

from __future__ import annotations

import logging
import unicodedata
from typing import Protocol, runtime_checkable

from punktfunk.input.xkb import Keymap, LayoutError

log = logging.getLogger(__name__)

Chord = tuple[int, ...]
"""Evdev codes that go down in this order and up in the reverse one."""

_SHIFT, _ENTER, _TAB, _BACKSPACE, _SPACE, _ALTGR = 42, 28, 15, 14, 57, 100
_CONTROLS: dict[str, Chord] = {"\n": (_ENTER,), "\r": (_ENTER,), "\t": (_TAB,), "\b": (_BACKSPACE,)}
_TYPING_KEYS = (*range(2, 14), *range(16, 28), *range(30, 42), *range(43, 54), _SPACE, 86)
_ALL_KEYS = range(1, 248)
_LEVEL3_SYMBOL = 0xFE03
# Dead keysyms: the mark that they put on the next letter, and what they make with a space (X11's Compose tables).
_DEAD = {
    0xFE50: ("\u0300", "`"),
    0xFE51: ("\u0301", "'"),
    0xFE52: ("\u0302", "^"),
    0xFE53: ("\u0303", "~"),
    0xFE54: ("\u0304", "\u00af"),
    0xFE55: ("\u0306", "\u02d8"),
    0xFE56: ("\u0307", "\u02d9"),
    0xFE57: ("\u0308", '"'),
    0xFE58: ("\u030a", "\u00b0"),
    0xFE59: ("\u030b", "\u02dd"),
    0xFE5A: ("\u030c", "\u02c7"),
    0xFE5B: ("\u0327", "\u00b8"),
    0xFE5C: ("\u0328", "\u02db"),
}


class LayoutText:
    """What the first layout of a keymap can type: its characters on all levels, and letters with its dead keys."""

    def __init__(self, keymap: Keymap) -> None:
        self._direct: dict[str, Chord] = dict(_CONTROLS)
        self._marks: dict[str, Chord] = {}
        self._with_space: dict[str, Chord] = {}
        level3 = tuple(code for code in (_ALTGR, *_ALL_KEYS) if keymap.symbol(code) == _LEVEL3_SYMBOL)[:1]
        for held in ((), (_SHIFT,), level3, (_SHIFT, *level3)):
            for code, (symbol, character) in keymap.typed(held, _TYPING_KEYS).items():
                if symbol in _DEAD:
                    mark, alone = _DEAD[symbol]
                    self._marks.setdefault(mark, (*held, code))
                    self._with_space.setdefault(alone, (*held, code))
                elif character:
                    self._direct.setdefault(character, (*held, code))

    def chords(self, character: str) -> tuple[Chord, ...]:
        """What to press for a character; nothing when the layout does not have it."""
        if character in self._direct:
            return (self._direct[character],)
        if character in self._with_space:
            return self._with_space[character], (_SPACE,)
        parts = unicodedata.normalize("NFD", character)
        if len(parts) == 2 and parts[1] in self._marks and parts[0] in self._direct:
            return self._marks[parts[1]], self._direct[parts[0]]
        return ()


@runtime_checkable
class DesktopKeys(Protocol):
    """The keyboard of a desktop with a keymap of its own; there are no spare keys to bind characters to."""

    def key(self, code: int, pressed: bool) -> None:
        """Press or release the key of an evdev code."""
        ...

    def keymap(self) -> str:
        """The keymap as XKB's text; "" while it is not known."""
        ...

    def character(self, character: str) -> bool:
        """Type a character that the layout need not have; False where the desktop cannot do that."""
        ...


class LayoutTyping:
    """Types on such a keyboard, with its keys where the desktop types nothing by itself. What the layout does not have
    is then left out, which is logged once, without the text."""

    def __init__(self, keys: DesktopKeys) -> None:
        self._keys = keys
        self._keymap = ""
        self._layout: LayoutText | None = None
        self._said = False

    def key(self, code: int, pressed: bool) -> None:
        """Press or release the key of an evdev code."""
        self._keys.key(code, pressed)

    def text(self, text: str) -> None:
        """Press what types the text."""
        layout = self._current()
        missing = 0
        for character in text:
            if self._keys.character(character):
                continue
            chords = layout.chords(character) if layout is not None else ()
            missing += not chords
            for chord in chords:
                for code in chord:
                    self._keys.key(code, True)
                for code in reversed(chord):
                    self._keys.key(code, False)
        if missing and not self._said:
            self._said = True
            log.warning(
                "characters that the desktop's keyboard layout does not have are left out of text (%d of %d)",
                missing,
                len(text),
            )

    def _current(self) -> LayoutText | None:
        keymap = self._keys.keymap()
        if keymap != self._keymap:
            self._keymap = keymap
            try:
                self._layout = LayoutText(Keymap.of_text(keymap)) if keymap else None
            except (LayoutError, OSError) as error:
                log.warning("text cannot be typed: %s", error)
                self._layout = None
        return self._layout
