"""What a GameStream worker is told about its stream, beside the neutral plans."""

from __future__ import annotations

import msgspec


class GameStreamTransport(msgspec.Struct, frozen=True):
    """How media goes on the wire. ``key`` is None where that kind of media is not encrypted."""

    packet_size: int
    fec_percentage: int
    min_fec_packets: int
    packet_ms: int
    video_key: bytes | None
    audio_key: bytes | None
    audio_key_id: int = 0


class SetFec(msgspec.Struct, frozen=True):
    """Command to the worker: parity from the next frame on."""

    percentage: int
