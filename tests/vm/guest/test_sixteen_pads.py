"""A full house: sixteen pads of all kinds at once, hot-plugging, and two sessions side by side."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import evdev
import pytest
from evdev import ecodes as e
from tests.vm.guest.pad_session import eventually

from punktfunk.input.events import PadArrived, PadKind, PadRemoved, PadState
from punktfunk.input.gamepads.inputs import Button
from punktfunk.input.gamepads.nodes import device_nodes, pad_folders, pad_phys
from punktfunk.input.pad_hub import PadHub, open_node

pytestmark = pytest.mark.vm

KINDS = (PadKind.XBOX_360, PadKind.DUALSENSE, PadKind.DUALSHOCK_4, PadKind.XBOX_ELITE)
PRESSES = 8


@pytest.fixture
def hub() -> Iterator[Callable[[str], PadHub]]:
    hubs: list[PadHub] = []

    def make(session: str) -> PadHub:
        hubs.append(PadHub(open_node, lambda feedback: None, session=session))
        return hubs[-1]

    yield make
    for each in hubs:
        each.close()


def gamepad(session: str, pad: int) -> evdev.InputDevice[str]:
    """The node with the buttons among a pad's nodes."""

    def find() -> evdev.InputDevice[str] | None:
        for name in device_nodes(session, pads=range(pad, pad + 1)):
            if name.startswith("input/event") and (path := Path("/dev", name)).exists():
                device = evdev.InputDevice(str(path))
                if e.BTN_SOUTH in device.capabilities().get(e.EV_KEY, []):
                    return device
                device.close()
        return None

    found: evdev.InputDevice[str] = eventually(find)
    return found


def test_every_press_arrives_at_its_pad_and_no_other(hub: Callable[[str], PadHub]) -> None:
    pads = hub("one")
    for pad in range(16):
        pads.handle(PadArrived(pad, KINDS[pad % len(KINDS)]))
    games = [gamepad("one", pad) for pad in range(16)]
    for pad, game in enumerate(games):
        pads.handle(PadState(pad, Button.A))
        eventually(lambda game=game: game.active_keys() == [e.BTN_SOUTH])  # type: ignore[misc]
        pads.handle(PadState(pad, 0))
        eventually(lambda game=game: game.active_keys() == [])  # type: ignore[misc]
        list(game.read())
    for number in range(PRESSES * 2):
        for pad in range(16):
            pads.handle(PadState(pad, Button.A if number % 2 == 0 else 0, left_x=number * 100 + pad))
    for game in games:
        presses = [event.value for event in game.read() if (event.type, event.code) == (e.EV_KEY, e.BTN_SOUTH)]
        assert presses == [1, 0] * PRESSES
        game.close()


def test_two_sessions_have_their_own_nodes(hub: Callable[[str], PadHub]) -> None:
    first, second = hub("first"), hub("second")
    for session in (first, second):
        session.handle(PadArrived(0, PadKind.DUALSENSE))
    ours, theirs = gamepad("first", 0), gamepad("second", 0)
    assert ours.path != theirs.path
    assert not set(device_nodes("first")) & set(device_nodes("second"))
    first.handle(PadState(0, Button.B))
    eventually(lambda: ours.active_keys() == [e.BTN_EAST])
    assert theirs.active_keys() == []
    for game in (ours, theirs):
        game.close()


def test_unplugging_while_a_driver_starts_and_plugging_in_again(hub: Callable[[str], PadHub]) -> None:
    pads = hub("hasty")
    for kind in (PadKind.SWITCH_PRO, PadKind.DUALSENSE, PadKind.STEAM_DECK, PadKind.DUALSENSE):
        pads.handle(PadArrived(0, kind))
        pads.handle(PadState(0, Button.A))
        pads.handle(PadRemoved(0))
    pads.handle(PadArrived(0, PadKind.DUALSENSE))
    # Unplugging is not waited for by the player; a game may see the old pads for a moment.
    eventually(lambda: len(pad_folders(pad_phys("hasty", 0))) == 1, patience_s=30)
    game = gamepad("hasty", 0)
    pads.handle(PadState(0, Button.X))
    eventually(lambda: game.active_keys() == [e.BTN_WEST])
    pads.close()
    assert pad_folders(pad_phys("hasty", 0)) == []
    game.close()


def test_a_killed_worker_leaves_no_pad() -> None:
    script = (
        "from punktfunk.input.events import PadArrived, PadKind\n"
        "from punktfunk.input.pad_hub import PadHub, open_node\n"
        "hub = PadHub(open_node, print, session='killed')\n"
        "for pad, kind in enumerate((PadKind.XBOX_360, PadKind.DUALSENSE)):\n"
        "    hub.handle(PadArrived(pad, kind))\n"
        "input()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as worker:
        for pad in range(2):
            gamepad("killed", pad).close()
        worker.kill()
    eventually(lambda: not list(device_nodes("killed")))
