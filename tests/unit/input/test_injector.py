from __future__ import annotations

import random

import pytest

from punktfunk.input.events import (
    ButtonChanged,
    ContactPhase,
    KeyChanged,
    PadArrived,
    PadKind,
    PenMoved,
    PenTool,
    PointerMoved,
    PointerPlaced,
    Scrolled,
    TextTyped,
    Touched,
)
from punktfunk.input.injector import MAX_HELD_BUTTONS, DeafInjector, SeatInjector, open_injector
from punktfunk.input.keyboard import MAX_KEY_CODE
from punktfunk.media.video_source import Synthetic, open_source

SHIFT, CTRL, KEY_A = 42, 29, 30
LEFT, RIGHT = 0x110, 0x111


class RecordingSeat:
    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def key(self, code: int, pressed: bool) -> None:
        self.calls.append(("key", code, pressed))

    def text(self, text: str) -> None:
        self.calls.append(("text", text))

    def move_to(self, x: float, y: float) -> None:
        self.calls.append(("to", x, y))

    def move_by(self, dx: int, dy: int) -> None:
        self.calls.append(("by", dx, dy))

    def button(self, code: int, pressed: bool) -> None:
        self.calls.append(("button", code, pressed))

    def scroll(self, right_notches: float, down_notches: float) -> None:
        self.calls.append(("scroll", right_notches, down_notches))

    def size(self) -> tuple[int, int]:
        return 1280, 720


@pytest.fixture
def seat() -> RecordingSeat:
    return RecordingSeat()


def test_key_down_repeats_and_stray_releases_are_dropped(seat: RecordingSeat) -> None:
    injector = SeatInjector(seat)
    for pressed in (False, True, True, False, False):
        injector.inject(KeyChanged(KEY_A, pressed))
    assert seat.calls == [("key", KEY_A, True), ("key", KEY_A, False)]


def test_a_modifier_that_only_the_bits_tell_is_pressed_around_the_key(seat: RecordingSeat) -> None:
    SeatInjector(seat).inject(KeyChanged(KEY_A, True, modifiers=1 | 2 | 8))
    assert seat.calls == [
        ("key", SHIFT, True),
        ("key", CTRL, True),
        ("key", KEY_A, True),
        ("key", CTRL, False),
        ("key", SHIFT, False),
    ]


def test_a_held_modifier_is_not_pressed_again(seat: RecordingSeat) -> None:
    injector = SeatInjector(seat)
    injector.inject(KeyChanged(54, True, modifiers=1))
    injector.inject(KeyChanged(KEY_A, True, modifiers=1))
    assert seat.calls == [("key", 54, True), ("key", KEY_A, True)]


@pytest.mark.parametrize("code", [0, -1, MAX_KEY_CODE + 1, 70000])
def test_keys_without_a_place_in_a_keymap_are_dropped(seat: RecordingSeat, code: int) -> None:
    SeatInjector(seat).inject(KeyChanged(code, True))
    assert seat.calls == []


def test_positions_are_clamped_into_the_picture(seat: RecordingSeat) -> None:
    injector = SeatInjector(seat)
    injector.inject(PointerPlaced(0.5, 0.25))
    injector.inject(PointerPlaced(1.0, 7.0))
    injector.inject(PointerPlaced(-3.0, 0.0))
    assert seat.calls == [("to", 640.0, 180.0), ("to", 1279, 719), ("to", 0.0, 0.0)]


def test_scrolling_up_turns_the_wheel_away(seat: RecordingSeat) -> None:
    injector = SeatInjector(seat)
    injector.inject(Scrolled(horizontal=120, vertical=60))
    assert seat.calls == [("scroll", 1.0, -0.5)]


def test_text_and_relative_motion_pass(seat: RecordingSeat) -> None:
    injector = SeatInjector(seat)
    injector.inject(TextTyped("ü"))
    injector.inject(PointerMoved(3, -4))
    assert seat.calls == [("text", "ü"), ("by", 3, -4)]


def test_release_all_releases_what_is_held_and_only_once(seat: RecordingSeat) -> None:
    injector = SeatInjector(seat)
    injector.inject(KeyChanged(KEY_A, True))
    injector.inject(ButtonChanged(RIGHT, True))
    injector.inject(Touched(ContactPhase.DOWN, 1, 0.1, 0.1))
    injector.inject(Touched(ContactPhase.MOVE, 1, 0.3, 0.1))
    seat.calls.clear()
    injector.release_all()
    injector.release_all()
    assert seat.calls == [("button", LEFT, False), ("key", KEY_A, False), ("button", RIGHT, False)]


def test_a_finger_taps(seat: RecordingSeat) -> None:
    injector = SeatInjector(seat)
    injector.inject(Touched(ContactPhase.DOWN, 7, 0.5, 0.5))
    injector.inject(Touched(ContactPhase.UP, 7))
    assert seat.calls == [("to", 640.0, 360.0), ("button", LEFT, True), ("button", LEFT, False)]


def test_the_pen_draws_with_the_left_button(seat: RecordingSeat) -> None:
    injector = SeatInjector(seat)
    injector.inject(PenMoved(ContactPhase.HOVER, PenTool.PEN, 0.0, 0.0, buttons=1))
    injector.inject(PenMoved(ContactPhase.DOWN, PenTool.PEN, 0.0, 0.0))
    injector.inject(PenMoved(ContactPhase.LEAVE, PenTool.PEN, 0.0, 0.0))
    buttons = [call for call in seat.calls if call[0] == "button"]
    assert buttons == [
        ("button", RIGHT, True),
        ("button", RIGHT, False),
        ("button", LEFT, True),
        ("button", LEFT, False),
    ]


def test_pads_are_not_for_a_seat(seat: RecordingSeat) -> None:
    SeatInjector(seat).inject(PadArrived(0, PadKind.XBOX_360))
    assert seat.calls == []


def test_flood_of_keys_and_buttons_holds_a_bounded_number_and_all_are_released(seat: RecordingSeat) -> None:
    generator = random.Random(3)
    injector = SeatInjector(seat)
    for _ in range(20_000):
        injector.inject(KeyChanged(generator.randrange(-5, 70_000), True))
        injector.inject(ButtonChanged(generator.randrange(0, 70_000), True))
        injector.inject(ButtonChanged(generator.randrange(0x100, 0x120), True))
    assert len(injector._keyboard._held) <= MAX_KEY_CODE
    assert len(injector._buttons) <= MAX_HELD_BUTTONS
    injector.release_all()
    down = [call[:2] for call in seat.calls if call[2]]
    assert sorted(down, key=str) == sorted((call[:2] for call in seat.calls if not call[2]), key=str)


def test_the_test_pattern_takes_no_input() -> None:
    source = open_source(Synthetic())
    injector = open_injector(source)
    assert isinstance(injector, DeafInjector)
    injector.inject(KeyChanged(KEY_A, True))
    injector.release_all()


def test_buttons_that_somebody_else_left_down_are_released(seat: RecordingSeat) -> None:
    injector = SeatInjector(seat)
    injector.inject(ButtonChanged(LEFT, True))
    seat.calls.clear()
    injector.release_strays()
    assert seat.calls == [("button", RIGHT, False), ("button", 0x112, False)]
