"""Steam Controller and Steam Deck with the kernel's hid-steam."""

from __future__ import annotations

import fcntl
import os
import time

import pytest
from evdev import ecodes as e
from tests.vm.guest.conftest import Plug
from tests.vm.guest.pad_session import KNOWS_THE_DECK, PadSession, eventually

from punktfunk.input.events import ContactPhase, PadKind, PadMotion, PadTouched, Rumbled
from punktfunk.input.gamepads.inputs import GRAVITY_MPS2, Button

pytestmark = pytest.mark.vm

COMMON_KEYS = {
    Button.A: e.BTN_A,
    Button.B: e.BTN_B,
    Button.X: e.BTN_X,
    Button.Y: e.BTN_Y,
    Button.UP: e.BTN_DPAD_UP,
    Button.DOWN: e.BTN_DPAD_DOWN,
    Button.LEFT: e.BTN_DPAD_LEFT,
    Button.RIGHT: e.BTN_DPAD_RIGHT,
    Button.LEFT_SHOULDER: e.BTN_TL,
    Button.RIGHT_SHOULDER: e.BTN_TR,
    Button.BACK: e.BTN_SELECT,
    Button.GUIDE: e.BTN_MODE,
    Button.LEFT_STICK: e.BTN_THUMBL,
    Button.RIGHT_STICK: e.BTN_THUMBR,
    Button.START: e.BTN_START,
}
FURTHER_KEYS = {
    PadKind.STEAM_CONTROLLER: {Button.PADDLE_L4: e.BTN_GEAR_DOWN, Button.PADDLE_R4: e.BTN_GEAR_UP},
    PadKind.STEAM_DECK: {
        Button.PADDLE_L4: e.BTN_TRIGGER_HAPPY1,
        Button.PADDLE_R4: e.BTN_TRIGGER_HAPPY2,
        Button.PADDLE_L5: e.BTN_TRIGGER_HAPPY3,
        Button.PADDLE_R5: e.BTN_TRIGGER_HAPPY4,
        Button.MISC: e.BTN_BASE,
        Button.TOUCHPAD: e.BTN_THUMB2,
    },
}
needs_deck = pytest.mark.skipif(not KNOWS_THE_DECK, reason="this kernel's hid-steam does not know the Deck")
KINDS = [PadKind.STEAM_CONTROLLER, pytest.param(PadKind.STEAM_DECK, marks=needs_deck)]
NAMES = {PadKind.STEAM_CONTROLLER: ("Steam Controller", 0x1102), PadKind.STEAM_DECK: ("Steam Deck", 0x1205)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_button_arrives(plug: Plug, kind: PadKind) -> None:
    session = plug(kind)
    name, product = NAMES[kind]
    pad = session.node(name)
    assert (session.folders()[0] / "driver").resolve().name == "hid-steam"
    assert (pad.info.bustype, pad.info.vendor, pad.info.product) == (3, 0x28DE, product)
    for button, key in {**COMMON_KEYS, **FURTHER_KEYS[kind]}.items():
        session.state(button)
        session.only_key(pad, key)
    session.state(left_trigger=255, right_trigger=255)
    eventually(lambda: sorted(pad.active_keys()) == [e.BTN_TL2, e.BTN_TR2])
    session.state()
    eventually(lambda: pad.active_keys() == [])


@pytest.mark.parametrize("kind", KINDS)
def test_every_axis_arrives(plug: Plug, kind: PadKind) -> None:
    session = plug(kind)
    pad = session.node(NAMES[kind][0])
    full = 255 if kind is PadKind.STEAM_CONTROLLER else 32767
    session.state(left_trigger=255, left_x=32767, left_y=32767, right_x=-32768, right_y=-32768)
    for axis, value in {
        **{e.ABS_X: 32767, e.ABS_Y: -32767, e.ABS_RX: -32767, e.ABS_RY: 32767},
        **{e.ABS_HAT2Y: full, e.ABS_HAT2X: 0},
    }.items():
        session.wait_axis(pad, axis, value)
    session.state()
    session.handle(PadTouched(0, 0, ContactPhase.DOWN, 1, 0.75, 0.25))
    session.wait_axis(pad, e.ABS_HAT0X, 16384, tolerance=1)
    sign = -1 if kind is PadKind.STEAM_CONTROLLER else 1
    session.wait_axis(pad, e.ABS_HAT0Y, sign * 16384, tolerance=1)
    session.handle(PadTouched(0, 1, ContactPhase.DOWN, 2, 0.25, 0.25))
    right_x = e.ABS_RX if kind is PadKind.STEAM_CONTROLLER else e.ABS_HAT1X
    session.wait_axis(pad, right_x, -16384, tolerance=1)
    session.handle(PadTouched(0, 0, ContactPhase.CANCEL_ALL, 0))
    session.wait_axis(pad, e.ABS_HAT0X, 0)
    session.wait_axis(pad, right_x, 0)


@needs_deck
def test_the_decks_motion(plug: Plug) -> None:
    session = plug(PadKind.STEAM_DECK)
    motion = session.node("Steam Deck Motion Sensors")
    session.handle(PadMotion(0, (125.0, -250.0, 500.0), (GRAVITY_MPS2 / 2, GRAVITY_MPS2, -GRAVITY_MPS2)))
    for axis, value in {
        **{e.ABS_X: 8192, e.ABS_Y: 16384, e.ABS_Z: -16384},
        **{e.ABS_RX: 2048, e.ABS_RY: -4096, e.ABS_RZ: 8192},
    }.items():
        session.wait_axis(motion, axis, value, tolerance=1)


@needs_deck
def test_the_deck_wakes_again_after_a_long_press_of_the_menu_button(plug: Plug) -> None:
    session = plug(PadKind.STEAM_DECK)
    pad = session.node("Steam Deck")
    session.state(Button.A)
    session.only_key(pad, e.BTN_A)
    session.state(Button.START)
    session.only_key(pad, e.BTN_START)
    # The driver falls into lizard mode during this press; what it last showed stays until it wakes.
    time.sleep(0.7)
    session.state(Button.B)
    session.only_key(pad, e.BTN_B)


@needs_deck
def test_steam_rumbles_the_deck_by_a_feature_report(plug: Plug) -> None:
    session = plug(PadKind.STEAM_DECK)
    session.node("Steam Deck")
    with open(_raw(session), "r+b", buffering=0) as steam:
        report = bytes((0, 0xEB, 9, 0, 0, 0, 0x34, 0x12, 0x78, 0x56, 2, 0)).ljust(65, b"\0")
        fcntl.ioctl(steam, 3 << 30 | len(report) << 16 | ord("H") << 8 | 0x06, bytearray(report))
    session.wait_feedback(Rumbled(0, 0x1234, 0x5678))


@pytest.mark.skipif(KNOWS_THE_DECK, reason="this kernel knows the Deck")
def test_a_deck_that_the_kernel_does_not_know_becomes_a_dualsense(plug: Plug) -> None:
    session = plug(PadKind.STEAM_DECK)
    session.state(Button.A)
    eventually(lambda: session.hub.kinds() == {0: PadKind.DUALSENSE})
    session.only_key(session.node("Sony Interactive Entertainment DualSense Wireless Controller"), e.BTN_SOUTH)


def _raw(session: PadSession) -> str:
    """Steam's own view: hid-steam makes it on a second HID device with the same place."""
    found = eventually(lambda: [n for folder in session.folders() for n in folder.glob("hidraw/hidraw*")])
    path = f"/dev/{found[0].name}"
    eventually(lambda: os.path.exists(path))
    return path
