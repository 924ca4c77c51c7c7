"""Fingers and pen as evdev events: slots, tools, what is measured, bounds."""

from __future__ import annotations

import random

import pytest

from punktfunk.input import touch_device as t
from punktfunk.input.events import ContactPhase, PenMoved, PenTool, Touched
from punktfunk.input.uinput import EV_ABS, EV_KEY

DOWN, MOVE, UP, HOVER, LEAVE = (
    ContactPhase.DOWN,
    ContactPhase.MOVE,
    ContactPhase.UP,
    ContactPhase.HOVER,
    ContactPhase.LEAVE,
)


class Node:
    """What the kernel would know after these events."""

    def __init__(self) -> None:
        self.keys: set[int] = set()
        self.axes: dict[int, int] = {}
        self.slots: dict[int, dict[int, int]] = {}

    def take(self, events: list[t.Event]) -> None:
        for kind, code, value in events:
            if kind == EV_KEY:
                assert (code in self.keys) != bool(value), f"key {code:#x} is {value} already"
                (self.keys.add if value else self.keys.discard)(code)
            elif code >= t.ABS_MT_SLOT and code != t.ABS_MT_SLOT:
                self.slots.setdefault(self.axes.get(t.ABS_MT_SLOT, 0), {})[code] = value
            else:
                assert kind == EV_ABS
                self.axes[code] = value

    def touching(self) -> dict[int, tuple[int, int]]:
        return {
            number: (slot[t.ABS_MT_POSITION_X], slot[t.ABS_MT_POSITION_Y])
            for number, slot in self.slots.items()
            if slot[t.ABS_MT_TRACKING_ID] >= 0
        }


def test_two_fingers_have_slots_of_their_own() -> None:
    node, fingers = Node(), t.Fingers()
    node.take(fingers.change(Touched(DOWN, 900, 0.0, 1.0, 0.5, 0.1, 0.05, 30)))
    node.take(fingers.change(Touched(DOWN, 7, 1.0, 0.5)))
    node.take(fingers.change(Touched(MOVE, 900, 0.5, 0.5)))
    assert node.touching() == {0: (16384, 16384), 1: (32767, 16384)}
    assert node.keys == {t.BTN_TOUCH}
    node.take(fingers.change(Touched(UP, 900)))
    assert node.touching() == {1: (32767, 16384)}
    node.take(fingers.change(Touched(DOWN, 3, 0.25, 0.0)))
    assert node.touching()[0] == (8192, 0)
    node.take(fingers.release_all())
    assert (node.touching(), node.keys, fingers.count) == ({}, set(), 0)


def test_what_a_finger_measures() -> None:
    events = t.Fingers().change(Touched(DOWN, 1, 0.5, 0.5, 1.0, 0.5, 0.25, 135))
    for code, value in {
        t.ABS_MT_PRESSURE: t.PRESSURE_RANGE,
        t.ABS_MT_TOUCH_MAJOR: 16384,
        t.ABS_MT_TOUCH_MINOR: 8192,
        t.ABS_MT_ORIENTATION: -45,
    }.items():
        assert (EV_ABS, code, value) in events


def test_a_finger_too_many_is_not_there() -> None:
    node, fingers = Node(), t.Fingers()
    for finger in range(3 * t.MAX_FINGERS):
        node.take(fingers.change(Touched(DOWN, finger, 0.5, 0.5)))
    assert len(node.touching()) == fingers.count == t.MAX_FINGERS
    assert fingers.change(Touched(MOVE, t.MAX_FINGERS + 1, 0.1, 0.1)) == []


def test_a_pen_hovers_draws_and_leaves() -> None:
    node, pen = Node(), t.Pen()

    def do(event: PenMoved) -> None:
        for frame in pen.change(event):
            node.take(frame)

    do(PenMoved(HOVER, PenTool.PEN, 0.5, 0.25, distance=0.5))
    assert node.keys == {t.BTN_TOOL_PEN}
    assert (node.axes[t.ABS_DISTANCE], node.axes[t.ABS_PRESSURE]) == (512, 0)
    do(PenMoved(DOWN, PenTool.PEN, 0.5, 0.25, 0.75, tilt=45, rotation=90, buttons=3, roll=270))
    assert node.keys == {t.BTN_TOOL_PEN, t.BTN_TOUCH, t.BTN_STYLUS, t.BTN_STYLUS2}
    assert (node.axes[t.ABS_X], node.axes[t.ABS_Y], node.axes[t.ABS_PRESSURE]) == (16384, 8192, 6143)
    assert (node.axes[t.ABS_TILT_X], node.axes[t.ABS_TILT_Y], node.axes[t.ABS_Z]) == (45, 0, -90)
    assert node.axes[t.ABS_DISTANCE] == 0
    do(PenMoved(ContactPhase.BUTTONS, PenTool.PEN, 0.0, 0.0, buttons=4))
    assert node.keys == {t.BTN_TOOL_PEN, t.BTN_TOUCH, t.BTN_STYLUS3}
    assert node.axes[t.ABS_X] == 16384
    do(PenMoved(UP, PenTool.PEN, 0.5, 0.25))
    assert node.keys == {t.BTN_TOOL_PEN}
    do(PenMoved(LEAVE, PenTool.PEN, 0.5, 0.25))
    assert (node.keys, pen.in_range) == (set(), False)


def test_the_other_end_comes_after_this_one_has_left() -> None:
    pen = t.Pen()
    pen.change(PenMoved(DOWN, PenTool.PEN, 0.5, 0.5, 1.0, buttons=1))
    away, here = pen.change(PenMoved(DOWN, PenTool.ERASER, 0.5, 0.5, 1.0))
    assert away == [
        (EV_KEY, t.BTN_STYLUS, 0),
        (EV_ABS, t.ABS_PRESSURE, 0),
        (EV_KEY, t.BTN_TOUCH, 0),
        (EV_KEY, t.BTN_TOOL_PEN, 0),
    ]
    assert here[0] == (EV_KEY, t.BTN_TOOL_RUBBER, 1)
    assert here[-1] == (EV_KEY, t.BTN_TOUCH, 1)


@pytest.mark.parametrize(
    ("tilt", "azimuth", "expected"),
    [
        (0, 123, (0, 0)),
        (30, 0, (0, -30)),
        (30, 90, (30, 0)),
        (30, 180, (0, 30)),
        (60, 270, (-60, 0)),
        (45, 45, (35, -35)),
    ],
)
def test_tilt_and_direction_become_two_axes(tilt: int, azimuth: int, expected: tuple[int, int]) -> None:
    assert t.tilt_axes(tilt, azimuth) == expected


def test_any_order_of_events_keeps_the_kernels_rules_and_ends_released() -> None:
    generator = random.Random(11)
    node, fingers, pen, paper = Node(), t.Fingers(), t.Pen(), Node()
    for _ in range(20_000):
        x, y = generator.random(), generator.random()
        phase = generator.choice(list(ContactPhase))
        node.take(fingers.change(Touched(phase, generator.randrange(40), x, y)))
        tool, buttons = generator.choice(list(PenTool)), generator.randrange(8)
        for frame in pen.change(PenMoved(phase, tool, x, y, generator.random(), tilt=90, rotation=1, buttons=buttons)):
            paper.take(frame)
    node.take(fingers.release_all())
    for frame in pen.release_all():
        paper.take(frame)
    assert (node.keys, node.touching(), paper.keys) == (set(), {}, set())
