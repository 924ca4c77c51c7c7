"""What leaves an encoder: access units and Opus packets, with the times they were made."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass


class Codec(enum.StrEnum):
    """Video codecs that a plan can name."""

    H264 = "h264"
    HEVC = "hevc"
    AV1 = "av1"


class FrameKind(enum.Enum):
    """How a frame depends on others."""

    KEY = "key"
    """Decodes on its own; carries its parameter sets."""
    DELTA = "delta"
    """Predicted from the frame before."""
    RECOVERY = "recovery"
    """Predicted only from frames before an invalidated range: the first clean picture after a loss."""


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One access unit (H.264 and HEVC: Annex B; AV1: one temporal unit in low-overhead OBU form).

    ``source_id`` counts the source's frames, +1 each, and names the frame to ``VideoSource.invalidate``.
    All times are CLOCK_MONOTONIC nanoseconds.
    """

    data: bytes | memoryview
    kind: FrameKind
    source_id: int
    capture_ns: int
    encode_start_ns: int
    encoded_ns: int


@dataclass(frozen=True, slots=True)
class OpusPacket:
    """One packet of the plan's duration, Opus or samples as the plan says; ``capture_ns`` is CLOCK_MONOTONIC."""

    data: bytes | memoryview
    capture_ns: int


FrameHandler = Callable[[EncodedFrame], None]
PacketHandler = Callable[[OpusPacket], None]
