"""The client's Hello (punktfunk1.md §4.2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from punktfunk.wire.punktfunk1 import WIRE_VERSION
from punktfunk.wire.punktfunk1.caps import ClientCaps, VideoCaps
from punktfunk.wire.punktfunk1.enums import Compositor, Gamepad, VideoCodec
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.hdr import HDR_BODY_BYTES, HdrMetadata
from punktfunk.wire.punktfunk1.reader import bounded_text

HANDSHAKE_MAGIC = b"PKF1"
MAX_NAME_BYTES = 64
MAX_LAUNCH_BYTES = 128
CHANNEL_COUNTS = (2, 6, 8)

_FIXED = struct.Struct("<4s4I")


@dataclass(frozen=True, slots=True)
class Hello:
    """What the client wants and can. ``bitrate_kbps`` 0 = automatic, ``max_shard_payload`` 0 = fixed geometry only,
    ``video_codecs`` 0 = HEVC only. ``name`` is for display, ``launch_id`` names an entry of the host's library."""

    width: int
    height: int
    refresh_hz: int
    compositor: Compositor = Compositor.AUTO
    gamepad: Gamepad = Gamepad.AUTO
    bitrate_kbps: int = 0
    name: str | None = None
    launch_id: str | None = None
    video_caps: VideoCaps = VideoCaps.NONE
    audio_channels: int = 2
    video_codecs: VideoCodec = VideoCodec.NONE
    preferred_codec: VideoCodec = VideoCodec.NONE
    display_hdr: HdrMetadata | None = None
    client_caps: ClientCaps = ClientCaps.NONE
    max_shard_payload: int = 0
    audio_rate_hz: int = 48_000
    audio_bits: int = 16
    audio_layout: int = 0
    video_fit: int = 0
    abi_version: int = WIRE_VERSION


class _Tail:
    """The optional fields: what is missing, or cut short, takes its default, and so does everything behind it."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def unsigned(self, size: int, default: int) -> int:
        if len(self.data) < size:
            self.data = b""
            return default
        value, self.data = int.from_bytes(self.data[:size], "little"), self.data[size:]
        return value

    def text(self, limit: int) -> str | None:
        size = self.unsigned(1, 0)
        raw, self.data = self.data[:size], self.data[size:]
        if not 0 < size <= limit or len(raw) < size:
            return None
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return None

    def hdr(self) -> HdrMetadata | None:
        """Field 7 has no placeholder: only the number of bytes left tells whether it is there."""
        if len(self.data) < HDR_BODY_BYTES:
            return None
        raw, self.data = self.data[:HDR_BODY_BYTES], self.data[HDR_BODY_BYTES:]
        return HdrMetadata.decode(raw)


def decode_hello(data: bytes) -> Hello:
    """A Hello of any age; raises ``MalformedError`` for a wrong magic or less than the 20 fixed bytes."""
    if len(data) < _FIXED.size:
        raise MalformedError("hello", f"{len(data)} bytes, at least {_FIXED.size} needed")
    magic, version, width, height, refresh_hz = _FIXED.unpack_from(data)
    if magic != HANDSHAKE_MAGIC:
        raise MalformedError("hello.magic", "not PKF1")
    tail = _Tail(data[_FIXED.size :])
    return Hello(
        width=width,
        height=height,
        refresh_hz=refresh_hz,
        compositor=Compositor(tail.unsigned(1, 0)),
        gamepad=Gamepad(tail.unsigned(1, 0)),
        bitrate_kbps=tail.unsigned(4, 0),
        name=tail.text(MAX_NAME_BYTES),
        launch_id=tail.text(MAX_LAUNCH_BYTES),
        video_caps=VideoCaps(tail.unsigned(1, 0)),
        audio_channels=_channels(tail.unsigned(1, 2)),
        video_codecs=VideoCodec(tail.unsigned(1, 0)),
        preferred_codec=VideoCodec(tail.unsigned(1, 0)),
        display_hdr=tail.hdr(),
        client_caps=ClientCaps(tail.unsigned(1, 0)),
        max_shard_payload=tail.unsigned(2, 0),
        audio_rate_hz=tail.unsigned(4, 48_000),
        audio_bits=tail.unsigned(1, 0) or 16,
        audio_layout=tail.unsigned(1, 0),
        video_fit=tail.unsigned(1, 0),
        abi_version=version,
    )


def encode_hello(hello: Hello) -> bytes:
    """The shortest form: a field is written only if it or a later one says something."""
    fixed = _FIXED.pack(HANDSHAKE_MAGIC, hello.abi_version, hello.width, hello.height, hello.refresh_hz)
    fixed += struct.pack("<BBI", hello.compositor, hello.gamepad, hello.bitrate_kbps)
    fields: list[tuple[bytes, bool]] = [
        (_short_text(hello.name, MAX_NAME_BYTES, "hello.name"), bool(hello.name)),
        (_short_text(hello.launch_id, MAX_LAUNCH_BYTES, "hello.launch_id"), bool(hello.launch_id)),
        (bytes([hello.video_caps]), hello.video_caps != 0),
        (bytes([hello.audio_channels]), hello.audio_channels != 2),
        (bytes([hello.video_codecs]), hello.video_codecs != 0),
        (bytes([hello.preferred_codec]), hello.preferred_codec != 0),
        (hello.display_hdr.encode() if hello.display_hdr else b"", hello.display_hdr is not None),
        (bytes([hello.client_caps]), hello.client_caps != 0),
        (hello.max_shard_payload.to_bytes(2, "little"), hello.max_shard_payload != 0),
        (hello.audio_rate_hz.to_bytes(4, "little"), hello.audio_rate_hz != 48_000),
        (bytes([0 if hello.audio_bits == 16 else hello.audio_bits]), hello.audio_bits != 16),
        (bytes([hello.audio_layout]), hello.audio_layout != 0),
        (bytes([hello.video_fit]), hello.video_fit != 0),
    ]
    last = max((i for i, (_, needed) in enumerate(fields) if needed), default=-1)
    return fixed + b"".join(raw for raw, _ in fields[: last + 1])


def _short_text(text: str | None, limit: int, field: str) -> bytes:
    raw = bounded_text(text or "", limit, field)
    return bytes([len(raw)]) + raw


def _channels(count: int) -> int:
    return count if count in CHANNEL_COUNTS else 2
