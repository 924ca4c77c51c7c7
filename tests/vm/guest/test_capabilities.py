"""Every kind against the table of the real one: driver, nodes, keys, ranges, force feedback, lights, battery."""

from __future__ import annotations

import evdev
import pytest
from evdev import ecodes as e
from tests.vm.guest.conftest import Plug
from tests.vm.guest.pad_session import KNOWS_THE_DECK, SESSION, PadSession, eventually
from tests.vm.guest.real_pads import REAL, Node, RealPad

from punktfunk.input.events import PadKind

pytestmark = pytest.mark.vm

needs_deck = pytest.mark.skipif(not KNOWS_THE_DECK, reason="this kernel's hid-steam does not know the Deck")
MARKS = {PadKind.STEAM_DECK: (needs_deck,)}
KINDS = [pytest.param(kind, marks=MARKS.get(kind, ())) for kind in REAL]
"""The same outside and in the guest, whatever the kernels."""


@pytest.mark.parametrize("kind", KINDS)
def test_games_see_the_real_pad(plug: Plug, kind: PadKind) -> None:
    session, real = plug(kind), REAL[kind]
    for node in real.nodes:
        _check_node(session.node(node.name), node, real)
    assert session.names() - {"Valve Software Steam Controller"} == {node.name for node in real.nodes}
    if real.driver is None:
        assert (session.folders()[0] / "phys").read_text().strip() == f"punktfunk/{SESSION}/pad0"
    else:
        assert {(each / "driver").resolve().name for each in session.folders()} == {real.driver}
    _check_lights_and_battery(session, real)


def _check_node(device: evdev.InputDevice[str], node: Node, real: RealPad) -> None:
    assert (device.info.bustype, device.info.vendor, device.info.product, device.info.version) == (3, *real.ids)
    can = device.capabilities(absinfo=False)
    assert set(can.get(e.EV_KEY, ())) == node.keys
    assert set(can.get(e.EV_FF, ())) == node.effects
    if node.effects:
        assert device.ff_effects_count == 16
    assert set(device.input_props()) == node.properties
    seen = {code: device.absinfo(code) for code in can.get(e.EV_ABS, ())}
    assert {code: (a.min, a.max, a.fuzz, a.flat, a.resolution) for code, a in seen.items()} == node.axes


def _check_lights_and_battery(session: PadSession, real: RealPad) -> None:
    def lights() -> set[str]:
        found = {path.name for folder in session.folders() for path in folder.glob("leds/*")}
        # The driver's own prefix is the number of the input device or the HID device's name.
        return {name.split(":", 1)[1] if name.startswith("input") else name.split(":", 3)[-1] for name in found}

    eventually(lambda: lights() == real.leds, f"{lights()}, expected {real.leds}")
    assert any(list(folder.glob("power_supply/*")) for folder in session.folders()) == real.battery
