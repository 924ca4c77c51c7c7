"""Xbox pads in a real kernel."""

from __future__ import annotations

import evdev
import pytest
from evdev import ecodes as e
from tests.vm.guest.conftest import Plug
from tests.vm.guest.pad_session import erase_effect, eventually, upload_rumble

from punktfunk.input.events import PadKind, Rumbled
from punktfunk.input.gamepads.inputs import Button

pytestmark = pytest.mark.vm

# As a real pad shows itself on the same kernel: name, product, version, trigger maximum, further keys.
REAL = {
    PadKind.XBOX_360: ("Microsoft X-Box 360 pad", 0x028E, 0x0114, 255, set()),
    PadKind.XBOX_ONE: ("Microsoft Xbox Series S|X Controller", 0x0B12, 0x0509, 1023, {e.KEY_RECORD}),
    PadKind.XBOX_ELITE: (
        "Microsoft X-Box One Elite 2 pad",
        0x0B00,
        0x0407,
        1023,
        set(range(e.BTN_TRIGGER_HAPPY5, e.BTN_TRIGGER_HAPPY8 + 1)),
    ),
}
COMMON_KEYS = {
    *(e.BTN_A, e.BTN_B, e.BTN_X, e.BTN_Y, e.BTN_TL, e.BTN_TR, e.BTN_SELECT, e.BTN_START, e.BTN_MODE),
    *(e.BTN_THUMBL, e.BTN_THUMBR),
}
KEYS = {
    Button.A: e.BTN_A,
    Button.B: e.BTN_B,
    Button.X: e.BTN_X,
    Button.Y: e.BTN_Y,
    Button.LEFT_SHOULDER: e.BTN_TL,
    Button.RIGHT_SHOULDER: e.BTN_TR,
    Button.BACK: e.BTN_SELECT,
    Button.START: e.BTN_START,
    Button.GUIDE: e.BTN_MODE,
    Button.LEFT_STICK: e.BTN_THUMBL,
    Button.RIGHT_STICK: e.BTN_THUMBR,
}
EXTRA_KEYS = {
    PadKind.XBOX_360: {},
    PadKind.XBOX_ONE: {Button.MISC: e.KEY_RECORD},
    PadKind.XBOX_ELITE: {
        Button.PADDLE_R4: e.BTN_TRIGGER_HAPPY5,
        Button.PADDLE_R5: e.BTN_TRIGGER_HAPPY6,
        Button.PADDLE_L4: e.BTN_TRIGGER_HAPPY7,
        Button.PADDLE_L5: e.BTN_TRIGGER_HAPPY8,
    },
}
DIRECTIONS = {
    Button.UP: (e.ABS_HAT0Y, -1),
    Button.DOWN: (e.ABS_HAT0Y, 1),
    Button.LEFT: (e.ABS_HAT0X, -1),
    Button.RIGHT: (e.ABS_HAT0X, 1),
}


@pytest.mark.parametrize("kind", REAL)
def test_capabilities_are_those_of_the_real_pad(plug: Plug, kind: PadKind) -> None:
    name, product, version, trigger_maximum, further_keys = REAL[kind]
    pad = plug(kind).node(name)
    assert (pad.info.bustype, pad.info.vendor, pad.info.product, pad.info.version) == (3, 0x045E, product, version)
    can = pad.capabilities(absinfo=False)
    assert set(can[e.EV_KEY]) == COMMON_KEYS | further_keys
    axes = {code: _range(pad.absinfo(code)) for code in pad.capabilities(absinfo=False)[e.EV_ABS]}
    stick, trigger, hat = (-32768, 32767, 16, 128), (0, trigger_maximum, 0, 0), (-1, 1, 0, 0)
    assert axes == {
        **dict.fromkeys((e.ABS_X, e.ABS_Y, e.ABS_RX, e.ABS_RY), stick),
        **dict.fromkeys((e.ABS_Z, e.ABS_RZ), trigger),
        **dict.fromkeys((e.ABS_HAT0X, e.ABS_HAT0Y), hat),
    }
    assert set(can[e.EV_FF]) == {e.FF_RUMBLE, e.FF_PERIODIC, e.FF_SQUARE, e.FF_TRIANGLE, e.FF_SINE, e.FF_GAIN}
    assert pad.ff_effects_count == 16


def _range(axis: evdev.AbsInfo) -> tuple[int, int, int, int]:
    return axis.min, axis.max, axis.fuzz, axis.flat


@pytest.mark.parametrize("kind", REAL)
def test_every_button_and_axis_arrives(plug: Plug, kind: PadKind) -> None:
    session = plug(kind)
    pad = session.node(REAL[kind][0])
    for button, key in {**KEYS, **EXTRA_KEYS[kind]}.items():
        session.state(button)
        session.only_key(pad, key)
    session.state(0)
    eventually(lambda: pad.active_keys() == [])
    for button, (axis, value) in DIRECTIONS.items():
        session.state(button)
        session.wait_axis(pad, axis, value)
    session.state(left_trigger=255, right_trigger=128, left_x=32767, left_y=32767, right_x=-32768, right_y=-32768)
    maximum = REAL[kind][3]
    for axis, value in {
        **{e.ABS_Z: maximum, e.ABS_RZ: 128 * maximum // 255},
        **{e.ABS_X: 32767, e.ABS_Y: -32768, e.ABS_RX: -32768, e.ABS_RY: 32767},
        **{e.ABS_HAT0X: 0, e.ABS_HAT0Y: 0},
    }.items():
        session.wait_axis(pad, axis, value)


def test_force_feedback_comes_back_with_its_length_and_gain(plug: Plug) -> None:
    session = plug(PadKind.XBOX_360)
    game = session.node("Microsoft X-Box 360 pad")
    effect = upload_rumble(game.fd, 0x8000, 0x4000, length_ms=200)
    game.write(e.EV_FF, e.FF_GAIN, 0xFFFF)
    game.write(e.EV_FF, effect, 1)
    session.wait_feedback(Rumbled(0, 0x8000, 0x4000))
    session.wait_feedback(Rumbled(0, 0, 0))
    game.write(e.EV_FF, effect, 1)
    eventually(lambda: session.feedback[-1] == Rumbled(0, 0x8000, 0x4000))
    erase_effect(game.fd, effect)
    eventually(lambda: session.feedback[-1] == Rumbled(0, 0, 0))


def test_a_game_that_dies_leaves_no_rumble(plug: Plug) -> None:
    session = plug(PadKind.XBOX_360)
    session.node("Microsoft X-Box 360 pad")
    path = session.node("Microsoft X-Box 360 pad").path
    game = evdev.InputDevice(path)
    game.write(e.EV_FF, upload_rumble(game.fd, 0xFFFF, 0xFFFF, length_ms=0), 1)
    session.wait_feedback(Rumbled(0, 0xFFFF, 0xFFFF))
    game.close()
    eventually(lambda: session.feedback[-1] == Rumbled(0, 0, 0))


def test_the_pad_vanishes_with_the_session(plug: Plug) -> None:
    session = plug(PadKind.XBOX_360)
    session.node("Microsoft X-Box 360 pad")
    assert session.folders()
    session.hub.close()
    eventually(lambda: not session.folders())
