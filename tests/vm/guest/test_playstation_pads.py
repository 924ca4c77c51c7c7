"""DualSense and DualSense Edge with the kernel's hid-playstation."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from evdev import ecodes as e
from tests.vm.guest.conftest import Plug
from tests.vm.guest.pad_session import PadSession, eventually, upload_rumble

from punktfunk.input.events import (
    ContactPhase,
    LightChanged,
    MotionRequested,
    PadBattery,
    PadKind,
    PadMotion,
    PadTouched,
    PlayerLedsChanged,
    Rumbled,
    TriggerEffect,
)
from punktfunk.input.gamepads.inputs import GRAVITY_MPS2, Button

pytestmark = pytest.mark.vm

NAMES = {
    PadKind.DUALSENSE: ("Sony Interactive Entertainment DualSense Wireless Controller", 0x0CE6),
    PadKind.DUALSENSE_EDGE: ("Sony Interactive Entertainment DualSense Edge Wireless Controller", 0x0DF2),
    PadKind.DUALSHOCK_4: ("Sony Interactive Entertainment Wireless Controller", 0x09CC),
}
KEYS = {
    Button.A: e.BTN_SOUTH,
    Button.B: e.BTN_EAST,
    Button.X: e.BTN_WEST,
    Button.Y: e.BTN_NORTH,
    Button.LEFT_SHOULDER: e.BTN_TL,
    Button.RIGHT_SHOULDER: e.BTN_TR,
    Button.BACK: e.BTN_SELECT,
    Button.START: e.BTN_START,
    Button.GUIDE: e.BTN_MODE,
    Button.LEFT_STICK: e.BTN_THUMBL,
    Button.RIGHT_STICK: e.BTN_THUMBR,
}
TOUCH_HEIGHT = {PadKind.DUALSENSE: 1080, PadKind.DUALSENSE_EDGE: 1080, PadKind.DUALSHOCK_4: 942}


def hid_folder(session: PadSession) -> Path:
    return next(
        folder for folder in session.folders() if "hid" in str(folder.resolve()) or (folder / "driver").exists()
    )


@pytest.mark.parametrize("kind", NAMES)
def test_the_driver_binds_and_makes_everything(plug: Plug, kind: PadKind) -> None:
    session = plug(kind)
    name, product = NAMES[kind]
    pad, motion, touch = (session.node(name + suffix) for suffix in ("", " Motion Sensors", " Touchpad"))
    assert (hid_folder(session) / "driver").resolve().name in {"playstation", "sony"}
    assert (pad.info.bustype, pad.info.vendor, pad.info.product, pad.info.version) == (3, 0x054C, product, 0x8111)
    assert set(pad.capabilities()[e.EV_KEY]) == {*KEYS.values(), e.BTN_TL2, e.BTN_TR2}
    assert e.FF_RUMBLE in pad.capabilities()[e.EV_FF]
    assert motion.absinfo(e.ABS_X).resolution == 8192
    assert motion.absinfo(e.ABS_RX).resolution == 1024
    # hid-sony counts one more than hid-playstation.
    assert touch.absinfo(e.ABS_MT_POSITION_X).max in (1919, 1920)
    assert TOUCH_HEIGHT[kind] - touch.absinfo(e.ABS_MT_POSITION_Y).max in (0, 1)
    leds = (
        ("red", "green", "blue")
        if kind is PadKind.DUALSHOCK_4
        else ("rgb:indicator", "white:player-1", "white:player-5")
    )
    for led in leds:
        assert list(hid_folder(session).glob(f"leds/*:{led}"))
    assert list(hid_folder(session).glob("power_supply/*"))
    assert {MotionRequested(0, sensor, 250) for sensor in (1, 2)} <= set(session.feedback)


@pytest.mark.parametrize("kind", NAMES)
def test_every_button_and_axis_arrives(plug: Plug, kind: PadKind) -> None:
    session = plug(kind)
    pad = session.node(NAMES[kind][0])
    for button, key in KEYS.items():
        session.state(button)
        session.only_key(pad, key)
    for button, axis, value in (
        (Button.UP, e.ABS_HAT0Y, -1),
        (Button.DOWN, e.ABS_HAT0Y, 1),
        (Button.LEFT, e.ABS_HAT0X, -1),
        (Button.RIGHT, e.ABS_HAT0X, 1),
    ):
        session.state(button)
        session.wait_axis(pad, axis, value)
    session.state(left_trigger=255, right_trigger=7, left_x=32767, left_y=32767, right_x=-32768, right_y=-32768)
    for axis, value in {
        **{e.ABS_Z: 255, e.ABS_RZ: 7, e.ABS_X: 255, e.ABS_Y: 0, e.ABS_RX: 0, e.ABS_RY: 255},
        **{e.ABS_HAT0X: 0, e.ABS_HAT0Y: 0},
    }.items():
        session.wait_axis(pad, axis, value)
    eventually(lambda: sorted(pad.active_keys()) == [e.BTN_TL2, e.BTN_TR2])
    session.state()
    eventually(lambda: pad.active_keys() == [])
    assert {pad.absinfo(axis).value for axis in (e.ABS_X, e.ABS_Y, e.ABS_RX, e.ABS_RY)} == {128}


@pytest.mark.parametrize("kind", NAMES)
def test_motion_touch_and_battery_are_right_to_the_unit(plug: Plug, kind: PadKind) -> None:
    session = plug(kind)
    name = NAMES[kind][0]
    motion, touch = session.node(f"{name} Motion Sensors"), session.node(f"{name} Touchpad")
    session.handle(PadMotion(0, (100.0, -250.0, 1000.0), (GRAVITY_MPS2, -GRAVITY_MPS2, 2 * GRAVITY_MPS2)))
    for axis, value in {
        **{e.ABS_RX: 100 * 1024, e.ABS_RY: -250 * 1024, e.ABS_RZ: 1000 * 1024},
        **{e.ABS_X: 8192, e.ABS_Y: -8192, e.ABS_Z: 16384},
    }.items():
        session.wait_axis(motion, axis, value)
    session.handle(PadTouched(0, 0, ContactPhase.DOWN, 7, 0.25, 0.5, 1.0))
    eventually(lambda: e.BTN_TOUCH in touch.active_keys())
    session.wait_axis(touch, e.ABS_X, 480)
    session.wait_axis(touch, e.ABS_Y, TOUCH_HEIGHT[kind] // 2)
    session.state(Button.TOUCHPAD)
    eventually(lambda: e.BTN_LEFT in touch.active_keys())
    session.handle(PadTouched(0, 0, ContactPhase.UP, 7))
    session.state()
    eventually(lambda: touch.active_keys() == [])
    supply = next(hid_folder(session).glob("power_supply/*"))
    session.handle(PadBattery(0, 2, 40))
    eventually(lambda: (supply / "capacity").read_text().strip() == "45")
    assert (supply / "status").read_text().strip() == "Discharging"
    session.handle(PadBattery(0, 3, 72))
    eventually(lambda: (supply / "capacity").read_text().strip() == "75")
    assert (supply / "status").read_text().strip() == "Charging"


@pytest.mark.parametrize("kind", NAMES)
def test_rumble_and_lights_come_back(plug: Plug, kind: PadKind) -> None:
    session = plug(kind)
    game = session.node(NAMES[kind][0])
    game.write(e.EV_FF, upload_rumble(game.fd, 0x8000, 0x4000, length_ms=150), 1)
    session.wait_feedback(Rumbled(0, 0x80 * 257, 0x40 * 257))
    eventually(lambda: [each for each in session.feedback if isinstance(each, Rumbled)][-1] == Rumbled(0, 0, 0))
    leds = hid_folder(session) / "leds"
    if kind is PadKind.DUALSHOCK_4:
        for colour, value in (("red", 10), ("green", 200), ("blue", 30)):
            (next(leds.glob(f"*:{colour}")) / "brightness").write_text(str(value))
    else:
        light = next(leds.glob("*:rgb:indicator"))
        (light / "brightness").write_text("255")
        (light / "multi_intensity").write_text("10 200 30")
        for number in range(1, 6):
            (next(leds.glob(f"*:white:player-{number}")) / "brightness").write_text("1" if number in (1, 5) else "0")
        session.wait_feedback(PlayerLedsChanged(0, 0b10001))
    session.wait_feedback(LightChanged(0, 10, 200, 30))


@pytest.mark.parametrize("kind", [PadKind.DUALSENSE, PadKind.DUALSENSE_EDGE])
def test_a_game_sets_the_triggers(plug: Plug, kind: PadKind) -> None:
    session = plug(kind)
    session.node(NAMES[kind][0])
    raw = next(hid_folder(session).glob("hidraw/hidraw*")).name
    right, left = bytes([0x21, *range(1, 11)]), bytes([0x25, *range(11, 21)])
    report = bytearray(48)
    report[0:2] = b"\x02\x0c"
    report[11:22], report[22:33] = right, left
    eventually(lambda: os.path.exists(f"/dev/{raw}"))
    with open(f"/dev/{raw}", "wb", buffering=0) as game:
        game.write(report)
    session.wait_feedback(TriggerEffect(0, 1, 0x21, bytes(range(1, 11))))
    session.wait_feedback(TriggerEffect(0, 0, 0x25, bytes(range(11, 21))))
