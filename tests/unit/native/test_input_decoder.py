"""Input datagrams to neutral events: every kind, sequence rules, grants, release."""

from __future__ import annotations

from typing import Any

import pytest

from punktfunk.input import events as e
from punktfunk.native.access import Access
from punktfunk.native.input_decoder import MAX_HELD, InputDecoder
from punktfunk.wire.punktfunk1 import rich_input as r
from punktfunk.wire.punktfunk1.caps import ALL_GRANTS, Grants
from punktfunk.wire.punktfunk1.enums import Gamepad
from punktfunk.wire.punktfunk1.input_event import InputEvent, InputKind, PadSnapshot

K = InputKind
HD = 1920 << 16 | 1080


@pytest.fixture
def decoder() -> InputDecoder:
    return InputDecoder(Access())


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (InputEvent(K.KEY_DOWN, 0x41), [e.KeyChanged(30, True)]),
        (InputEvent(K.KEY_UP, 0x8000_0041, flags=1 << 31), [e.KeyChanged(30, False)]),
        (InputEvent(K.KEY_DOWN, 0x07), []),
        (InputEvent(K.MOUSE_MOVE, 0, 3, -4), [e.PointerMoved(3, -4)]),
        (InputEvent(K.MOUSE_MOVE, 0, 2**31 - 1, -(2**31)), [e.PointerMoved(32767, -32767)]),
        (InputEvent(K.MOUSE_MOVE_ABS, 0, 960, 270, HD), [e.PointerPlaced(0.5, 0.25)]),
        (InputEvent(K.MOUSE_MOVE_ABS, 0, -5, 5000, HD), [e.PointerPlaced(0.0, 1.0)]),
        (InputEvent(K.MOUSE_MOVE_ABS, 0, 1, 1, 1080), []),
        (InputEvent(K.MOUSE_BUTTON_DOWN, 1), [e.ButtonChanged(0x110, True)]),
        (InputEvent(K.MOUSE_BUTTON_UP, 3), [e.ButtonChanged(0x111, False)]),
        (InputEvent(K.MOUSE_BUTTON_DOWN, 2), [e.ButtonChanged(0x112, True)]),
        (InputEvent(K.MOUSE_BUTTON_DOWN, 5), [e.ButtonChanged(0x114, True)]),
        (InputEvent(K.MOUSE_BUTTON_DOWN, 6), []),
        (InputEvent(K.MOUSE_SCROLL, 0, -120), [e.Scrolled(vertical=-120)]),
        (InputEvent(K.MOUSE_SCROLL, 1, 60), [e.Scrolled(horizontal=60)]),
        (InputEvent(K.MOUSE_SCROLL, 2, 60), []),
        (InputEvent(K.SCROLL, 0, 120 << 8, 0, 1), [e.Scrolled(vertical=120)]),
        (InputEvent(K.SCROLL, 0, 30 << 8, 0, 2), [e.Scrolled(vertical=60)]),
        (InputEvent(K.SCROLL, 1, 0, 0, 0x0302), []),
        (InputEvent(K.TOUCH_DOWN, 7, 960, 540, HD), [e.Touched(e.ContactPhase.DOWN, 7, 0.5, 0.5)]),
        (InputEvent(K.TOUCH_UP, 7), []),
        (InputEvent(K.TEXT_INPUT, 0x1F600), [e.TextTyped("\U0001f600")]),
        (InputEvent(K.TEXT_INPUT, 0x08), []),
        (InputEvent(K.TEXT_INPUT, 0xD800), []),
        (InputEvent(K.TEXT_INPUT, 0x110000), []),
        (InputEvent(K.GAMEPAD_AXIS, 9, 1), [e.PadArrived(0, e.PadKind.AUTO, 3)]),
        (InputEvent(K.GAMEPAD_STATE, 0, 0, 0, 16), []),
        (InputEvent(None), []),
    ],
    ids=repr,
)
def test_one_event(decoder: InputDecoder, event: InputEvent, expected: list[e.InputEvent]) -> None:
    assert decoder.event(event) == expected


