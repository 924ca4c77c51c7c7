"""The host's Welcome and the client's Start (punktfunk1.md §4.3, §4.6)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from punktfunk.wire.punktfunk1 import WIRE_VERSION
from punktfunk.wire.punktfunk1.caps import ALL_GRANTS, Grants, HostCaps, HostCaps2
from punktfunk.wire.punktfunk1.enums import AudioCodec, Cipher, Compositor, FecScheme, Gamepad, VideoCodec
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.extension import Extension, decode_extensions, encode_extensions
from punktfunk.wire.punktfunk1.hello import CHANNEL_COUNTS, HANDSHAKE_MAGIC

_FIXED = struct.Struct("<4sIH3IBBHHB16s4sI")
_AUDIO = struct.Struct("<BIBH")
_START = struct.Struct("<4sH")

COLOUR_SDR = (1, 1, 1, 0)
COLOUR_HDR10 = (9, 16, 9, 0)


@dataclass(frozen=True, slots=True)
class PcmAudio:
    """The lossless desktop audio that a host granted (§8.4)."""

    rate_hz: int
    bits: int
    frame_us: int


@dataclass(frozen=True, slots=True)
class Welcome:
    """What the session is. ``key`` and ``chacha_key`` never appear in the representation. ``cipher`` follows from
    ``chacha_key``; ``audio`` None is Opus at 48 kHz; ``colour`` holds CICP primaries, transfer, matrix, full range."""

    data_port: int
    width: int
    height: int
    refresh_hz: int
    shard_payload: int
    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    fec_scheme: FecScheme = FecScheme.GF16
    fec_percent: int = 10
    max_data_shards: int = 4096
    encrypted: bool = True
    frames: int = 0
    compositor: Compositor = Compositor.AUTO
    gamepad: Gamepad = Gamepad.AUTO
    bitrate_kbps: int = 0
    bit_depth: int = 8
    colour: tuple[int, int, int, int] = COLOUR_SDR
    chroma_format: int = 1
    audio_channels: int = 2
    codec: VideoCodec = VideoCodec.HEVC
    host_caps: HostCaps = HostCaps.NONE
    chacha_key: bytes | None = field(default=None, repr=False)
    management_port: int = 0
    grants: Grants = ALL_GRANTS
    access_seconds: int = 0
    audio: PcmAudio | None = None
    host_caps2: HostCaps2 = HostCaps2.NONE
    audio_layout: int = 0
    extensions: tuple[Extension, ...] = ()
    abi_version: int = WIRE_VERSION

    @property
    def cipher(self) -> Cipher:
        """Which AEAD seals the video plane."""
        return Cipher.AES_128_GCM if self.chacha_key is None else Cipher.CHACHA20_POLY1305


class _Optional:
    """Bytes 53 and up: each field has an older host's value when the message ends before it."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int, default: bytes) -> bytes:
        if len(self.data) < size:
            self.data = b""
            return default
        value, self.data = self.data[:size], self.data[size:]
        return value

    def unsigned(self, size: int, default: int) -> int:
        return int.from_bytes(self.take(size, default.to_bytes(size, "little")), "little")


def decode_welcome(data: bytes) -> Welcome:
    """A Welcome of any age. An unknown cipher or FEC scheme is an error: the session could not be opened."""
    if len(data) < _FIXED.size:
        raise MalformedError("welcome", f"{len(data)} bytes, at least {_FIXED.size} needed")
    (magic, version, port, width, height, hz, scheme, percent, max_data, shard, encrypted, key, salt, frames) = (
        _FIXED.unpack_from(data)
    )
    if magic != HANDSHAKE_MAGIC:
        raise MalformedError("welcome.magic", "not PKF1")
    if scheme > FecScheme.GF16:
        raise MalformedError("welcome.fec_scheme", f"{scheme} is unknown")
    tail = _Optional(data[_FIXED.size :])
    return Welcome(
        abi_version=version,
        data_port=port,
        width=width,
        height=height,
        refresh_hz=hz,
        fec_scheme=FecScheme(scheme),
        fec_percent=percent,
        max_data_shards=max_data,
        shard_payload=shard,
        encrypted=encrypted != 0,
        key=key,
        salt=salt,
        frames=frames,
        compositor=Compositor(tail.unsigned(1, 0)),
        gamepad=Gamepad(tail.unsigned(1, 0)),
        bitrate_kbps=tail.unsigned(4, 0),
        bit_depth=tail.unsigned(1, 8),
        colour=_colour(tail.take(4, bytes(COLOUR_SDR))),
        chroma_format=3 if tail.unsigned(1, 1) == 3 else 1,
        audio_channels=_one_of(CHANNEL_COUNTS, tail.unsigned(1, 2)),
        codec=_codec(tail.unsigned(1, VideoCodec.HEVC)),
        host_caps=HostCaps(tail.unsigned(1, 0)),
        chacha_key=_chacha_key(tail),
        management_port=tail.unsigned(2, 0),
        grants=Grants(tail.unsigned(4, ALL_GRANTS)),
        access_seconds=tail.unsigned(4, 0),
        audio=_audio(tail.take(_AUDIO.size, b"")),
        host_caps2=HostCaps2(tail.unsigned(1, 0)),
        audio_layout=tail.unsigned(1, 0),
        extensions=decode_extensions(tail.data) if tail.data else (),
    )


