"""Which locks of the keyboard the client switched: a replaced worker has a fresh keyboard, with none."""

from __future__ import annotations

from punktfunk.input.events import InputEvent, KeyChanged

LOCKS = (58, 69, 70)
"""Caps Lock, Num Lock, Scroll Lock."""


class LockMemory:
    """Counts what the session's keyboard counts: presses of keys that were up."""

    def __init__(self) -> None:
        self._down: set[int] = set()
        self._switched: set[int] = set()

    def note(self, events: tuple[InputEvent, ...]) -> None:
        """Remember what these events switch."""
        for event in events:
            if not isinstance(event, KeyChanged) or event.code not in LOCKS:
                continue
            if not event.pressed:
                self._down.discard(event.code)
            elif event.code not in self._down:
                self._down.add(event.code)
                self._switched ^= {event.code}

    def released(self) -> None:
        """Every key was let go."""
        self._down.clear()

    def replay(self) -> tuple[InputEvent, ...]:
        """Taps that bring a fresh keyboard in step; no key is down afterwards."""
        self._down.clear()
        return tuple(KeyChanged(code, pressed) for code in sorted(self._switched) for pressed in (True, False))
