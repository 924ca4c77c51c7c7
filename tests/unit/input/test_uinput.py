"""uinput's numbers and structures against linux/uinput.h on 64-bit machines."""

from __future__ import annotations

import fcntl
import os
import struct

import pytest

from punktfunk.input import uinput
from punktfunk.input.gamepads.xbox import XBOX_360
from punktfunk.input.uinput import DeviceDescription


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, object]]:
    made: list[tuple[int, object]] = []
    monkeypatch.setattr(fcntl, "ioctl", lambda fd, request, argument=0: made.append((request, argument)))
    return made


def test_a_device_is_made_with_the_kernels_requests(calls: list[tuple[int, object]]) -> None:
    uinput.create(3, XBOX_360.description)
    requests = [request for request, _ in calls]
    assert requests[0] == 0x40045564
    assert requests.count(0x40045565) == 11
    assert requests.count(0x4004556B) == 6
    assert requests.count(0x401C5504) == 8
    assert requests[-2:] == [0x405C5503, 0x5501]
    setup = calls[-2][1]
    assert isinstance(setup, bytes)
    assert struct.unpack_from("<4H", setup) == (3, 0x045E, 0x028E, 0x0114)
    assert struct.unpack_from("<I", setup, 88) == (16,)
    assert (0x401C5504, struct.pack("<Hxx6i", 0, 0, -32768, 32767, 16, 128, 0)) in calls


def test_the_place_is_told(calls: list[tuple[int, object]]) -> None:
    uinput.create(3, DeviceDescription("pad", 1, 2, 3, (), {}, phys="here"))
    assert (0x4008556C, b"here\0") in calls


def test_a_name_that_does_not_fit_is_refused(calls: list[tuple[int, object]]) -> None:
    with pytest.raises(ValueError, match="longer than 79"):
        uinput.create(3, DeviceDescription("x" * 80, 1, 2, 3, (), {}))


def test_force_feedback_requests(calls: list[tuple[int, object]]) -> None:
    assert len(uinput.begin_upload(3, 7)) == 48
    uinput.end_upload(3, 7, 22)
    uinput.erase(3, 8)
    assert [request for request, _ in calls] == [0xC06855C8, 0x406855C9, 0xC00C55CA, 0x400C55CB]
    answer = calls[1][1]
    assert isinstance(answer, bytearray)
    assert struct.unpack_from("<Ii", answer) == (7, -22)


def test_events_end_with_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    data = uinput.encode_events([(1, 0x130, 1)])
    assert [fields[2:] for fields in uinput.EVENT.iter_unpack(data)] == [(1, 0x130, 1), (0, 0, 0)]


def test_reading_takes_whole_events_and_nothing_is_nothing() -> None:
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    assert uinput.read_events(read_end) == []
    os.write(write_end, uinput.EVENT.pack(0, 0, uinput.EV_FF, 0x60, 5) + b"half")
    assert uinput.read_events(read_end) == [uinput.InputEvent(uinput.EV_FF, 0x60, 5)]
    os.close(read_end)
    os.close(write_end)