def encode_welcome(welcome: Welcome) -> bytes:
    """The shortest form that a v0.31 host writes: 68 bytes always, then each block only if it or a later one speaks."""
    w = welcome
    fixed = _FIXED.pack(
        *(HANDSHAKE_MAGIC, w.abi_version, w.data_port, w.width, w.height, w.refresh_hz, w.fec_scheme, w.fec_percent),
        *(w.max_data_shards, w.shard_payload, w.encrypted, _exact(w.key, 16, "key"), _exact(w.salt, 4, "salt")),
        w.frames,
    )
    fixed += struct.pack("<BBIB", w.compositor, w.gamepad, w.bitrate_kbps, w.bit_depth) + bytes(w.colour)
    fixed += bytes([w.chroma_format, w.audio_channels, w.codec, w.host_caps])
    cipher = bytes([w.cipher]) + (_exact(w.chacha_key, 32, "chacha_key") if w.chacha_key is not None else b"")
    access = struct.pack("<II", w.grants, w.access_seconds)
    audio = w.audio or PcmAudio(48_000, 16, 0)
    blocks: list[tuple[bytes, bool]] = [
        (cipher, w.chacha_key is not None),
        (w.management_port.to_bytes(2, "little"), w.management_port != 0),
        (access, w.grants != ALL_GRANTS or w.access_seconds != 0),
        (_AUDIO.pack(w.audio is not None, audio.rate_hz, audio.bits, audio.frame_us), w.audio is not None),
        (bytes([w.host_caps2]), w.host_caps2 != 0),
        (bytes([w.audio_layout]), w.audio_layout != 0),
        (encode_extensions(w.extensions), w.extensions != ()),
    ]
    last = max((i for i, (_, needed) in enumerate(blocks) if needed), default=-1)
    return fixed + b"".join(raw for raw, _ in blocks[: last + 1])


@dataclass(frozen=True, slots=True)
class Start:
    """The client is ready; ``udp_port`` is where it will bind its data socket."""

    udp_port: int
    extensions: tuple[Extension, ...] = ()


def decode_start(data: bytes) -> Start:
    """A Start, with or without an extension block."""
    if len(data) < _START.size:
        raise MalformedError("start", f"{len(data)} bytes, at least {_START.size} needed")
    magic, port = _START.unpack_from(data)
    if magic != HANDSHAKE_MAGIC:
        raise MalformedError("start.magic", "not PKF1")
    tail = data[_START.size :]
    return Start(port, decode_extensions(tail) if tail else ())


def encode_start(start: Start) -> bytes:
    """Six bytes, and the extension block if there is one."""
    tail = encode_extensions(start.extensions) if start.extensions else b""
    return _START.pack(HANDSHAKE_MAGIC, start.udp_port) + tail


def _chacha_key(tail: _Optional) -> bytes | None:
    cipher = tail.unsigned(1, 0)
    if cipher == Cipher.AES_128_GCM:
        return None
    if cipher != Cipher.CHACHA20_POLY1305:
        raise MalformedError("welcome.cipher", f"{cipher} is unknown")
    key = tail.take(32, b"")
    if not key:
        raise MalformedError("welcome.chacha_key", "missing")
    return key


def _audio(raw: bytes) -> PcmAudio | None:
    if not raw:
        return None
    codec, rate_hz, bits, frame_us = _AUDIO.unpack(raw)
    return PcmAudio(rate_hz, bits, frame_us) if codec == AudioCodec.PCM else None


def _codec(bits: int) -> VideoCodec:
    return VideoCodec(bits) if bits in (1, 2, 4, 8) else VideoCodec.HEVC


def _colour(raw: bytes) -> tuple[int, int, int, int]:
    return (raw[0], raw[1], raw[2], raw[3])


def _one_of(allowed: tuple[int, ...], value: int) -> int:
    return value if value in allowed else allowed[0]


def _exact(raw: bytes, size: int, name: str) -> bytes:
    if len(raw) != size:
        raise MalformedError(f"welcome.{name}", f"{len(raw)} bytes instead of {size}")
    return raw
