"""Rumble and HID output: datagrams 0xCA and 0xCD (punktfunk1.md §7.6, §7.7)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from punktfunk.wire.punktfunk1.errors import MalformedError

TAG_RUMBLE = 0xCA
TAG_HID_OUTPUT = 0xCD
MAX_EFFECT_BYTES = 11
MAX_RAW_OUTPUT_BYTES = 64
AUDIO_CONTROL_BYTES = 6

_RUMBLE_V1 = struct.Struct("<HHH")
_RUMBLE_V2 = struct.Struct("<HHHBH")
_RUMBLE_V3 = struct.Struct("<HHHBHHH")


@dataclass(frozen=True, slots=True)
class Rumble:
    """Motor levels 0..65535. The first form has no ``seq`` and ``ttl_ms``; only the third has trigger levels."""

    pad: int
    low: int
    high: int
    seq: int | None = None
    ttl_ms: int | None = None
    left_trigger: int = 0
    right_trigger: int = 0


@dataclass(frozen=True, slots=True)
class Led:
    """Colour of a pad's light."""

    pad: int
    red: int
    green: int
    blue: int


@dataclass(frozen=True, slots=True)
class PlayerLeds:
    """Player lights, low five bits."""

    pad: int
    bits: int


@dataclass(frozen=True, slots=True)
class AdaptiveTrigger:
    """DualSense trigger effect (mode byte and parameters); ``which`` 0 = L2, 1 = R2."""

    pad: int
    which: int
    effect: bytes


@dataclass(frozen=True, slots=True)
class TrackpadHaptic:
    """A pulse train on a trackpad; ``side`` 0 right, 1 left."""

    pad: int
    side: int
    amplitude: int
    period: int
    count: int


@dataclass(frozen=True, slots=True)
class RawOutput:
    """An output (or feature) report for the pad itself, report id first."""

    pad: int
    feature: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class PadAudioControl:
    """Bytes 5..10 of a DualSense output report."""

    pad: int
    flags: int
    data: bytes


@dataclass(frozen=True, slots=True)
class UnknownHidOutput:
    """A kind that nobody here knows."""

    kind: int


HidOutput = Led | PlayerLeds | AdaptiveTrigger | TrackpadHaptic | RawOutput | PadAudioControl | UnknownHidOutput


def decode_rumble(data: bytes) -> Rumble:
    """Any of the three forms; what is longer than a form but shorter than the next reads as the former."""
    body = data[1:]
    for layout in (_RUMBLE_V3, _RUMBLE_V2, _RUMBLE_V1):
        if len(body) >= layout.size:
            return Rumble(*layout.unpack_from(body))
    raise MalformedError("rumble", f"{len(data)} bytes, {_RUMBLE_V1.size + 1} needed")


def encode_rumble(rumble: Rumble) -> bytes:
    """The third form, or the first when there is no ``seq``."""
    r = rumble
    if r.seq is None or r.ttl_ms is None:
        return bytes([TAG_RUMBLE]) + _RUMBLE_V1.pack(r.pad, r.low, r.high)
    packed = _RUMBLE_V3.pack(r.pad, r.low, r.high, r.seq, r.ttl_ms, r.left_trigger, r.right_trigger)
    return bytes([TAG_RUMBLE]) + packed


def _led(body: bytes) -> Led:
    return Led(*_need(body, 4, "led"))


def _player_leds(body: bytes) -> PlayerLeds:
    pad, bits = _need(body, 2, "player_leds")
    return PlayerLeds(pad, bits & 0x1F)


def _adaptive_trigger(body: bytes) -> AdaptiveTrigger:
    pad, which = _need(body, 2, "trigger")
    effect = body[2 : 2 + MAX_EFFECT_BYTES]
    if not effect:
        raise MalformedError("trigger.effect", "missing")
    return AdaptiveTrigger(pad, which, effect)


def _trackpad_haptic(body: bytes) -> TrackpadHaptic:
    return TrackpadHaptic(*struct.unpack("<BBHHH", _need(body, 8, "trackpad_haptic")))


def _raw_output(body: bytes) -> RawOutput:
    pad, kind = _need(body, 2, "raw_output")
    if len(body) - 2 > MAX_RAW_OUTPUT_BYTES:
        raise MalformedError("raw_output.data", f"{len(body) - 2} bytes, at most {MAX_RAW_OUTPUT_BYTES} allowed")
    return RawOutput(pad, kind == 1, body[2:])


def _audio_control(body: bytes) -> PadAudioControl:
    pad, flags, data = struct.unpack("<HB6s", _need(body, 3 + AUDIO_CONTROL_BYTES, "audio_control"))
    if pad >= 16:
        raise MalformedError("audio_control.pad", f"{pad} is no pad")
    return PadAudioControl(pad, flags, data)


_DECODERS: dict[int, Callable[[bytes], HidOutput]] = {
    1: _led,
    2: _player_leds,
    3: _adaptive_trigger,
    4: _trackpad_haptic,
    5: _raw_output,
    6: _audio_control,
}


def decode_hid_output(data: bytes) -> HidOutput:
    """One datagram of tag 0xCD."""
    if len(data) < 2:
        raise MalformedError("hid_output", "too short")
    decoder = _DECODERS.get(data[1])
    return decoder(data[2:]) if decoder else UnknownHidOutput(data[1])


def encode_hid_output(value: HidOutput) -> bytes:
    """The datagram of a known kind."""
    match value:
        case Led():
            body = bytes([1, value.pad, value.red, value.green, value.blue])
        case PlayerLeds():
            body = bytes([2, value.pad, value.bits])
        case AdaptiveTrigger():
            body = bytes([3, value.pad, value.which]) + value.effect
        case TrackpadHaptic():
            body = struct.pack("<BBBHHH", 4, value.pad, value.side, value.amplitude, value.period, value.count)
        case RawOutput():
            body = bytes([5, value.pad, value.feature]) + value.data
        case PadAudioControl():
            body = struct.pack("<BHB6s", 6, value.pad, value.flags, value.data)
        case UnknownHidOutput():
            raise MalformedError("hid_output.kind", "unknown")
    return bytes([TAG_HID_OUTPUT]) + body


def _need(body: bytes, size: int, field: str) -> bytes:
    if len(body) < size:
        raise MalformedError(field, f"{len(body)} bytes, {size} needed")
    return body[:size]
