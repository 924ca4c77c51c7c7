"""Rich input: datagram 0xCC, touchpads, motion, raw reports and pens (punktfunk1.md §7.4, §7.5)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from punktfunk.wire.punktfunk1.errors import MalformedError

TAG_RICH_INPUT = 0xCC
MAX_RAW_REPORT_BYTES = 64
MAX_PEN_SAMPLES = 8

PEN_IN_RANGE, PEN_TOUCHING, PEN_BARREL_1, PEN_BARREL_2, PEN_PREDICTED = 0x01, 0x02, 0x04, 0x08, 0x80
PEN_TOOL_PEN, PEN_TOOL_ERASER, PEN_TOOL_UNKNOWN = 0, 1, 0xFF
UNKNOWN_U8, UNKNOWN_U16 = 0xFF, 0xFFFF

_TOUCHPAD = struct.Struct("<BBBHH")
_MOTION = struct.Struct("<B6h")
_TOUCHPAD_EX = struct.Struct("<BBBBhhH")
_PEN_HEAD = struct.Struct("<BBH")
_PEN_SAMPLE = struct.Struct("<BBffHHBHHH")


@dataclass(frozen=True, slots=True)
class Touchpad:
    """A finger on a pad's touchpad; 0..65535 from the top left."""

    pad: int
    finger: int
    active: bool
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Motion:
    """Gyroscope (pitch, yaw, roll; 20 units per °/s) and accelerometer (10 000 units per g)."""

    pad: int
    gyro: tuple[int, int, int]
    acceleration: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class TouchpadEx:
    """A finger on one of several surfaces (0 single, 1 left, 2 right); centred coordinates, down positive."""

    pad: int
    surface: int
    finger: int
    touching: bool
    clicked: bool
    x: int
    y: int
    pressure: int


@dataclass(frozen=True, slots=True)
class RawReport:
    """A controller's own HID report, report id first."""

    pad: int
    report: bytes


@dataclass(frozen=True, slots=True)
class PenSample:
    """State of the pen at one moment; position 0..1 of the picture, ``dt_us`` since the sample before."""

    state: int
    tool: int
    x: float
    y: float
    pressure: int = 0
    distance: int = UNKNOWN_U16
    tilt: int = UNKNOWN_U8
    azimuth: int = UNKNOWN_U16
    roll: int = UNKNOWN_U16
    dt_us: int = 0


@dataclass(frozen=True, slots=True)
class PenBatch:
    """Samples, oldest first; ``seq`` wraps at 16 bits."""

    seq: int
    samples: tuple[PenSample, ...]


@dataclass(frozen=True, slots=True)
class UnknownRich:
    """A kind that nobody here knows."""

    kind: int


RichInput = Touchpad | Motion | TouchpadEx | RawReport | PenBatch | UnknownRich


def _touchpad(body: bytes) -> Touchpad:
    pad, finger, active, x, y = _unpack(_TOUCHPAD, body, "touchpad")
    return Touchpad(pad, finger, active != 0, x, y)


def _motion(body: bytes) -> Motion:
    pad, *axes = _unpack(_MOTION, body, "motion")
    return Motion(pad, (axes[0], axes[1], axes[2]), (axes[3], axes[4], axes[5]))


def _touchpad_ex(body: bytes) -> TouchpadEx:
    pad, surface, finger, state, x, y, pressure = _unpack(_TOUCHPAD_EX, body, "touchpad_ex")
    return TouchpadEx(pad, surface, finger, bool(state & 1), bool(state & 2), x, y, pressure)


def _raw_report(body: bytes) -> RawReport:
    if len(body) < 2 or body[1] > MAX_RAW_REPORT_BYTES or len(body) < 2 + body[1]:
        raise MalformedError("raw_report.len", "missing, too large or cut short")
    return RawReport(body[0], body[2 : 2 + body[1]])


def _pen_batch(body: bytes) -> PenBatch:
    _, count, seq = _unpack(_PEN_HEAD, body, "pen")
    if not 1 <= count <= MAX_PEN_SAMPLES or len(body) < _PEN_HEAD.size + count * _PEN_SAMPLE.size:
        raise MalformedError("pen.count", f"{count} samples in {len(body)} bytes")
    offsets = range(_PEN_HEAD.size, _PEN_HEAD.size + count * _PEN_SAMPLE.size, _PEN_SAMPLE.size)
    return PenBatch(seq, tuple(_pen_sample(*_PEN_SAMPLE.unpack_from(body, offset)) for offset in offsets))


def _pen_sample(state: int, tool: int, x: float, y: float, *rest: int) -> PenSample:
    if not (math.isfinite(x) and math.isfinite(y)):
        raise MalformedError("pen.position", "not a finite number")
    return PenSample(state, tool, min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0), *rest)


_DECODERS: dict[int, Callable[[bytes], RichInput]] = {
    1: _touchpad,
    2: _motion,
    3: _touchpad_ex,
    4: _raw_report,
    5: _pen_batch,
}


def decode_rich_input(data: bytes) -> RichInput:
    """One datagram; longer ones are accepted, their tail is ignored. A pen batch with any non-finite position is
    refused as a whole."""
    if len(data) < 2 or data[0] != TAG_RICH_INPUT:
        raise MalformedError("rich_input", "too short or another tag")
    decoder = _DECODERS.get(data[1])
    return decoder(data[2:]) if decoder else UnknownRich(data[1])


def encode_rich_input(value: RichInput) -> bytes:
    """The datagram of a known kind."""
    match value:
        case Touchpad():
            body = b"\x01" + _TOUCHPAD.pack(value.pad, value.finger, value.active, value.x, value.y)
        case Motion():
            body = b"\x02" + _MOTION.pack(value.pad, *value.gyro, *value.acceleration)
        case TouchpadEx():
            state = value.touching | value.clicked << 1
            body = b"\x03" + _TOUCHPAD_EX.pack(
                value.pad, value.surface, value.finger, state, value.x, value.y, value.pressure
            )
        case RawReport():
            if len(value.report) > MAX_RAW_REPORT_BYTES:
                raise MalformedError("raw_report.len", f"{len(value.report)} bytes")
            body = bytes([4, value.pad, len(value.report)]) + value.report
        case PenBatch():
            body = b"\x05" + _encode_pen(value)
        case UnknownRich():
            raise MalformedError("rich_input.kind", "unknown")
    return bytes([TAG_RICH_INPUT]) + body


def _encode_pen(batch: PenBatch) -> bytes:
    if not 1 <= len(batch.samples) <= MAX_PEN_SAMPLES:
        raise MalformedError("pen.count", f"{len(batch.samples)} samples")
    packed = (
        _PEN_SAMPLE.pack(
            *(s.state, s.tool, s.x, s.y, s.pressure, s.distance, s.tilt, s.azimuth, s.roll, s.dt_us),
        )
        for s in batch.samples
    )
    return _PEN_HEAD.pack(0, len(batch.samples), batch.seq) + b"".join(packed)


def _unpack(layout: struct.Struct, body: bytes, field: str) -> tuple[int, ...]:
    if len(body) < layout.size:
        raise MalformedError(field, f"{len(body)} bytes, {layout.size} needed")
    return layout.unpack_from(body)
