"""Audio datagrams in both directions: 0xC9, 0xCB, 0xD1, 0xD2, 0xD3 (punktfunk1.md §8)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from punktfunk.wire.punktfunk1.errors import MalformedError

TAG_AUDIO = 0xC9
TAG_MICROPHONE = 0xCB
TAG_PAD_AUDIO = 0xD1
TAG_AUDIO_REDUNDANT = 0xD2
TAG_AUDIO_PCM = 0xD3

_HEAD = struct.Struct("<BIQ")
_REDUNDANT_HEAD = struct.Struct("<BIQH")
_PAD_HEAD = struct.Struct("<BBBIQ")


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """One Opus frame of the desktop; an empty ``payload`` is silence. ``pts_ns`` is the host's wall clock."""

    seq: int
    pts_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class RedundantAudioFrame:
    """One Opus frame and a copy of the frame before it (empty if there was none)."""

    seq: int
    pts_ns: int
    payload: bytes
    previous: bytes


@dataclass(frozen=True, slots=True)
class PcmAudioFrame:
    """Interleaved signed samples, two or three little-endian bytes each as the Welcome says."""

    seq: int
    pts_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class MicrophoneFrame:
    """One Opus frame of the client; ``pts_ns`` is the client's wall clock."""

    seq: int
    pts_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class PadAudioFrame:
    """One Opus frame for a controller; ``kind`` 0 haptics, 1 speaker."""

    pad: int
    kind: int
    seq: int
    pts_ns: int
    payload: bytes


def decode_audio(data: bytes) -> AudioFrame:
    """Tag 0xC9."""
    return AudioFrame(*_head(data, "audio"), data[_HEAD.size :])


def decode_pcm_audio(data: bytes) -> PcmAudioFrame:
    """Tag 0xD3."""
    return PcmAudioFrame(*_head(data, "pcm_audio"), data[_HEAD.size :])


def decode_microphone(data: bytes) -> MicrophoneFrame:
    """Tag 0xCB."""
    return MicrophoneFrame(*_head(data, "microphone"), data[_HEAD.size :])


def decode_redundant_audio(data: bytes) -> RedundantAudioFrame:
    """Tag 0xD2."""
    if len(data) < _REDUNDANT_HEAD.size:
        raise MalformedError("redundant_audio", f"{len(data)} bytes, {_REDUNDANT_HEAD.size} needed")
    _, seq, pts_ns, size = _REDUNDANT_HEAD.unpack_from(data)
    payload = data[_REDUNDANT_HEAD.size : _REDUNDANT_HEAD.size + size]
    if len(payload) < size:
        raise MalformedError("redundant_audio.primary_len", f"{size} bytes announced, {len(payload)} there")
    return RedundantAudioFrame(seq, pts_ns, payload, data[_REDUNDANT_HEAD.size + size :])


def decode_pad_audio(data: bytes) -> PadAudioFrame:
    """Tag 0xD1."""
    if len(data) < _PAD_HEAD.size:
        raise MalformedError("pad_audio", f"{len(data)} bytes, {_PAD_HEAD.size} needed")
    _, pad, kind, seq, pts_ns = _PAD_HEAD.unpack_from(data)
    return PadAudioFrame(pad, kind, seq, pts_ns, data[_PAD_HEAD.size :])


def encode_audio(frame: AudioFrame | PcmAudioFrame | MicrophoneFrame) -> bytes:
    """The three forms that differ only in their tag."""
    return _HEAD.pack(_TAGS[type(frame)], frame.seq, frame.pts_ns) + frame.payload


def encode_redundant_audio(frame: RedundantAudioFrame) -> bytes:
    """Tag 0xD2."""
    head = _REDUNDANT_HEAD.pack(TAG_AUDIO_REDUNDANT, frame.seq, frame.pts_ns, len(frame.payload))
    return head + frame.payload + frame.previous


def encode_pad_audio(frame: PadAudioFrame) -> bytes:
    """Tag 0xD1."""
    return _PAD_HEAD.pack(TAG_PAD_AUDIO, frame.pad, frame.kind, frame.seq, frame.pts_ns) + frame.payload


_TAGS: dict[type, int] = {AudioFrame: TAG_AUDIO, PcmAudioFrame: TAG_AUDIO_PCM, MicrophoneFrame: TAG_MICROPHONE}


def _head(data: bytes, field: str) -> tuple[int, int]:
    if len(data) < _HEAD.size:
        raise MalformedError(field, f"{len(data)} bytes, {_HEAD.size} needed")
    _, seq, pts_ns = _HEAD.unpack_from(data)
    return seq, pts_ns
