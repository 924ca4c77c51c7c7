"""UHID messages against the kernel's structures."""

from __future__ import annotations

import struct

import pytest

from punktfunk.input import uhid
from punktfunk.input.uhid import HidIdentity, ReportType, UhidError

IDENTITY = HidIdentity("Pad", 0x054C, 0x0CE6, 0x0111, b"\x05\x01\xc0", "here/pad0", "02:00")


def test_create_is_the_kernels_structure() -> None:
    message = uhid.create(IDENTITY)
    assert message[:4] == struct.pack("<I", 11)
    assert message[4:132].rstrip(b"\0") == b"Pad"
    assert message[132:196].rstrip(b"\0") == b"here/pad0"
    assert message[196:260].rstrip(b"\0") == b"02:00"
    assert struct.unpack_from("<HHIIII", message, 260) == (3, 3, 0x054C, 0x0CE6, 0x0111, 0)
    assert message[280:] == b"\x05\x01\xc0"


@pytest.mark.parametrize(
    "identity",
    [
        HidIdentity("x" * 128, 0, 0, 0, b"\xc0"),
        HidIdentity("x", 0, 0, 0, b""),
        HidIdentity("x", 0, 0, 0, bytes(4097)),
    ],
)
def test_what_does_not_fit_is_refused(identity: HidIdentity) -> None:
    with pytest.raises(ValueError, match="bytes"):
        uhid.create(identity)


def test_messages_to_the_kernel() -> None:
    assert uhid.destroy() == struct.pack("<I", 1)
    assert uhid.input_report(b"\x01\x02") == struct.pack("<IH", 12, 2) + b"\x01\x02"
    assert uhid.get_report_reply(7, b"\x05x") == struct.pack("<IIHH", 10, 7, 0, 2) + b"\x05x"
    assert uhid.get_report_reply(7, None) == struct.pack("<IIHH", 10, 7, 5, 0)
    assert uhid.set_report_reply(9) == struct.pack("<IIH", 14, 9, 0)


def test_messages_from_the_kernel() -> None:
    output = struct.pack("<I", 6) + b"\x02abc".ljust(4096, b"\0") + struct.pack("<HB", 4, 1)
    assert uhid.parse(output) == uhid.Output(ReportType.OUTPUT, b"\x02abc")
    assert uhid.parse(struct.pack("<IIBB", 9, 3, 5, 0)) == uhid.GetReport(3, 5, ReportType.FEATURE)
    written = struct.pack("<IIBBH", 13, 4, 0, 0, 2) + b"\0\x81"
    assert uhid.parse(written) == uhid.SetReport(4, 0, ReportType.FEATURE, b"\0\x81")
    assert uhid.parse(struct.pack("<I", 4)) == uhid.Opened()
    assert uhid.parse(struct.pack("<I", 5)) == uhid.Closed()
    assert uhid.parse(struct.pack("<IQ", 2, 0)) == uhid.Other(2)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x06\0\0",
        struct.pack("<I", 6) + bytes(10),
        struct.pack("<I", 6) + bytes(4096) + struct.pack("<HB", 4097, 1),
        struct.pack("<I", 6) + bytes(4096) + struct.pack("<HB", 4, 3),
        struct.pack("<IIBB", 9, 3, 5, 9),
        struct.pack("<IIBBH", 13, 4, 0, 0, 20) + b"\0",
        struct.pack("<IIBBH", 13, 4, 0, 0, 5000),
    ],
)
def test_what_the_kernel_would_not_say_is_refused(message: bytes) -> None:
    with pytest.raises(UhidError):
        uhid.parse(message)