def test_fine_scroll_keeps_what_is_less_than_a_unit(decoder: InputDecoder) -> None:
    steps = [decoder.event(InputEvent(K.SCROLL, 0, 64, 0, 1)) for _ in range(8)]
    assert sum(s.vertical for events in steps for s in events if isinstance(s, e.Scrolled)) == 2


def test_touch_phases(decoder: InputDecoder) -> None:
    phases = [
        event.phase
        for kind in (K.TOUCH_DOWN, K.TOUCH_MOVE, K.TOUCH_UP, K.TOUCH_MOVE)
        for event in decoder.event(InputEvent(kind, 1, 1, 1, HD))
        if isinstance(event, e.Touched)
    ]
    assert [p.value for p in phases] == ["down", "move", "up", "down"]


def snapshot(seq: int, buttons: int = 0, pad: int = 0) -> InputEvent:
    return PadSnapshot(pad, seq, buttons, left_x=-5, right_y=7, left_trigger=9).event()


def test_snapshots_apply_only_forward(decoder: InputDecoder) -> None:
    first = decoder.event(snapshot(250, 0x1000))
    assert first == [e.PadArrived(0, e.PadKind.AUTO, 3), e.PadState(0, 0x1000, 9, 0, -5, 0, 0, 7)]
    assert decoder.event(snapshot(250, 1)) == []
    assert decoder.event(snapshot(249, 1)) == []
    assert decoder.event(snapshot(3, 2)) == [e.PadState(0, 2, 9, 0, -5, 0, 0, 7)]
    assert decoder.event(snapshot(250, 1)) == []


def test_removal_shares_the_sequence_and_stragglers_stay_out(decoder: InputDecoder) -> None:
    decoder.event(snapshot(5))
    remove = InputEvent(K.GAMEPAD_REMOVE, flags=7 << 24)
    assert decoder.event(remove) == [e.PadRemoved(0)]
    assert decoder.event(remove) == []
    assert decoder.event(snapshot(6)) == []
    assert [type(x) for x in decoder.event(snapshot(8))] == [e.PadArrived, e.PadState]


def test_arrival_names_the_kind_and_repeats_are_silent() -> None:
    decoder = InputDecoder(Access(), Gamepad.DUALSENSE)
    arrival = InputEvent(K.GAMEPAD_ARRIVAL, Gamepad.SWITCH_PRO, flags=1 | 1 << 8)
    arrived = decoder.event(arrival)
    assert [(a.pad, a.kind) for a in arrived if isinstance(a, e.PadArrived)] == [(1, e.PadKind.SWITCH_PRO)]
    assert decoder.event(arrival) == []
    default = decoder.event(snapshot(0))[0]
    assert isinstance(default, e.PadArrived)
    assert default.kind is e.PadKind.DUALSENSE
    unknown = decoder.event(InputEvent(K.GAMEPAD_ARRIVAL, 200, flags=2))[0]
    assert isinstance(unknown, e.PadArrived)
    assert unknown.kind is e.PadKind.DUALSENSE


def test_buttons_and_axes_one_by_one(decoder: InputDecoder) -> None:
    decoder.event(InputEvent(K.GAMEPAD_BUTTON, 0x1000, 1, 0, 2))
    decoder.event(InputEvent(K.GAMEPAD_AXIS, 1, 99_999, 0, 2))
    decoder.event(InputEvent(K.GAMEPAD_AXIS, 5, 300, 0, 2))
    assert decoder.event(InputEvent(K.GAMEPAD_BUTTON, 0x1000, 0, 0, 2)) == [
        e.PadState(2, 0, right_trigger=255, left_y=32767)
    ]


