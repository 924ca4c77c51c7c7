"""The keyboard of a session: which keys are down, modifiers that got stuck, locks, and text that is not keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from punktfunk.input.events import KeyChanged
from punktfunk.input.xkb import KeyboardLayout, Keymap, letter_positions

MAX_KEY_CODE = 247
"""Largest evdev code with a place in an XKB keymap that X11 programs understand (keycode 255)."""
CAPS_LOCK, NUM_LOCK = 58, 69

# Modifier bit, key to press for it, keys that count as holding it (gamestream.md §7.3; meta is not synthesized).
_SYNTHETIC = ((1, 42), (2, 29), (4, 56))
_HOLDERS = {1: frozenset({42, 54}), 2: frozenset({29, 97}), 4: frozenset({56, 100}), 8: frozenset({125, 126})}
_BIT_OF = {code: bit for bit, codes in _HOLDERS.items() for code in codes}
_CAPS_SYMBOL, _NUM_SYMBOL = 0xFFE5, 0xFF7F


class KeySeat(Protocol):
    """What a keyboard is typed on."""

    def key(self, code: int, pressed: bool) -> None: ...

    def text(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class LayoutFacts:
    """What typing needs to know of a layout: moved letters (`letter_positions`), whether the lock keys are locks."""

    letters: Mapping[int, int] = field(default_factory=dict)
    has_caps_lock: bool = True
    has_num_lock: bool = True

    @classmethod
    def of(cls, names: KeyboardLayout) -> LayoutFacts:
        """Raises LayoutError, OSError without libxkbcommon."""
        return cls.of_keymap(Keymap(names))

    @classmethod
    def of_keymap(cls, keymap: Keymap) -> LayoutFacts:
        """Of its first layout."""
        return cls(
            letter_positions(keymap),
            keymap.symbol(CAPS_LOCK) == _CAPS_SYMBOL,
            keymap.symbol(NUM_LOCK) == _NUM_SYMBOL,
        )


class Keyboard:
    """Types on a seat whose locks are off to begin with."""

    def __init__(self, seat: KeySeat, facts: LayoutFacts | None = None) -> None:
        self._seat = seat
        self._facts = facts if facts is not None else LayoutFacts()
        self._held: dict[int, None] = {}
        """Keys that are down, in the order in which they went down."""
        self._told: set[int] = set()
        self._caps_on = False

    def switch_num_lock_on(self) -> None:
        """Once: clients send the keypad's digits, whatever their own lock says."""
        if self._facts.has_num_lock:
            self._tap(NUM_LOCK)

    def change(self, event: KeyChanged) -> None:
        """A key went down or up; repeats and stray releases are dropped, because the desktop repeats by itself."""
        code = self._facts.letters.get(event.code, event.code) if event.by_meaning else event.code
        if not 0 < code <= MAX_KEY_CODE or event.pressed == (code in self._held):
            return
        if not event.pressed:
            self._release(code)
            return
        synthetic = []
        if code not in _BIT_OF:
            self._release_stuck(event.modifiers)
            synthetic = [key for bit, key in _SYNTHETIC if event.modifiers & bit and not self._holders(bit)]
        for modifier in synthetic:
            self._seat.key(modifier, True)
        self._press(code)
        for modifier in reversed(synthetic):
            self._seat.key(modifier, False)
        self._note_told(event.modifiers)

    def type(self, text: str) -> None:
        """Text that arrives as it is: neither held modifiers nor Caps Lock change it."""
        lifted = [code for code in self._held if code in _BIT_OF]
        for code in lifted:
            self._seat.key(code, False)
        if self._caps_on:
            self._tap(CAPS_LOCK)
        self._seat.text(text)
        if self._caps_on:
            self._tap(CAPS_LOCK)
        for code in lifted:
            self._seat.key(code, True)

    def release_all(self) -> None:
        """Release every key; locks stay as they are."""
        for code in list(self._held):
            self._release(code)

    def _press(self, code: int) -> None:
        self._held[code] = None
        self._seat.key(code, True)
        if code == CAPS_LOCK and self._facts.has_caps_lock:
            self._caps_on = not self._caps_on

    def _release(self, code: int) -> None:
        del self._held[code]
        self._seat.key(code, False)

    def _tap(self, code: int) -> None:
        held = code in self._held
        for pressed in (False, True, False, True) if held else (True, False):
            self._seat.key(code, pressed)

    def _holders(self, bit: int) -> list[int]:
        return [code for code in self._held if _BIT_OF.get(code) == bit]

    def _release_stuck(self, modifiers: int) -> None:
        """Release modifiers that the client does not hold any more, as far as its bits can be believed: of keys for
        which it was seen to set them. AltGr and clients without bits are never seen so."""
        for code in [code for code in self._held if code in self._told and not modifiers & _BIT_OF[code]]:
            self._release(code)

    def _note_told(self, modifiers: int) -> None:
        for bit in _HOLDERS:
            if modifiers & bit and len(holders := self._holders(bit)) == 1:
                self._told.update(holders)
