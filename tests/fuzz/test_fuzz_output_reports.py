"""What games and drivers may write to a virtual pad: any bytes are understood or dropped, never more."""

from __future__ import annotations

import contextlib
import random
import struct
from collections.abc import Callable

import pytest

from punktfunk.input import uhid
from punktfunk.input.events import LightChanged, PlayerLedsChanged, Rumbled, TriggerEffect
from punktfunk.input.gamepads.dualsense import DualSense
from punktfunk.input.gamepads.dualshock4 import DualShock4
from punktfunk.input.gamepads.hid_model import HidModel, MalformedReport, Reaction
from punktfunk.input.gamepads.steam_controller import SteamController
from punktfunk.input.gamepads.steam_deck import SteamDeck
from punktfunk.input.gamepads.switch_pro import SwitchPro

RUNS = 4000
MAX_REPLY_BYTES = 64
MODELS: dict[str, Callable[[], HidModel]] = {
    "dualsense": lambda: DualSense(0, "fuzz"),
    "edge": lambda: DualSense(0, "fuzz", edge=True),
    "dualshock4": lambda: DualShock4(0, "fuzz"),
    "switch": lambda: SwitchPro(0, "fuzz"),
    "steam controller": lambda: SteamController(0, "fuzz"),
    "steam deck": lambda: SteamDeck(0, "fuzz"),
}
SEEDS = (
    b"\x02\x0f\x15".ljust(63, b"\x55"),
    b"\x05\x07".ljust(32, b"\xaa"),
    b"\x80\x02",
    b"\x01\x00" + bytes(8) + b"\x10\x3d\x60\x00\x00\x09",
    b"\x01\x00" + bytes(8) + b"\x30\x0f",
    b"\x10\x00" + bytes(range(8)),
    b"\x00\xae\x15\x01",
    b"\x00\xeb\x09" + bytes(9),
    b"\x00\x87\x03\x08\x07\x00",
)


def mutated(chance: random.Random) -> bytes:
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randrange(6)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    if chance.random() < 0.3:
        data = data[: chance.randrange(len(data) + 1)]
    if chance.random() < 0.1:
        data += chance.randbytes(chance.randrange(100))
    return bytes(data)


def check(reaction: Reaction) -> None:
    assert len(reaction.feedback) <= 8
    assert all(len(reply) <= MAX_REPLY_BYTES for reply in reaction.replies)
    for feedback in reaction.feedback:
        match feedback:
            case Rumbled(low=low, high=high):
                assert 0 <= low <= 65535
                assert 0 <= high <= 65535
            case LightChanged(red=red, green=green, blue=blue):
                assert max(red, green, blue) < 256
            case PlayerLedsChanged(bits=bits):
                assert bits < 32
            case TriggerEffect(parameters=parameters):
                assert len(parameters) == 10
            case _:
                pytest.fail(f"{feedback} from an output report")


@pytest.mark.parametrize("name", MODELS)
def test_reports(name: str) -> None:
    chance = random.Random(name)
    model = MODELS[name]()
    for _ in range(RUNS):
        data = mutated(chance)
        for handler in (model.output_report, model.set_feature):
            with contextlib.suppress(MalformedReport):
                check(handler(data))
        feature = model.get_feature(chance.randrange(256))
        assert feature is None or 0 < len(feature) <= 65


def test_uhid_messages() -> None:
    chance = random.Random(1)
    for _ in range(RUNS):
        kind = chance.choice((2, 3, 4, 5, 6, 9, 13, chance.randrange(2**32)))
        length = chance.choice((0, 1, 6, 8, 40, 4099, chance.randrange(5000)))
        message = (struct.pack("<I", kind) + chance.randbytes(length))[chance.choice((0, 0, 0, 2)) :]
        with contextlib.suppress(uhid.UhidError):
            event = uhid.parse(message)
            assert len(getattr(event, "data", b"")) <= uhid.MAX_REPORT_BYTES
