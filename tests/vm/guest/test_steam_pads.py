"""Steam Controller and Steam Deck with the kernel's hid-steam."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from evdev import ecodes as e
from tests.vm.guest.clients import Client, MoonlightClient, NativeClient
from tests.vm.guest.conftest import Plug
from tests.vm.guest.pad_session import KNOWS_THE_DECK, eventually
from tests.vm.guest.real_pads import REAL
from tests.vm.guest.test_capabilities import needs_deck

from punktfunk.input import pad_hub
from punktfunk.input.events import PadKind
from punktfunk.input.gamepads.inputs import GRAVITY_MPS2, Button

pytestmark = pytest.mark.vm

TOUCH_KEYS = {PadKind.STEAM_CONTROLLER: (e.BTN_THUMB, e.BTN_THUMB2), PadKind.STEAM_DECK: ()}
"""The Controller's touchpads tell that they are touched; the Deck's only that they are pressed."""
CLIENTS = [
    *((PadKind.STEAM_CONTROLLER, client) for client in (MoonlightClient, NativeClient)),
    *(pytest.param(PadKind.STEAM_DECK, client, marks=needs_deck) for client in (MoonlightClient, NativeClient)),
]


@pytest.mark.parametrize(("kind", "client"), CLIENTS)
def test_both_touchpads(plug: Plug, kind: PadKind, client: Callable[..., Client]) -> None:
    session = plug(kind, client)
    pad = session.node(REAL[kind].nodes[0].name)
    deck = kind is PadKind.STEAM_DECK
    session.client.touch(True, 0, 0.75, 0.25)
    session.wait_axis(pad, e.ABS_HAT0X, 16384, tolerance=1)
    session.wait_axis(pad, e.ABS_HAT0Y, 16384 if deck else -16384, tolerance=1)
    session.client.touch(True, 1, 0.25, 0.25, surface=1)
    right_x = e.ABS_HAT1X if deck else e.ABS_RX
    session.wait_axis(pad, right_x, -16384, tolerance=1)
    eventually(lambda: {e.BTN_THUMB, e.BTN_THUMB2} & set(pad.active_keys()) == set(TOUCH_KEYS[kind]))
    session.client.touch(False, 0, 0.75, 0.25)
    session.client.touch(False, 1, 0.25, 0.25, surface=1)
    session.wait_axis(pad, e.ABS_HAT0X, 0)
    session.wait_axis(pad, right_x, 0)
    eventually(lambda: pad.active_keys() == [])


@needs_deck
@pytest.mark.parametrize("client", [MoonlightClient, NativeClient])
def test_the_decks_motion(plug: Plug, client: Callable[..., Client]) -> None:
    session = plug(PadKind.STEAM_DECK, client)
    motion = session.node("Steam Deck Motion Sensors")
    session.client.motion((125.0, -250.0, 500.0), (GRAVITY_MPS2 / 2, GRAVITY_MPS2, -GRAVITY_MPS2))
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


def test_a_pad_that_no_driver_takes_becomes_the_nearest_that_works(plug: Plug, monkeypatch: pytest.MonkeyPatch) -> None:
    """On kernels before 6.3 it is the Deck alone, and becomes a DualSense; here the kernel gives drivers to none."""
    monkeypatch.setattr(pad_hub, "DRIVER_PATIENCE_S", 0.3)
    automatic = Path("/sys/bus/hid/drivers_autoprobe")
    automatic.write_text("0")
    try:
        session = plug(PadKind.STEAM_DECK)
        session.client.state(Button.A)
        eventually(lambda: session.hub.kinds() == {0: PadKind.XBOX_360})
        # What the player holds is held there, too.
        session.only_key(session.node(REAL[PadKind.XBOX_360].nodes[0].name), e.BTN_SOUTH)
    finally:
        automatic.write_text("1")


def test_a_deck_that_the_kernel_does_not_know_becomes_a_dualsense(plug: Plug) -> None:
    session = plug(PadKind.STEAM_DECK)
    session.client.state(Button.A)
    kind = PadKind.STEAM_DECK if KNOWS_THE_DECK else PadKind.DUALSENSE
    eventually(lambda: session.hub.kinds() == {0: kind})
    session.only_key(session.node(REAL[kind].nodes[0].name), e.BTN_SOUTH)


def test_the_controllers_stick_and_direction_pad_are_told_together(plug: Plug) -> None:
    session = plug(PadKind.STEAM_CONTROLLER)
    pad = session.node(REAL[PadKind.STEAM_CONTROLLER].nodes[0].name)
    session.client.state(left_x=20000)
    session.wait_axis(pad, e.ABS_X, 20000)
    session.client.state(Button.RIGHT, left_x=20000, left_y=-10000)
    session.wait_axis(pad, e.ABS_HAT0X, 32767)
    session.wait_axis(pad, e.ABS_Y, 10000)
    session.wait_axis(pad, e.ABS_X, 20000)
    session.client.state()
    for axis in (e.ABS_X, e.ABS_Y, e.ABS_HAT0X):
        session.wait_axis(pad, axis, 0)
