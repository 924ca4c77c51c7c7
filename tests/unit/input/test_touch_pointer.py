"""Fingers as a pointer: what a tap, a drag, a long press, two fingers and lost events do."""

from __future__ import annotations

import random

import pytest

from punktfunk.input.events import ContactPhase, Touched
from punktfunk.input.touch_pointer import (
    FORGET_AFTER_S,
    LEFT,
    LONG_PRESS_S,
    MAX_FINGERS,
    PIXELS_PER_NOTCH,
    RIGHT,
    TouchPointer,
)

WIDTH, HEIGHT = 1000, 500
DOWN, MOVE, UP, CANCEL = ContactPhase.DOWN, ContactPhase.MOVE, ContactPhase.UP, ContactPhase.CANCEL


class Desk:
    """A seat that notes what happens, and a clock."""

    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []
        self.now = 100.0
        self.touch = TouchPointer(self, lambda: self.now)

    def place(self, x: float, y: float) -> None:
        self.seen.append(("at", round(x * WIDTH), round(y * HEIGHT)))

    def press(self, code: int, pressed: bool) -> None:
        self.seen.append(("press" if pressed else "release", code))

    def scroll(self, right_notches: float, down_notches: float) -> None:
        self.seen.append(("scroll", round(right_notches, 6), round(down_notches, 6)))

    def size(self) -> tuple[int, int]:
        return WIDTH, HEIGHT

    def do(self, phase: ContactPhase, finger: int, x: int = 0, y: int = 0) -> None:
        self.touch.change(Touched(phase, finger, x / WIDTH, y / HEIGHT))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_tap_is_a_left_click_where_it_landed(desk: Desk) -> None:
    desk.do(DOWN, 1, 300, 200)
    desk.do(MOVE, 1, 305, 204)
    assert desk.seen == [("at", 300, 200)]
    desk.do(UP, 1)
    assert desk.seen[1:] == [("press", LEFT), ("release", LEFT)]


def test_a_finger_that_rests_clicks_right(desk: Desk) -> None:
    desk.do(DOWN, 1, 300, 200)
    desk.now += LONG_PRESS_S
    desk.do(UP, 1, 300, 200)
    assert desk.seen[1:] == [("press", RIGHT), ("release", RIGHT)]


def test_a_drag_begins_where_the_finger_landed_and_follows_it(desk: Desk) -> None:
    desk.do(DOWN, 1, 300, 200)
    desk.do(MOVE, 1, 340, 200)
    desk.do(MOVE, 1, 400, 250)
    desk.do(UP, 1)
    expected = [("at", 300, 200), ("press", LEFT), ("at", 340, 200), ("at", 400, 250), ("release", LEFT)]
    assert desk.seen == expected


def test_two_fingers_scroll_and_never_click(desk: Desk) -> None:
    desk.do(DOWN, 1, 300, 200)
    desk.do(DOWN, 2, 400, 200)
    for y in (230, 260):
        desk.do(MOVE, 1, 300, y)
        desk.do(MOVE, 2, 400, y)
    desk.do(UP, 2)
    desk.do(MOVE, 1, 300, 300)
    desk.do(UP, 1)
    scrolls = [each for each in desk.seen if each[0] == "scroll"]
    assert desk.seen == [("at", 300, 200), *scrolls]
    # Both went 60 pixels down: what is under them comes along, so that the wheel turns up. Then one went on alone.
    assert sum(each[2] for each in scrolls[:4]) == pytest.approx(-60 / PIXELS_PER_NOTCH)  # type: ignore[misc]
    assert scrolls[4] == ("scroll", 0.0, round(-40 / PIXELS_PER_NOTCH, 6))


def test_two_fingers_that_tap_click_right(desk: Desk) -> None:
    desk.do(DOWN, 1, 300, 200)
    desk.do(DOWN, 2, 400, 200)
    desk.do(UP, 1)
    desk.do(UP, 2)
    assert desk.seen[1:] == [("press", RIGHT), ("release", RIGHT)]


def test_a_second_finger_during_a_drag_changes_nothing(desk: Desk) -> None:
    desk.do(DOWN, 1, 300, 200)
    desk.do(MOVE, 1, 340, 200)
    desk.do(DOWN, 2, 100, 100)
    desk.do(MOVE, 2, 200, 200)
    desk.do(MOVE, 1, 350, 200)
    desk.do(UP, 1)
    desk.do(UP, 2)
    assert desk.seen[1:] == [("press", LEFT), ("at", 340, 200), ("at", 350, 200), ("release", LEFT)]


@pytest.mark.parametrize("phase", [CANCEL, ContactPhase.CANCEL_ALL])
def test_a_cancelled_gesture_does_nothing_more(desk: Desk, phase: ContactPhase) -> None:
    desk.do(DOWN, 1, 300, 200)
    desk.do(phase, 1)
    desk.do(UP, 1)
    assert desk.seen == [("at", 300, 200)]
    desk.do(DOWN, 1, 300, 200)
    desk.do(MOVE, 1, 400, 200)
    desk.do(phase, 1)
    assert desk.seen[-1] == ("release", LEFT)


def test_a_finger_whose_lift_got_lost_is_forgotten(desk: Desk) -> None:
    desk.do(DOWN, 1, 300, 200)
    desk.now += FORGET_AFTER_S + 0.1
    desk.do(DOWN, 2, 50, 50)
    desk.do(UP, 2)
    assert desk.seen[-3:] == [("at", 50, 50), ("press", LEFT), ("release", LEFT)]


def test_hovering_moves_the_pointer_unless_a_finger_is_down(desk: Desk) -> None:
    desk.do(ContactPhase.HOVER, 1, 10, 10)
    desk.do(DOWN, 2, 300, 200)
    desk.do(ContactPhase.HOVER, 1, 20, 20)
    assert desk.seen == [("at", 10, 10), ("at", 300, 200)]


def test_any_flood_of_fingers_is_bounded_and_ends_with_nothing_pressed(desk: Desk) -> None:
    generator = random.Random(5)
    phases = list(ContactPhase)
    for _ in range(20_000):
        x, y = generator.randrange(WIDTH), generator.randrange(HEIGHT)
        desk.do(generator.choice(phases), generator.randrange(40), x, y)
        desk.now += generator.random() / 10
        assert len(desk.touch._fingers) <= MAX_FINGERS
    desk.touch.cancel()
    for button in (LEFT, RIGHT):
        edges = [each[0] for each in desk.seen if each[1:] == (button,)]
        assert edges == ["press", "release"] * (len(edges) // 2)
