"""A replaced worker's keyboard gets the locks that the client switched."""

from __future__ import annotations

from punktfunk.input.events import InputEvent, KeyChanged
from punktfunk.session.lock_memory import LOCKS, LockMemory

CAPS, NUM, SCROLL = LOCKS


def taps(*codes: int) -> tuple[InputEvent, ...]:
    return tuple(KeyChanged(code, pressed) for code in codes for pressed in (True, False))


def test_an_odd_number_of_presses_is_replayed_once() -> None:
    memory = LockMemory()
    memory.note(taps(CAPS, NUM, CAPS, CAPS, SCROLL, SCROLL, 30))
    assert memory.replay() == taps(CAPS, NUM)
    memory.note(taps(CAPS))
    assert memory.replay() == taps(NUM)


def test_repeats_of_a_held_key_do_not_count() -> None:
    memory = LockMemory()
    memory.note(tuple(KeyChanged(CAPS, True) for _ in range(4)))
    assert memory.replay() == taps(CAPS)


def test_a_key_that_was_let_go_for_the_client_counts_when_it_is_pressed_again() -> None:
    memory = LockMemory()
    memory.note((KeyChanged(CAPS, True),))
    memory.released()
    memory.note((KeyChanged(CAPS, True),))
    assert memory.replay() == ()
