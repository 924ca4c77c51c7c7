"""Input packets recorded from a real client, and the events they mean (gamestream.md §7)."""

import json
from pathlib import Path

import pytest

from punktfunk.gamestream.input_packets import InputDecoder
from punktfunk.input.events import (
    ButtonChanged,
    ContactPhase,
    KeyChanged,
    PadArrived,
    PadBattery,
    PadKind,
    PadMotion,
    PadRemoved,
    PadState,
    PadTouched,
    PenMoved,
    PenTool,
    PointerMoved,
    PointerPlaced,
    Scrolled,
    TextTyped,
    Touched,
)

PACKETS = json.loads((Path(__file__).parent / "vectors" / "gamestream.json").read_text())["input_captured"]["packets"]
P = ContactPhase


def rounded(event):
    """Positions travel as 32-bit floats; four digits tell them apart."""

    def short(value):
        if isinstance(value, float):
            return round(value, 4)
        return tuple(map(short, value)) if isinstance(value, tuple) else value

    return type(event)(*(short(getattr(event, name)) for name in event.__struct_fields__))


EVENTS = [
    (),
    (PointerMoved(1, 1),),
    (PointerMoved(-1, -1),),
    (PointerMoved(10, -5),),
    (PointerMoved(-3, 7),),
    (PointerPlaced(round(640 / 1279, 4), round(360 / 719, 4)),),
    (ButtonChanged(0x110, True),),
    (ButtonChanged(0x110, False),),
    (ButtonChanged(0x111, True),),
    (ButtonChanged(0x111, False),),
    (ButtonChanged(0x113, True),),
    (ButtonChanged(0x113, False),),
    (KeyChanged(30, True, 0),),
    (KeyChanged(30, False, 0),),
    (KeyChanged(42, True, 1),),
    (KeyChanged(48, True, 1),),
    (KeyChanged(48, False, 1),),
    (KeyChanged(42, False, 0),),
    (KeyChanged(2, True, 0, by_meaning=True),),
    (KeyChanged(2, False, 0, by_meaning=True),),
    (TextTyped("h"),),
    (TextTyped("é"),),
    (TextTyped("l"),),
    (TextTyped("o"),),
    (TextTyped(" "),),
    (TextTyped("€"),),
    (TextTyped("😀"),),
    (Scrolled(vertical=120),),
    (Scrolled(vertical=-30),),
    (Scrolled(horizontal=240),),
    (Scrolled(horizontal=-45),),
    (PadArrived(0, PadKind.XBOX_360, 0x03, 0xFFFF),),
    (PadState(0, 0),),
    (PadState(0, 0x1000),),
    (PadState(0, 0, 255, 128, 1000, -1000, 32767, -32768),),
    (PadState(0, 0x21_0400),),
    (PadArrived(1, PadKind.DUALSENSE_EDGE, 0xFF, 0x3FFFFF),),
    (PadState(1, 0),),
    (PadMotion(1, acceleration=(0.5, round(9.81, 4), -0.25)),),
    (PadMotion(1, gyro=(1.5, -2.5, 3.5)),),
    (PadBattery(1, 2, 77),),
    (PadTouched(1, 0, P.DOWN, 7, 0.25, 0.75, 0.5),),
    (PadTouched(1, 0, P.MOVE, 7, 0.3, 0.7, 0.5),),
    (PadTouched(1, 0, P.UP, 7, 0.3, 0.7, 0.0),),
    (PadTouched(1, 1, P.DOWN, 9, 0.1, 0.2, 1.0),),
    (PadTouched(1, 1, P.UP, 9, 0.1, 0.2, 0.0),),
    (Touched(P.DOWN, 42, 0.5, 0.5, 1.0, 0.01, 0.02, 90),),
    (Touched(P.MOVE, 42, 0.55, 0.45, 1.0, 0.01, 0.02, 90),),
    (Touched(P.UP, 42, 0.55, 0.45, 0.0, 0.0, 0.0, None),),
    (Touched(P.CANCEL_ALL, 0),),
    (PenMoved(P.HOVER, PenTool.PEN, 0.2, 0.3, distance=0.5),),
    (PenMoved(P.DOWN, PenTool.PEN, 0.2, 0.3, pressure=0.8, tilt=30, rotation=45, buttons=1),),
    (PenMoved(P.MOVE, PenTool.PEN, 0.25, 0.35, pressure=0.9, tilt=30, rotation=45, buttons=1),),
    (PenMoved(P.UP, PenTool.PEN, 0.25, 0.35, tilt=30, rotation=45),),
    (PadRemoved(1),),
    (PadRemoved(0),),
]


@pytest.fixture(scope="module")
def decoded():
    """One session in order: what a packet means may depend on which controllers are there."""
    decoder = InputDecoder()
    return [decoder.decode(bytes.fromhex(packet["payload"])) for packet in PACKETS]


@pytest.mark.parametrize("index", range(len(EVENTS)), ids=lambda i: f"{i}-{PACKETS[i]['kind']}")
def test_captured_packet(decoded, index):
    assert tuple(map(rounded, decoded[index])) == EVENTS[index]


def test_every_captured_packet_is_covered():
    assert len(PACKETS) == len(EVENTS)
