"""Events as mutter 48 sends them, requests as the capture library does."""

from __future__ import annotations

import contextlib
import random
import struct

import pytest

from punktfunk.media.portal.ei_placer import MAX_MESSAGE_BYTES, MAX_OBJECTS, EiPlacer
from punktfunk.media.portal.relay import RelayError

CONNECTION, SEAT, DEVICE, POINTER, BUTTON = (0xFF00_0000_0000_0000 + number for number in range(5))
SIZE = (1280, 720)


def message(target: int, opcode: int, arguments: bytes = b"") -> bytes:
    return struct.pack("=QII", target, 16 + len(arguments), opcode) + arguments


def string(text: bytes) -> bytes:
    return struct.pack("=I", len(text) + 1) + text + bytes(4 - len(text) % 4)


def new(target: int, version: int = 1) -> bytes:
    return struct.pack("=QI", target, version)


def interface(target: int, name: bytes, device: int = DEVICE) -> bytes:
    return message(device, 5, struct.pack("=Q", target) + string(name) + struct.pack("=I", 1))


def region(left: int, top: int, width: int, height: int, device: int = DEVICE) -> bytes:
    return message(device, 4, struct.pack("=4If", left, top, width, height, 1.0))


def position(x: float, y: float, target: int = POINTER) -> bytes:
    return message(target, 1, struct.pack("=2f", x, y))


GREETING = message(0, 2, struct.pack("=I", 1) + new(CONNECTION)) + message(CONNECTION, 1, new(SEAT))
DEVICES = message(SEAT, 4, new(DEVICE, 2))
POINTERS = interface(POINTER, b"ei_pointer_absolute") + interface(BUTTON, b"ei_button")


def placer(*events: bytes) -> EiPlacer:
    made = EiPlacer(lambda: SIZE)
    for event in (GREETING, DEVICES, *events, POINTERS):
        assert made.down(event) == event
    return made


def test_a_position_of_the_picture_becomes_one_of_the_desktop() -> None:
    assert placer(region(800, 100, 1280, 720)).up(position(640, 360)) == position(1440, 460)


def test_a_scaled_monitor_has_a_smaller_region() -> None:
    assert placer(region(800, 0, 640, 360)).up(position(640, 360)) == position(1120, 180)


def test_everything_else_passes_as_it_is() -> None:
    others = message(DEVICE, 1, new(13)) + message(BUTTON, 1, struct.pack("=2I", 0x110, 1)) + message(POINTER, 0)
    assert placer(region(800, 0, 1280, 720)).up(others) == others


def test_a_pointer_without_a_region_is_left_alone() -> None:
    assert placer().up(position(5, 6)) == position(5, 6)


def test_a_device_that_takes_another_ones_place_has_a_region_of_its_own() -> None:
    talk = placer(region(800, 0, 1280, 720))
    talk.down(message(POINTER, 0, struct.pack("=I", 7)) + message(DEVICE, 0, struct.pack("=I", 8)))
    assert talk.up(position(1, 2)) == position(1, 2)
    talk.down(message(SEAT, 4, new(20)) + region(0, 0, 1280, 720, 20) + interface(21, b"ei_pointer_absolute", 20))
    assert talk.up(position(1, 2, 21)) == position(1, 2, 21)


def test_requests_and_events_may_come_in_pieces() -> None:
    talk = EiPlacer(lambda: SIZE)
    for byte in GREETING + DEVICES + region(800, 0, 1280, 720) + POINTERS:
        talk.down(bytes([byte]))
    out = b"".join(talk.up(bytes([byte])) for byte in position(10, 20) * 2)
    assert out == position(810, 20) * 2


def test_only_so_many_objects() -> None:
    talk = placer()
    for number in range(MAX_OBJECTS - 3):
        talk.down(message(SEAT, 4, new(1000 + number)))
    with pytest.raises(RelayError):
        talk.down(message(SEAT, 4, new(1)))


@pytest.mark.parametrize("length", [0, 15, MAX_MESSAGE_BYTES + 1])
def test_a_message_of_an_impossible_length_ends_it(length: int) -> None:
    for way in (placer().up, placer().down):
        with pytest.raises(RelayError):
            way(struct.pack("=QII", 1, length, 0))


def test_any_bytes_are_survived() -> None:
    generator = random.Random(9)
    real = GREETING + DEVICES + region(800, 0, 1280, 720) + POINTERS
    for _ in range(3000):
        data = bytearray(real)
        for _ in range(generator.randrange(1, 8)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        talk = EiPlacer(lambda: SIZE)
        with contextlib.suppress(RelayError):
            talk.down(bytes(data))
        with contextlib.suppress(RelayError):
            talk.up(position(1, 2) + bytes(data))
