"""The whole way of both protocols: a client's bytes become a game's event, a game's rumble becomes a client's bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from evdev import ecodes as e
from tests.vm.guest.conftest import Plug
from tests.vm.guest.pad_session import PadSession, eventually, upload_rumble

from punktfunk.gamestream.control import encode_feedback
from punktfunk.gamestream.input_packets import InputDecoder as GameStreamDecoder
from punktfunk.input.events import PadKind
from punktfunk.input.gamepads.inputs import Button
from punktfunk.native.access import Access
from punktfunk.native.input_decoder import InputDecoder as NativeDecoder
from punktfunk.wire.punktfunk1.input_event import PadSnapshot, decode_input, encode_input
from punktfunk.wire.punktfunk1.rich_input import decode_rich_input

pytestmark = pytest.mark.vm

NAME = "Sony Interactive Entertainment DualSense Wireless Controller"
KEYS = {
    Button.A: e.BTN_SOUTH,
    Button.B: e.BTN_EAST,
    Button.X: e.BTN_WEST,
    Button.Y: e.BTN_NORTH,
    Button.START: e.BTN_START,
    Button.BACK: e.BTN_SELECT,
    Button.GUIDE: e.BTN_MODE,
    Button.LEFT_SHOULDER: e.BTN_TL,
    Button.RIGHT_SHOULDER: e.BTN_TR,
    Button.LEFT_STICK: e.BTN_THUMBL,
    Button.RIGHT_STICK: e.BTN_THUMBR,
}
Send = Callable[[int, int, int], None]


def gamestream(session: PadSession) -> Send:
    """Sends controller state as Moonlight does (gamestream.md §7.6)."""
    decoder = GameStreamDecoder()

    def packet(magic: int, body: bytes) -> None:
        payload = struct.pack(">I", len(body) + 4) + struct.pack("<I", magic) + body
        for event in decoder.decode(payload):
            session.handle(event)

    packet(0x55000004, struct.pack("<BBHI", 0, 2, 0x3B, 0xFFFF))

    def send(buttons: int, left_y: int, right_trigger: int) -> None:
        low, high = buttons & 0xFFFF, buttons >> 16
        head = struct.pack("<HHHHH", 0x1A, 0, 1, 0x14, low)
        sticks = struct.pack("<BBhhhh", 0, right_trigger, 0, left_y, 0, 0)
        packet(0xC, head + sticks + struct.pack("<HHH", 0x9C, high, 0x55))

    return send


def native(session: PadSession) -> Send:
    """Sends snapshots as punktfunk clients do (punktfunk1.md §7.3)."""
    decoder, sequence = NativeDecoder(Access()), iter(range(1, 200))

    def send(buttons: int, left_y: int, right_trigger: int) -> None:
        snapshot = PadSnapshot(0, next(sequence), buttons, left_y=left_y, right_trigger=right_trigger)
        for event in decoder.event(decode_input(encode_input(snapshot.event()))):
            session.handle(event)

    return send


@pytest.mark.parametrize("client", [gamestream, native])
def test_every_button_from_the_wire(plug: Plug, client: Callable[[PadSession], Send]) -> None:
    session = plug(PadKind.DUALSENSE)
    pad, send = session.node(NAME), client(session)
    for button, key in KEYS.items():
        send(button, 0, 0)
        session.only_key(pad, key)
    send(Button.TOUCHPAD, 32767, 255)
    session.only_key(pad, e.BTN_TR2)
    session.wait_axis(pad, e.ABS_Y, 0)
    session.wait_axis(pad, e.ABS_RZ, 255)
    touch = session.node(f"{NAME} Touchpad")
    eventually(lambda: e.BTN_LEFT in touch.active_keys())


def test_native_motion_keeps_its_units(plug: Plug) -> None:
    session = plug(PadKind.DUALSENSE)
    motion, decoder = session.node(f"{NAME} Motion Sensors"), NativeDecoder(Access())
    datagram = b"\xcc\x02\x00" + struct.pack("<6h", 2000, -4000, 200, 0, 10_000, -5_000)
    for event in decoder.rich(decode_rich_input(datagram), 0.0):
        session.handle(event)
    for axis, value in {
        **{e.ABS_RX: 100 * 1024, e.ABS_RY: -200 * 1024, e.ABS_RZ: 10 * 1024},
        **{e.ABS_X: 0, e.ABS_Y: 8192, e.ABS_Z: -4096},
    }.items():
        session.wait_axis(motion, axis, value)


def test_rumble_to_the_wire(plug: Plug) -> None:
    session = plug(PadKind.DUALSENSE)
    game = session.node(NAME)
    game.write(e.EV_FF, upload_rumble(game.fd, 0xFFFF, 0x8080, length_ms=100), 1)
    messages = eventually(lambda: [m for f in session.feedback if (m := encode_feedback(f)) and m[0] == 0x010B])
    assert messages[0] == (0x010B, struct.pack("<IHHH", 0x00C0FFEE, 0, 0xFFFF, 0x8080))
