"""Switch Pro Controller with the kernel's hid-nintendo."""

from __future__ import annotations

import select
from collections.abc import Callable

import evdev
import pytest
from evdev import ecodes as e
from tests.vm.guest.clients import Client, MoonlightClient, NativeClient
from tests.vm.guest.conftest import Plug
from tests.vm.guest.pad_session import eventually
from tests.vm.guest.real_pads import REAL

from punktfunk.input.events import PadKind
from punktfunk.input.gamepads.inputs import GRAVITY_MPS2, Button

pytestmark = pytest.mark.vm

PAD, IMU = (node.name for node in REAL[PadKind.SWITCH_PRO].nodes)


def test_no_press_is_lost_between_two_reports(plug: Plug) -> None:
    session = plug(PadKind.SWITCH_PRO)
    pad = session.node(PAD)
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


@pytest.mark.parametrize("client", [MoonlightClient, NativeClient])
def test_motion_is_on_the_pads_own_axes(plug: Plug, client: Callable[..., Client]) -> None:
    session = plug(PadKind.SWITCH_PRO, client)
    motion = session.node(IMU)
    session.client.motion((10.0, 20.0, 30.0), (GRAVITY_MPS2 / 2, GRAVITY_MPS2, GRAVITY_MPS2 / 4))
    for axis, value, tolerance in (
        (e.ABS_X, -1024, 10),
        (e.ABS_Y, -2048, 10),
        (e.ABS_Z, 4096, 10),
        (e.ABS_RX, -30 * 14247, 600),
        (e.ABS_RY, -10 * 14247, 600),
        (e.ABS_RZ, 20 * 14247, 600),
    ):
        session.wait_axis(motion, axis, value, tolerance)


def test_the_battery_is_the_players(plug: Plug) -> None:
    session = plug(PadKind.SWITCH_PRO, MoonlightClient)
    session.node(PAD)
    supply = eventually(lambda: next(session.hid_folder().glob("power_supply/*"), None))
    for state, percent, level, status in (
        (2, 50, "Normal", "Discharging"),
        (2, 3, "Critical", "Discharging"),
        (3, 25, "Low", "Charging"),
        (5, 100, "Full", "Full"),
    ):
        session.client.battery(state, percent)
        eventually(lambda wanted=level: (supply / "capacity_level").read_text().strip() == wanted)  # type: ignore[misc]
        assert (supply / "status").read_text().strip() == status
