"""QUIC datagrams by their first byte (punktfunk1.md §2.4, §6.9-6.11)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from punktfunk.wire.punktfunk1 import audio, pad_feedback, rich_input
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.hdr import HDR_BODY_BYTES, HdrMetadata
from punktfunk.wire.punktfunk1.input_event import TAG_INPUT, InputEvent, decode_input, encode_input

TAG_HDR = 0xCE
TAG_HOST_TIMING = 0xCF
TAG_CURSOR = 0xD0

_CURSOR = struct.Struct("<IBii")
_TIMING_FORMS = (struct.Struct("<QI"), struct.Struct("<QIIII"), struct.Struct("<QIIIIi"))


@dataclass(frozen=True, slots=True)
class CursorState:
    """Hotspot position in output pixels; ``relative_hint``: an application grabbed or hid the pointer."""

    serial: int
    visible: bool
    relative_hint: bool
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class HostTiming:
    """Where the time of the frame ``pts_ns`` went on the host; ``host_us`` is from capture to its last packet."""

    pts_ns: int
    host_us: int
    queue_us: int | None = None
    encode_us: int | None = None
    pace_us: int | None = None
    applied_phase_ns: int | None = None


@dataclass(frozen=True, slots=True)
class UnknownDatagram:
    """A tag that this direction does not know; ``tag`` is None for an empty datagram."""

    tag: int | None


FromClient = InputEvent | rich_input.RichInput | audio.MicrophoneFrame | UnknownDatagram
FromHost = (
    audio.AudioFrame
    | audio.RedundantAudioFrame
    | audio.PcmAudioFrame
    | audio.PadAudioFrame
    | pad_feedback.Rumble
    | pad_feedback.HidOutput
    | HdrMetadata
    | HostTiming
    | CursorState
    | UnknownDatagram
)


def _decode_hdr(data: bytes) -> HdrMetadata:
    return HdrMetadata.decode(data[1 : 1 + HDR_BODY_BYTES])


def _decode_cursor(data: bytes) -> CursorState:
    if len(data) < 1 + _CURSOR.size:
        raise MalformedError("cursor", f"{len(data)} bytes, {1 + _CURSOR.size} needed")
    serial, flags, x, y = _CURSOR.unpack_from(data, 1)
    return CursorState(serial, bool(flags & 1), bool(flags & 2), x, y)


def _decode_timing(data: bytes) -> HostTiming:
    for form in reversed(_TIMING_FORMS):
        if len(data) >= 1 + form.size:
            return HostTiming(*form.unpack_from(data, 1))
    raise MalformedError("host_timing", f"{len(data)} bytes, {1 + _TIMING_FORMS[0].size} needed")


_FROM_CLIENT: dict[int, Callable[[bytes], FromClient]] = {
    TAG_INPUT: decode_input,
    rich_input.TAG_RICH_INPUT: rich_input.decode_rich_input,
    audio.TAG_MICROPHONE: audio.decode_microphone,
}
_FROM_HOST: dict[int, Callable[[bytes], FromHost]] = {
    audio.TAG_AUDIO: audio.decode_audio,
    audio.TAG_AUDIO_REDUNDANT: audio.decode_redundant_audio,
    audio.TAG_AUDIO_PCM: audio.decode_pcm_audio,
    audio.TAG_PAD_AUDIO: audio.decode_pad_audio,
    pad_feedback.TAG_RUMBLE: pad_feedback.decode_rumble,
    pad_feedback.TAG_HID_OUTPUT: pad_feedback.decode_hid_output,
    TAG_HDR: _decode_hdr,
    TAG_HOST_TIMING: _decode_timing,
    TAG_CURSOR: _decode_cursor,
}


def decode_from_client(data: bytes) -> FromClient:
    """What a host receives; raises ``MalformedError`` for a known tag that is too short, to be dropped."""
    decoder = _FROM_CLIENT.get(data[0]) if data else None
    return decoder(data) if decoder else UnknownDatagram(data[0] if data else None)


def decode_from_host(data: bytes) -> FromHost:
    """What a client receives; raises ``MalformedError`` for a known tag that is too short, to be dropped."""
    decoder = _FROM_HOST.get(data[0]) if data else None
    return decoder(data) if decoder else UnknownDatagram(data[0] if data else None)


def encode_datagram(value: FromClient | FromHost) -> bytes:
    """The datagram of a value in either direction."""
    match value:
        case InputEvent():
            return encode_input(value)
        case audio.AudioFrame() | audio.PcmAudioFrame() | audio.MicrophoneFrame():
            return audio.encode_audio(value)
        case audio.RedundantAudioFrame():
            return audio.encode_redundant_audio(value)
        case audio.PadAudioFrame():
            return audio.encode_pad_audio(value)
        case pad_feedback.Rumble():
            return pad_feedback.encode_rumble(value)
        case HdrMetadata():
            return bytes([TAG_HDR]) + value.encode()
        case HostTiming():
            return _encode_timing(value)
        case CursorState():
            flags = value.visible | value.relative_hint << 1
            return bytes([TAG_CURSOR]) + _CURSOR.pack(value.serial, flags, value.x, value.y)
        case UnknownDatagram():
            raise MalformedError("datagram.tag", "unknown")
    if isinstance(value, rich_input.RichInput):
        return rich_input.encode_rich_input(value)
    return pad_feedback.encode_hid_output(value)


def _encode_timing(timing: HostTiming) -> bytes:
    fields: list[int | None] = [timing.queue_us, timing.encode_us, timing.pace_us, timing.applied_phase_ns]
    if None in fields[:3]:
        form, tail = _TIMING_FORMS[0], []
    elif timing.applied_phase_ns is None:
        form, tail = _TIMING_FORMS[1], fields[:3]
    else:
        form, tail = _TIMING_FORMS[2], fields
    return bytes([TAG_HOST_TIMING]) + form.pack(timing.pts_ns, timing.host_us, *tail)
