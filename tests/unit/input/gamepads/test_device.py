"""UHID pads on one end of a socket pair: what goes to the kernel, and when."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from punktfunk.input.events import LightChanged, Rumbled
from punktfunk.input.gamepads.device import MAX_MESSAGES_PER_READ, MAX_WAITING_STATES, UhidPad
from punktfunk.input.gamepads.dualsense import DualSense
from punktfunk.input.gamepads.inputs import Button, PadInputs
from punktfunk.input.gamepads.switch_pro import SwitchPro

INPUT = struct.pack("<I", 12)
PRESSED, REST = replace(PadInputs(), buttons=Button.A), PadInputs()


class Kernel:
    """The other end: whole messages, as the character device keeps them."""

    def __init__(self) -> None:
        self._end, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.fd = os.dup(other.fileno())
        other.close()
        self._end.setblocking(False)
        self._end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)

    def read(self) -> list[bytes]:
        messages = []
        while True:
            try:
                message = self._end.recv(8192)
            except BlockingIOError:
                return messages
            if not message:
                return messages
            messages.append(message)

    def reports(self) -> list[bytes]:
        return [message[6:] for message in self.read() if message.startswith(INPUT)]

    def output(self, report: bytes) -> None:
        self._end.send(struct.pack("<I", 6) + report.ljust(4096, b"\0") + struct.pack("<HB", len(report), 1))

    def send(self, message: bytes) -> None:
        self._end.send(message)

    def close(self) -> None:
        self._end.close()


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    end = Kernel()
    yield end
    end.close()


def test_a_pad_is_made_and_unplugged(kernel: Kernel) -> None:
    pad = UhidPad(kernel.fd, DualSense(0, "a"), 0.0)
    pad.close()
    made, destroyed = kernel.read()
    assert made.startswith(struct.pack("<I", 11))
    assert destroyed == struct.pack("<I", 1)


def test_a_fast_pad_sends_at_once_and_again_after_a_while(kernel: Kernel) -> None:
    pad = UhidPad(kernel.fd, DualSense(0, "a"), 0.0)
    pad.send(PRESSED, 0.001)
    assert [report[8] for report in kernel.reports()] == [0x28]
    assert pad.due() == pytest.approx(0.101)
    pad.tick(0.05)
    assert kernel.reports() == []
    pad.tick(0.102)
    assert [report[8] for report in kernel.reports()] == [0x28]
    pad.close()


def test_a_slow_pad_loses_no_edge_and_stays_even(kernel: Kernel) -> None:
    model = SwitchPro(0, "a")
    model.output_report(b"\x01\x00" + bytes(8) + b"\x03\x30")
    pad = UhidPad(kernel.fd, model, 0.0)
    for number in range(4):
        pad.send(PRESSED if number % 2 == 0 else REST, 0.001)
    pad.send(replace(REST, left_x=5000), 0.002)
    assert kernel.reports() == []
    seen = []
    for step in range(1, 7):
        pad.tick(step * 0.0121)
        seen += [report[3] for report in kernel.reports()]
    assert seen == [4, 0, 4, 0, 0, 0]
    pad.close()


def test_a_flood_of_presses_is_bounded_and_ends_in_the_newest(kernel: Kernel) -> None:
    model = SwitchPro(0, "a")
    model.output_report(b"\x01\x00" + bytes(8) + b"\x03\x30")
    pad = UhidPad(kernel.fd, model, 0.0)
    for number in range(1001):
        pad.send(PRESSED if number % 2 else REST, 0.001)
    for step in range(1, MAX_WAITING_STATES + 3):
        pad.tick(step * 0.0121)
    reports = kernel.reports()
    assert len(reports) == MAX_WAITING_STATES + 2
    assert reports[-1][3] == 0
    pad.close()


def test_the_driver_is_answered(kernel: Kernel) -> None:
    pad = UhidPad(kernel.fd, DualSense(0, "a"), 0.0)
    kernel.read()
    kernel.send(struct.pack("<IIBB", 9, 77, 0x20, 0))
    kernel.send(struct.pack("<IIBB", 9, 78, 0x99, 0))
    kernel.send(struct.pack("<IIBBH", 13, 79, 2, 1, 48) + (b"\x02\x03\x00\x01\x02").ljust(48, b"\0"))
    assert pad.read(0.0) == [Rumbled(0, 0x0202, 0x0101)]
    firmware, refused, taken = kernel.read()
    assert struct.unpack_from("<IIHH", firmware) == (10, 77, 0, 64)
    assert struct.unpack_from("<IIHH", refused) == (10, 78, 5, 0)
    assert struct.unpack_from("<IIH", taken) == (14, 79, 0)
    pad.close()


def test_nonsense_is_counted_and_what_follows_still_works(kernel: Kernel) -> None:
    pad = UhidPad(kernel.fd, DualSense(0, "a"), 0.0)
    kernel.output(b"\x77")
    kernel.send(struct.pack("<IIBB", 9, 1, 5, 9))
    kernel.output((b"\x02\x00\x04").ljust(45, b"\0") + b"\x01\x02\x03")
    assert pad.read(0.0) == [LightChanged(0, 1, 2, 3)]
    assert pad.dropped_reports == 2
    pad.close()


def test_one_read_is_bounded(kernel: Kernel) -> None:
    pad = UhidPad(kernel.fd, DualSense(0, "a"), 0.0)
    for level in range(MAX_MESSAGES_PER_READ + 5):
        kernel.output(bytes((2, 1, 0, level + 1)).ljust(48, b"\0"))
    assert len(pad.read(0.0)) == MAX_MESSAGES_PER_READ
    assert len(pad.read(0.0)) == 5
    pad.close()
