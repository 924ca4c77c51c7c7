"""Fingers on a seat with touch: numbers, bounds, and lost events."""

from __future__ import annotations

import random

import pytest

from punktfunk.input.events import ContactPhase, Touched
from punktfunk.input.seat_touch import FORGET_AFTER_S, MAX_FINGERS, SeatTouch

DOWN, MOVE, UP, CANCEL = ContactPhase.DOWN, ContactPhase.MOVE, ContactPhase.UP, ContactPhase.CANCEL


class Screen:
    """A touchscreen of 1000 by 500 that knows which fingers are down, and a clock."""

    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []
        self.down: set[int] = set()
        self.now = 0.0
        self.touch = SeatTouch(self, lambda: self.now)

    def touch_down(self, finger: int, x: float, y: float) -> None:
        assert finger not in self.down
        assert finger < MAX_FINGERS
        self.down.add(finger)
        self.seen.append(("down", finger, x, y))

    def touch_move(self, finger: int, x: float, y: float) -> None:
        assert finger in self.down
        self.seen.append(("move", finger, x, y))

    def touch_up(self, finger: int) -> None:
        self.down.remove(finger)
        self.seen.append(("up", finger))

    def touch_cancel(self) -> None:
        self.down.clear()
        self.seen.append(("cancel",))

    def size(self) -> tuple[int, int]:
        return 1000, 500

    def do(self, phase: ContactPhase, pointer: int, x: float = 0, y: float = 0) -> None:
        self.touch.change(Touched(phase, pointer, x, y))


@pytest.fixture
def screen() -> Screen:
    return Screen()


def test_two_fingers_keep_their_numbers(screen: Screen) -> None:
    screen.do(DOWN, 900, 0.5, 0.5)
    screen.do(DOWN, 7, 0.1, 0.2)
    screen.do(MOVE, 900, 0.6, 0.5)
    screen.do(UP, 900)
    screen.do(DOWN, 8, 1.0, 2.0)
    assert screen.seen == [
        ("down", 0, 500, 250),
        ("down", 1, 100, 100),
        ("move", 0, 600, 250),
        ("up", 0),
        ("down", 0, 999, 499),
    ]


def test_a_second_landing_is_a_move_and_strays_are_dropped(screen: Screen) -> None:
    screen.do(MOVE, 1)
    screen.do(UP, 1)
    screen.do(CANCEL, 1)
    screen.do(ContactPhase.HOVER, 1, 0.5, 0.5)
    screen.do(DOWN, 1, 0.1, 0.1)
    screen.do(DOWN, 1, 0.2, 0.2)
    assert screen.seen == [("down", 0, 100, 50), ("move", 0, 200, 100)]


def test_a_finger_whose_lift_got_lost_is_lifted_when_another_lands(screen: Screen) -> None:
    screen.do(DOWN, 1)
    screen.now = FORGET_AFTER_S + 1
    screen.do(DOWN, 2)
    assert screen.seen[1:] == [("up", 0), ("down", 0, 0, 0)]


def test_a_seventeenth_finger_is_dropped(screen: Screen) -> None:
    for pointer in range(MAX_FINGERS + 4):
        screen.do(DOWN, pointer)
        screen.do(MOVE, pointer)
    assert screen.down == set(range(MAX_FINGERS))


def test_cancelling_one_cancels_all_once(screen: Screen) -> None:
    screen.do(DOWN, 1)
    screen.do(DOWN, 2)
    screen.do(CANCEL, 1)
    screen.touch.cancel()
    screen.do(ContactPhase.CANCEL_ALL, 0)
    assert [what[0] for what in screen.seen] == ["down", "down", "cancel"]


def test_whatever_comes_nothing_stays_down(screen: Screen) -> None:
    for seed in range(300):
        dice = random.Random(seed)
        for _ in range(60):
            screen.now += dice.random()
            screen.do(dice.choice(list(ContactPhase)), dice.randrange(24), dice.random(), dice.random())
        screen.touch.cancel()
        assert not screen.down
