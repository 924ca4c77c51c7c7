"""The whole way in: a client's bytes, the host's decoders, the kernel's driver, the events that a game reads.

Every button and every axis of every kind, in both protocols and from the browser.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import evdev
import pytest
from evdev import ecodes as e
from tests.vm.guest.clients import BrowserClient, Client, MoonlightClient, NativeClient
from tests.vm.guest.conftest import Plug
from tests.vm.guest.pad_session import PadSession, eventually, expect_events
from tests.vm.guest.real_pads import REAL, Places, RealPad
from tests.vm.guest.test_capabilities import MARKS

from punktfunk.input.events import PadKind

pytestmark = pytest.mark.vm

CLIENTS = [
    *(
        pytest.param(kind, client, marks=MARKS.get(kind, ()))
        for kind in REAL
        for client in (MoonlightClient, NativeClient)
    ),
    *((kind, BrowserClient) for kind in (PadKind.XBOX_360, PadKind.DUALSENSE)),
]
STICK_POINTS = ((32767, 0), (-32768, 0), (0, 32767), (0, -32768), (12345, -23456))
TRIGGER_POINTS = (255, 128, 64, 7)


@pytest.mark.parametrize(("kind", "client"), CLIENTS)
def test_every_button_and_axis(plug: Plug, kind: PadKind, client: Callable[..., Client]) -> None:
    session, real = plug(kind, client), REAL[kind]
    game = _awake(session, real)
    for bit, key in real.buttons.items():
        _press(session, game, bit, {(e.EV_KEY, key): 1})
    for bit, places in real.directions.items():
        _press(session, game, bit, places)
    for names, codes in ((("left_x", "left_y"), (e.ABS_X, e.ABS_Y)), (("right_x", "right_y"), (e.ABS_RX, e.ABS_RY))):
        _move_stick(session, game, real, names, codes)
    for side, name in enumerate(("left_trigger", "right_trigger")):
        _pull_trigger(session, game, real, name, side)
    _all_together_and_gone(session, game, real)


def _awake(session: PadSession, real: RealPad) -> evdev.InputDevice[str]:
    """The game's view once reports get through: drivers drop what comes while they start."""
    game = session.node(real.nodes[0].name)
    first = next(iter(real.buttons))
    session.client.state(first)
    session.only_key(game, real.buttons[first])
    session.client.state()
    eventually(lambda: game.active_keys() == [])
    while True:
        try:
            list(game.read())
        except BlockingIOError:
            return game


def _press(session: PadSession, game: evdev.InputDevice[str], bit: int, places: Places) -> None:
    session.client.state(bit)
    expect_events(game, dict(places), f"button {bit:#x} down")
    session.client.state()
    expect_events(game, dict.fromkeys(places, 0), f"button {bit:#x} up")


def _move_stick(
    session: PadSession, game: evdev.InputDevice[str], real: RealPad, names: tuple[str, str], codes: tuple[int, int]
) -> None:
    before, key = real.stick(0, 0), real.right_stick_key if codes[0] == e.ABS_RX else None
    for point in (*STICK_POINTS, (0, 0)):
        session.client.state(**dict(zip(names, point, strict=True)))
        wanted = real.stick(*point)
        moved = {(e.EV_ABS, code): now for code, now, then in zip(codes, wanted, before, strict=True) if now != then}
        if key is not None and point in (STICK_POINTS[0], (0, 0)):
            moved[e.EV_KEY, key] = int(point != (0, 0))
        expect_events(game, moved, f"{names} at {point}", real.stick_tolerance)
        before = wanted


def _pull_trigger(session: PadSession, game: evdev.InputDevice[str], real: RealPad, name: str, side: int) -> None:
    held = False
    for value in (*TRIGGER_POINTS, 0):
        session.client.state(**{name: value})
        wanted: dict[tuple[int, int], int] = {}
        if real.trigger_axes is not None:
            wanted[e.EV_ABS, real.trigger_axes[side]] = value * real.trigger_maximum // 255
        if real.trigger_keys is not None and (value >= real.trigger_key_from) != held:
            held = not held
            wanted[e.EV_KEY, real.trigger_keys[side]] = int(held)
        expect_events(game, wanted, f"{name} at {value}")


def _all_together_and_gone(session: PadSession, game: evdev.InputDevice[str], real: RealPad) -> None:
    """Everything held at once is told apart, and the pad leaves while it is held."""
    session.client.state(sum(real.buttons), left_trigger=255, left_x=-32768)
    keys = {*real.buttons.values(), *(real.trigger_keys or ())[:1]}
    eventually(lambda: set(game.active_keys()) == keys, f"{game.active_keys()}")
    session.client.remove()
    assert session.hub.kinds() == {}
    eventually(lambda: not os.path.exists(game.path) and not session.folders(), "the pad is still there")
    eventually(lambda: _is_gone(game), "the game can still read it")


def _is_gone(game: evdev.InputDevice[str]) -> bool:
    try:
        list(game.read())
    except BlockingIOError:
        return False
    except OSError as error:
        return error.errno == errno.ENODEV
    return False
