"""/dev/uhid messages: a HID device made of bytes (linux/uhid.h). Pure: bytes in, bytes out."""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

MAX_REPORT_BYTES = 4096
MAX_DESCRIPTOR_BYTES = 4096
READ_BYTES = 4 + 128 + 64 + 64 + 20 + MAX_DESCRIPTOR_BYTES
"""The kernel hands out one whole message per read; this is the largest."""

BUS_USB = 0x03
_EIO = 5

_CREATE2, _DESTROY, _INPUT2 = 11, 1, 12
_OPEN, _CLOSE, _OUTPUT, _GET_REPORT, _SET_REPORT = 4, 5, 6, 9, 13
_GET_REPORT_REPLY, _SET_REPORT_REPLY = 10, 14

_TYPE = struct.Struct("<I")
_CREATE2_HEAD = struct.Struct("<I128s64s64sHHIIII")
_INPUT2_HEAD = struct.Struct("<IH")
_OUTPUT_TAIL = struct.Struct("<HB")
_GET_REPORT_HEAD = struct.Struct("<IBB")
_SET_REPORT_HEAD = struct.Struct("<IBBH")
_GET_REPORT_REPLY_HEAD = struct.Struct("<IIHH")
_SET_REPORT_REPLY_BODY = struct.Struct("<IIH")


class UhidError(Exception):
    """A message that the kernel would not send."""


class ReportType(enum.IntEnum):
    """Which of a device's three kinds of report."""

    FEATURE = 0
    OUTPUT = 1
    INPUT = 2


@dataclass(frozen=True, slots=True)
class HidIdentity:
    """What a HID device says that it is. ``phys`` says where it hangs, ``uniq`` is its serial number."""

    name: str
    vendor: int
    product: int
    version: int
    descriptor: bytes
    phys: str = ""
    uniq: str = ""
    bus: int = BUS_USB
    country: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """Somebody reads the device now."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nobody reads the device any more."""


@dataclass(frozen=True, slots=True)
class Output:
    """A report for the device, report id first (0 for devices without ids)."""

    type: ReportType
    data: bytes


@dataclass(frozen=True, slots=True)
class GetReport:
    """The kernel waits for `get_report_reply`, up to five seconds."""

    request: int
    report_id: int
    type: ReportType


@dataclass(frozen=True, slots=True)
class SetReport:
    """The kernel waits for `set_report_reply`; ``data`` starts with the report id."""

    request: int
    report_id: int
    type: ReportType
    data: bytes


@dataclass(frozen=True, slots=True)
class Other:
    """Started, stopped, or a kind from a newer kernel; nothing to do."""

    kind: int


UhidEvent = Opened | Closed | Output | GetReport | SetReport | Other


def create(identity: HidIdentity) -> bytes:
    """The message that makes the device. Raises ValueError for a text or a descriptor that does not fit."""
    if not 0 < len(identity.descriptor) <= MAX_DESCRIPTOR_BYTES:
        raise ValueError(f"a report descriptor has 1 to {MAX_DESCRIPTOR_BYTES} bytes, not {len(identity.descriptor)}")
    head = _CREATE2_HEAD.pack(
        _CREATE2,
        _text(identity.name, 128),
        _text(identity.phys, 64),
        _text(identity.uniq, 64),
        len(identity.descriptor),
        identity.bus,
        identity.vendor,
        identity.product,
        identity.version,
        identity.country,
    )
    return head + identity.descriptor


def destroy() -> bytes:
    """The message that unplugs the device."""
    return _TYPE.pack(_DESTROY)


def input_report(report: bytes) -> bytes:
    """A report from the device, report id first where it has ids."""
    return _INPUT2_HEAD.pack(_INPUT2, len(report)) + report


def get_report_reply(request: int, data: bytes | None) -> bytes:
    """The answer to `GetReport`; None says that there is no such report."""
    if data is None:
        return _GET_REPORT_REPLY_HEAD.pack(_GET_REPORT_REPLY, request, _EIO, 0)
    return _GET_REPORT_REPLY_HEAD.pack(_GET_REPORT_REPLY, request, 0, len(data)) + data


def set_report_reply(request: int) -> bytes:
    """The answer to `SetReport`: taken."""
    return _SET_REPORT_REPLY_BODY.pack(_SET_REPORT_REPLY, request, 0)


def parse(message: bytes) -> UhidEvent:
    """One message from the kernel. Raises UhidError naming what is wrong with it."""
    kind, body = _TYPE.unpack_from(_need(message, _TYPE.size, "type"))[0], message[_TYPE.size :]
    if kind == _OPEN:
        return Opened()
    if kind == _CLOSE:
        return Closed()
    if kind == _OUTPUT:
        size, report_type = _OUTPUT_TAIL.unpack_from(_need(body, MAX_REPORT_BYTES + 3, "output"), MAX_REPORT_BYTES)
        return Output(_report_type(report_type), body[: _size(size, "output.size")])
    if kind == _GET_REPORT:
        request, report_id, report_type = _GET_REPORT_HEAD.unpack_from(_need(body, 6, "get_report"))
        return GetReport(request, report_id, _report_type(report_type))
    if kind == _SET_REPORT:
        request, report_id, report_type, size = _SET_REPORT_HEAD.unpack_from(_need(body, 8, "set_report"))
        data = _need(body[8:], _size(size, "set_report.size"), "set_report.data")
        return SetReport(request, report_id, _report_type(report_type), data[:size])
    return Other(kind)


def _text(value: str, size: int) -> bytes:
    encoded = value.encode()
    if len(encoded) >= size:
        raise ValueError(f"{value!r} is longer than {size - 1} bytes")
    return encoded


def _report_type(value: int) -> ReportType:
    try:
        return ReportType(value)
    except ValueError:
        raise UhidError(f"report type {value}") from None


def _size(size: int, field: str) -> int:
    if size > MAX_REPORT_BYTES:
        raise UhidError(f"{field}: {size} bytes")
    return size


def _need(data: bytes, size: int, field: str) -> bytes:
    if len(data) < size:
        raise UhidError(f"{field}: {len(data)} bytes, {size} needed")
    return data
