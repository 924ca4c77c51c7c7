"""What PlayStation pads have beyond buttons: motion, touchpad, battery, and buttons that the kernel has no key for."""

from __future__ import annotations

import select
from collections.abc import Callable

import pytest
from evdev import ecodes as e
from tests.vm.guest.clients import Client, MoonlightClient, NativeClient
from tests.vm.guest.conftest import Plug
from tests.vm.guest.pad_session import eventually
from tests.vm.guest.real_pads import REAL

from punktfunk.input.events import PadKind
from punktfunk.input.gamepads.inputs import GRAVITY_MPS2, Button

pytestmark = pytest.mark.vm

TOUCH_HEIGHT = {PadKind.DUALSENSE: 1080, PadKind.DUALSENSE_EDGE: 1080, PadKind.DUALSHOCK_4: 942}
CLIENTS = [(kind, client) for kind in TOUCH_HEIGHT for client in (MoonlightClient, NativeClient)]


@pytest.mark.parametrize(("kind", "client"), CLIENTS)
def test_motion_and_touch_are_right_to_the_unit(plug: Plug, kind: PadKind, client: Callable[..., Client]) -> None:
    session = plug(kind, client)
    name = REAL[kind].nodes[0].name
    motion, touch = session.node(f"{name} Motion Sensors"), session.node(f"{name} Touchpad")
    session.client.motion((100.0, -250.0, 1000.0), (GRAVITY_MPS2, -GRAVITY_MPS2, 2 * GRAVITY_MPS2))
    for axis, value in {
        **{e.ABS_RX: 100 * 1024, e.ABS_RY: -250 * 1024, e.ABS_RZ: 1000 * 1024},
        **{e.ABS_X: 8192, e.ABS_Y: -8192, e.ABS_Z: 16384},
    }.items():
        session.wait_axis(motion, axis, value)
    session.client.touch(True, 0, 0.25, 0.5)
    eventually(lambda: set(touch.active_keys()) == {e.BTN_TOUCH, e.BTN_TOOL_FINGER})
    session.wait_axis(touch, e.ABS_X, 480)
    session.wait_axis(touch, e.ABS_Y, TOUCH_HEIGHT[kind] // 2)
    session.client.touch(True, 1, 0.999999, 0.0)
    eventually(lambda: set(touch.active_keys()) == {e.BTN_TOUCH, e.BTN_TOOL_DOUBLETAP})
    session.client.touch(False, 0, 0.25, 0.5)
    # The finger that is left is the pointer now.
    session.wait_axis(touch, e.ABS_X, 1919)
    session.wait_axis(touch, e.ABS_Y, 0)
    session.client.state(Button.TOUCHPAD)
    eventually(lambda: e.BTN_LEFT in touch.active_keys())
    session.client.touch(False, 1, 0.0, 0.0)
    session.client.state()
    eventually(lambda: touch.active_keys() == [])


@pytest.mark.parametrize("kind", TOUCH_HEIGHT)
def test_the_battery_is_the_players(plug: Plug, kind: PadKind) -> None:
    session = plug(kind, MoonlightClient)
    session.node(REAL[kind].nodes[0].name)
    supply = eventually(lambda: next(session.hid_folder().glob("power_supply/*"), None))
    # The pad tells tenths, and the driver shows the middle of each.
    for state, percent, capacity, status in (
        (2, 40, "45", "Discharging"),
        (2, 4, "5", "Discharging"),
        (3, 72, "75", "Charging"),
        (5, 100, "100", "Full"),
    ):
        session.client.battery(state, percent)
        eventually(lambda wanted=capacity: (supply / "capacity").read_text().strip() == wanted)  # type: ignore[misc]
        assert (supply / "status").read_text().strip() == status


def test_the_edges_back_buttons_reach_games_that_read_the_pad_itself(plug: Plug) -> None:
    session = plug(PadKind.DUALSENSE_EDGE, NativeClient)
    session.node(REAL[PadKind.DUALSENSE_EDGE].nodes[0].name)
    with open(session.raw_path(), "rb", buffering=0) as game:
        for button, bit in (
            *((Button.PADDLE_L4, 0x40), (Button.PADDLE_R4, 0x80), (Button.PADDLE_L5, 0x10), (Button.PADDLE_R5, 0x20)),
            (Button.MISC, 0x04),
        ):
            session.client.state(button)
            eventually(lambda wanted=bit: _third_button_byte(game.fileno(), game.read) == wanted)  # type: ignore[misc]


def _third_button_byte(fd: int, read: Callable[[int], bytes]) -> int | None:
    """Byte 10 of the newest input report."""
    return read(64)[10] if select.select([fd], [], [], 1.0)[0] else None
