"""Switch Pro Controller with the kernel's hid-nintendo."""

from __future__ import annotations

import select

import evdev
import pytest
from evdev import ecodes as e
from tests.vm.guest.conftest import Plug
from tests.vm.guest.pad_session import PadSession, eventually, upload_rumble

from punktfunk.input.events import PadBattery, PadKind, PadMotion, PlayerLedsChanged, Rumbled
from punktfunk.input.gamepads.inputs import GRAVITY_MPS2, Button

pytestmark = pytest.mark.vm

# Older kernels put their own name in place of the device's.
NAMES = {
    "Nintendo Co., Ltd. Pro Controller": "Nintendo Co., Ltd. Pro Controller (IMU)",
    "Nintendo Switch Pro Controller": "Nintendo Switch Pro Controller IMU",
}
# By position: the wire's A is the south button, which Nintendo labels B.
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
    Button.MISC: e.BTN_Z,
}


def gamepad(session: PadSession) -> evdev.InputDevice[str]:
    return session.node(eventually(lambda: [name for name in NAMES if name in session.names()])[0])


def imu(session: PadSession) -> evdev.InputDevice[str]:
    return session.node(eventually(lambda: [name for name in NAMES.values() if name in session.names()])[0])


def test_the_handshake_ends_with_a_whole_pad(plug: Plug) -> None:
    session = plug(PadKind.SWITCH_PRO)
    pad, motion = gamepad(session), imu(session)
    folder = session.folders()[0]
    assert (folder / "driver").resolve().name == "nintendo"
    assert (pad.info.bustype, pad.info.vendor, pad.info.product, pad.info.version) == (3, 0x057E, 0x2009, 0x8111)
    assert set(pad.capabilities()[e.EV_KEY]) == {*KEYS.values(), e.BTN_TL2, e.BTN_TR2}
    stick = pad.absinfo(e.ABS_X)
    assert (stick.min, stick.max, stick.fuzz, stick.flat) == (-32767, 32767, 250, 500)
    assert motion.absinfo(e.ABS_X).resolution == 4096
    assert len(list(folder.glob("leds/*"))) == 5
    assert list(folder.glob("power_supply/*"))


def test_every_button_and_axis_arrives(plug: Plug) -> None:
    session = plug(PadKind.SWITCH_PRO)
    pad = gamepad(session)
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
    session.state(left_trigger=255, left_x=32767, left_y=32767, right_x=-32768, right_y=-32768)
    session.only_key(pad, e.BTN_TL2)
    for axis, value in {e.ABS_X: 32767, e.ABS_Y: -32767, e.ABS_RX: -32767, e.ABS_RY: 32767}.items():
        session.wait_axis(pad, axis, value)
    session.state(right_trigger=64, left_x=-16384)
    session.only_key(pad, e.BTN_TR2)
    session.wait_axis(pad, e.ABS_X, -16384, tolerance=16)


def test_no_press_is_lost_between_two_reports(plug: Plug) -> None:
    session = plug(PadKind.SWITCH_PRO)
    pad = gamepad(session)
    for _ in range(3):
        session.state(Button.A)
        session.state(0)
    presses = [event.value for event in _events_until_quiet(pad) if (event.type, event.code) == (e.EV_KEY, e.BTN_SOUTH)]
    assert presses == [1, 0, 1, 0, 1, 0]


def _events_until_quiet(pad: evdev.InputDevice[str]) -> list[evdev.InputEvent]:
    events: list[evdev.InputEvent] = []
    while select.select([pad], [], [], 0.3)[0]:
        events += pad.read()
    return events


def test_motion_is_on_the_pads_own_axes(plug: Plug) -> None:
    session = plug(PadKind.SWITCH_PRO)
    motion = imu(session)
    session.handle(PadMotion(0, (10.0, 20.0, 30.0), (GRAVITY_MPS2 / 2, GRAVITY_MPS2, GRAVITY_MPS2 / 4)))
    for axis, value, tolerance in (
        (e.ABS_X, -1024, 10),
        (e.ABS_Y, -2048, 10),
        (e.ABS_Z, 4096, 10),
        (e.ABS_RX, -30 * 14247, 600),
        (e.ABS_RY, -10 * 14247, 600),
        (e.ABS_RZ, 20 * 14247, 600),
    ):
        session.wait_axis(motion, axis, value, tolerance)


def test_rumble_lights_and_battery(plug: Plug) -> None:
    session = plug(PadKind.SWITCH_PRO)
    game = gamepad(session)
    game.write(e.EV_FF, upload_rumble(game.fd, 0x8000, 0x4000, length_ms=400), 1)

    def felt() -> bool:
        levels = [each for each in session.feedback if isinstance(each, Rumbled)]
        return any(abs(one.low - 0x8000) < 1200 and abs(one.high - 0x4000) < 1200 for one in levels)

    eventually(felt, "no rumble")
    eventually(lambda: [each for each in session.feedback if isinstance(each, Rumbled)][-1] == Rumbled(0, 0, 0))
    folder = session.folders()[0]
    for number in range(1, 5):
        (next(folder.glob(f"leds/*:green:player-{number}")) / "brightness").write_text("1" if number in (2, 3) else "0")
    session.wait_feedback(PlayerLedsChanged(0, 0b0110))
    supply = next(folder.glob("power_supply/*"))
    session.handle(PadBattery(0, 2, 50))
    eventually(lambda: (supply / "capacity_level").read_text().strip() == "Normal")
    assert (supply / "status").read_text().strip() == "Discharging"
