"""Keyboard and pointer of a window, without the window."""

from __future__ import annotations

import pytest

from punktfunk.client.inputs import InputSender
from punktfunk.client.keys import HID_USAGE_TO_VIRTUAL_KEY
from punktfunk.client.seat import Seat, Shortcut
from punktfunk.input.keymap import VIRTUAL_KEY_TO_EVDEV
from punktfunk.wire.punktfunk1.caps import HostCaps
from punktfunk.wire.punktfunk1.input_event import InputEvent, InputKind, decode_input

A, CTRL, SHIFT, ALT = 4, 224, 225, 226


class Hands:
    """A seat and what it sent."""

    def __init__(self) -> None:
        self._sent: list[bytes] = []
        self.seat = Seat(InputSender(self._sent.append, HostCaps.NONE))

    def sent(self) -> list[InputEvent]:
        events = [decode_input(data) for data in self._sent]
        self._sent.clear()
        return events


@pytest.fixture
def hands() -> Hands:
    return Hands()


def test_every_key_means_something_to_a_host() -> None:
    assert set(HID_USAGE_TO_VIRTUAL_KEY.values()) <= VIRTUAL_KEY_TO_EVDEV.keys()


@pytest.mark.parametrize(
    ("usage", "code", "evdev"),
    [
        *((4, 0x41, 30), (29, 0x5A, 44), (30, 0x31, 2), (39, 0x30, 11), (40, 0x0D, 28), (44, 0x20, 57), (56, 0xBF, 53)),
        *((57, 0x14, 58), (69, 0x7B, 88), (79, 0x27, 106), (82, 0x26, 103), (83, 0x90, 69), (89, 0x61, 79)),
        *((98, 0x60, 82), (99, 0x6E, 83), (100, 0xE2, 86), (224, 0xA2, 29), (228, 0xA3, 97), (231, 0x5C, 126)),
    ],
)
def test_keys_are_where_they_are_on_a_us_keyboard(usage: int, code: int, evdev: int) -> None:
    assert HID_USAGE_TO_VIRTUAL_KEY[usage] == code
    assert VIRTUAL_KEY_TO_EVDEV[code] == evdev


def test_keys_go_down_and_up_once(hands: Hands) -> None:
    for pressed in (True, True, False, False):
        hands.seat.key(A, pressed)
    hands.seat.key(0xFFFF, True)
    assert hands.sent() == [InputEvent(InputKind.KEY_DOWN, 0x41), InputEvent(InputKind.KEY_UP, 0x41)]


@pytest.mark.parametrize("shortcut", Shortcut)
def test_shortcuts_stay_here_and_leave_nothing_held(hands: Hands, shortcut: Shortcut) -> None:
    for usage in (CTRL, SHIFT, ALT):
        assert hands.seat.key(usage, True) is None
    assert hands.seat.key(shortcut.value, True) is shortcut
    events = hands.sent()
    assert [event.kind for event in events] == [InputKind.KEY_DOWN] * 3 + [InputKind.KEY_UP] * 3
    hands.seat.key(shortcut.value, False)
    assert hands.sent() == []


def test_one_shortcut_after_the_other(hands: Hands) -> None:
    for usage in (CTRL, SHIFT, ALT):
        hands.seat.key(usage, True)
    assert hands.seat.key(Shortcut.STATISTICS.value, True) is Shortcut.STATISTICS
    hands.seat.key(Shortcut.STATISTICS.value, False)
    assert hands.seat.key(Shortcut.QUIT.value, True) is Shortcut.QUIT
    hands.seat.release()
    assert hands.seat.key(Shortcut.QUIT.value, True) is None


def test_motion_is_gathered(hands: Hands) -> None:
    for x in range(100):
        hands.seat.motion(1, 0, x, 50, 1280, 720)
    hands.seat.flush()
    hands.seat.flush()
    assert hands.sent() == [InputEvent(InputKind.MOUSE_MOVE_ABS, 0, 99, 50, 1280 << 16 | 720)]


def test_positions_stay_inside_the_picture(hands: Hands) -> None:
    hands.seat.motion(0, 0, -5, 9999, 1280, 720)
    hands.seat.flush()
    (event,) = hands.sent()
    assert (event.x, event.y) == (0, 719)


def test_a_grabbed_pointer_sends_motion(hands: Hands) -> None:
    hands.seat.relative = True
    hands.seat.motion(3, -2, 10, 10, 1280, 720)
    hands.seat.motion(3, -2, 13, 8, 1280, 720)
    hands.seat.flush()
    assert hands.sent() == [InputEvent(InputKind.MOUSE_MOVE, 0, 6, -4)]


def test_a_click_says_again_where_it_is(hands: Hands) -> None:
    hands.seat.motion(0, 0, 7, 8, 1280, 720)
    hands.seat.flush()
    hands.sent()
    hands.seat.button(1, True)
    hands.seat.button(1, False)
    hands.seat.button(9, True)
    place = InputEvent(InputKind.MOUSE_MOVE_ABS, 0, 7, 8, 1280 << 16 | 720)
    down, up = InputEvent(InputKind.MOUSE_BUTTON_DOWN, 1), InputEvent(InputKind.MOUSE_BUTTON_UP, 1)
    assert hands.sent() == [place, down, up]


def test_parts_of_a_notch_add_up(hands: Hands) -> None:
    for _ in range(10):
        hands.seat.wheel(0.0, 0.1)
        hands.seat.flush()
    assert sum(event.x for event in hands.sent()) in (119, 120)


def test_everything_is_released(hands: Hands) -> None:
    hands.seat.key(A, True)
    hands.seat.button(3, True)
    hands.sent()
    hands.seat.release()
    hands.seat.release()
    assert hands.sent() == [InputEvent(InputKind.KEY_UP, 0x41), InputEvent(InputKind.MOUSE_BUTTON_UP, 3)]