def test_pad_touch_motion_and_raw_reports(decoder: InputDecoder) -> None:
    down = decoder.rich(r.Touchpad(0, 1, True, 0, 0xFFFF), 0.0)
    assert down[-1] == e.PadTouched(0, 0, e.ContactPhase.DOWN, 1, 0.0, 1.0)
    move = decoder.rich(r.TouchpadEx(0, 1, 1, True, True, -32768, 32767, 0xFFFF), 0.0)
    assert move == [e.PadTouched(0, 0, e.ContactPhase.MOVE, 1, 0.0, 1.0, 1.0, True)]
    up = decoder.rich(r.Touchpad(0, 1, False, 0, 0), 0.0)
    assert up == [e.PadTouched(0, 0, e.ContactPhase.UP, 1, 0.0, 0.0)]
    assert decoder.rich(r.Touchpad(0, 5, True, 0, 0), 0.0) == []
    motion = decoder.rich(r.Motion(0, (20, -40, 0), (0, 10_000, 0)), 0.0)
    assert motion == [e.PadMotion(0, (1.0, -2.0, 0.0), (0.0, 9.80665, 0.0))]
    assert decoder.rich(r.RawReport(0, b"\1"), 0.0) == []
    assert decoder.rich(r.UnknownRich(9), 0.0) == []
    assert (decoder.statistics.undelivered, decoder.statistics.unknown) == (1, 1)


def pen(seq: int, *states: int) -> r.PenBatch:
    return r.PenBatch(seq, tuple(r.PenSample(state, 0, 0.5, 0.5, pressure=0xFFFF) for state in states))


def phases(events: list[Any]) -> list[str]:
    return [event.phase.value for event in events]


def test_pen_life(decoder: InputDecoder) -> None:
    assert phases(decoder.rich(pen(0, 1, 3, 3, 0x83, 1, 0), 0.0)) == ["hover", "down", "move", "up", "leave"]
    assert decoder.rich(pen(0, 1), 0.1) == []
    assert decoder.rich(pen(0x8000, 1), 0.1) == []
    assert phases(decoder.rich(pen(1, 7), 0.2)) == ["down"]
    assert decoder.deadline == pytest.approx(0.4)
    assert decoder.expire(0.39) == []
    assert phases(decoder.expire(0.4)) == ["leave"]
    assert decoder.deadline is None


@pytest.mark.parametrize(
    ("grants", "passing"),
    [(Grants.GAMEPAD, 2), (Grants.POINTER, 3), (Grants.KEYBOARD, 2), (Grants.NONE, 0), (ALL_GRANTS, 7)],
)
def test_each_class_needs_its_grant(grants: Grants, passing: int) -> None:
    decoder = InputDecoder(Access(grants))
    results = [
        decoder.event(InputEvent(K.KEY_DOWN, 0x41)),
        decoder.event(InputEvent(K.TEXT_INPUT, 0x41)),
        decoder.event(InputEvent(K.MOUSE_MOVE, 0, 1, 1)),
        decoder.event(InputEvent(K.TOUCH_DOWN, 1, 1, 1, HD)),
        decoder.rich(pen(0, 3), 0.0),
        decoder.event(snapshot(0)),
        decoder.rich(r.Motion(0, (0, 0, 0), (0, 0, 0)), 0.0),
    ]
    assert sum(bool(events) for events in results) == passing
    assert decoder.statistics.forbidden == 7 - passing


def test_everything_held_is_released(decoder: InputDecoder) -> None:
    for event in (
        InputEvent(K.KEY_DOWN, 0x41),
        InputEvent(K.MOUSE_BUTTON_DOWN, 1),
        InputEvent(K.TOUCH_DOWN, 3, 1, 1, HD),
        snapshot(0),
    ):
        decoder.event(event)
    decoder.rich(pen(0, 3), 0.0)
    kinds = [type(event).__name__ for event in decoder.release(ALL_GRANTS)]
    assert kinds == ["KeyChanged", "ButtonChanged", "Touched", "PenMoved", "PadRemoved"]
    assert decoder.release(ALL_GRANTS) == []


def test_held_state_is_bounded(decoder: InputDecoder) -> None:
    downs = [decoder.event(InputEvent(K.TOUCH_DOWN, i, 1, 1, HD)) for i in range(10_000)]
    assert sum(map(bool, downs)) == MAX_HELD
    assert len(decoder.release(ALL_GRANTS)) == MAX_HELD


def test_a_pad_that_says_auto_is_of_the_sessions_kind() -> None:
    decoder = InputDecoder(Access(), Gamepad.SWITCH_PRO)
    (arrived,) = decoder.event(InputEvent(InputKind.GAMEPAD_ARRIVAL, Gamepad.AUTO))
    assert isinstance(arrived, e.PadArrived)
    assert arrived.kind is e.PadKind.SWITCH_PRO
