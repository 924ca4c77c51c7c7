"""Frames to what the decoder gets, and the requests a client makes after losses (gamestream.md §4.4, §4.9, §4.10)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from .bitstream import BitstreamChecker
from .options import Codec
from .shard import FRAME_HEADER_BYTES
from .video import LostFrames, RawFrame
from .violations import Violations

MAX_CONSECUTIVE_DROPS = 120


class FrameType(IntEnum):
    P = 1
    IDR = 2
    INTRA_REFRESH = 4
    P_AFTER_INVALIDATION = 5


@dataclass(frozen=True, slots=True)
class Frame:
    """One access unit as it would reach the decoder. Times are ``time.monotonic`` seconds."""

    index: int
    type: int
    latency_tenths_ms: int
    data: bytes
    recovered: bool
    idr: bool
    timestamp_90khz: int
    started_at: float
    arrived_at: float


class RequestIdr(NamedTuple):
    pass


class InvalidateReferences(NamedTuple):
    first: int
    last: int


class AcknowledgeLtr(NamedTuple):
    frame: int


Request = RequestIdr | InvalidateReferences | AcknowledgeLtr


class Depacketiser:
    """Decides for every frame: deliver or drop, and what to ask the host for."""

    def __init__(self, codec: Codec, checker: BitstreamChecker, rfi: bool, violations: Violations) -> None:
        self.delivered = self.dropped = self.lost = self.idrs = 0
        self.idr_requests = self.rfi_requests = 0
        self._codec, self._checker, self._rfi, self._violations = codec, checker, rfi, violations
        self._waiting_for_idr, self._idr_asked = True, False
        self._waiting_for_reference = False
        self._idr_seen = False
        self._next = 1
        """The frame after the last one delivered."""
        self._consecutive_drops = 0

    def on_lost(self, lost: LostFrames) -> list[Request]:
        self.lost += lost.last - lost.first + 1
        if self._rfi and self._idr_seen and not self._waiting_for_idr:
            self._waiting_for_reference = True
            return [self._invalidate(lost.last)]
        self._waiting_for_idr, self._idr_asked = True, False
        return self._count_consecutive()

    def on_frame(self, raw: RawFrame) -> tuple[Frame | None, list[Request]]:
        frame = self._parse(raw)
        requests: list[Request] = []
        if frame is None:
            return None, [*self._ask_idr(), *self._count_drop()]
        if raw.long_term_reference and self._rfi:
            requests.append(AcknowledgeLtr(raw.frame))
        if self._waiting_for_idr and not frame.idr:
            return None, [*requests, *self._ask_idr(), *self._count_drop()]
        if self._waiting_for_reference:
            if frame.type not in (FrameType.IDR, FrameType.INTRA_REFRESH, FrameType.P_AFTER_INVALIDATION):
                return None, [*requests, self._invalidate(frame.index), *self._count_drop()]
            self._waiting_for_reference = False
        if frame.idr:
            self._waiting_for_idr, self._idr_seen = False, True
            self.idrs += 1
        self._consecutive_drops = 0
        self._next = frame.index + 1
        self.delivered += 1
        return frame, requests

    def expect_idr(self) -> RequestIdr:
        """The user or the decoder asks for an IDR; frames keep flowing until it comes."""
        self.idr_requests += 1
        return RequestIdr()

    def _invalidate(self, last: int) -> InvalidateReferences:
        self.rfi_requests += 1
        return InvalidateReferences(self._next, last)

    def _ask_idr(self) -> list[Request]:
        if self._idr_asked:
            return []
        self._idr_asked = True
        return [self.expect_idr()]

    def _count_drop(self) -> list[Request]:
        self.dropped += 1
        return self._count_consecutive()

    def _count_consecutive(self) -> list[Request]:
        self._consecutive_drops += 1
        if self._consecutive_drops < MAX_CONSECUTIVE_DROPS:
            return []
        self._consecutive_drops = 0
        self._waiting_for_idr, self._waiting_for_reference = True, False
        self._idr_asked = True
        self._violations.add("video.no-recovery", f"{MAX_CONSECUTIVE_DROPS} frames dropped in a row")
        return [self.expect_idr()]

    def _parse(self, raw: RawFrame) -> Frame | None:
        header = raw.payload[:FRAME_HEADER_BYTES]
        kind = header[3]
        last = int.from_bytes(header[4:6], "little")
        padding = raw.first_payload_bytes - last
        if header[0] != 1 or not 0 <= padding < raw.first_payload_bytes:
            self._violations.add("video.frame-header", f"frame {raw.frame}: {header.hex()}")
            return None
        data = raw.payload[FRAME_HEADER_BYTES : len(raw.payload) - padding]
        looks_idr = self._checker.check(raw.frame, kind, data, raw.first_payload_bytes - FRAME_HEADER_BYTES)
        return Frame(
            index=raw.frame,
            type=kind,
            latency_tenths_ms=int.from_bytes(header[1:3], "little"),
            data=data,
            recovered=raw.recovered,
            idr=kind == FrameType.IDR if self._codec is Codec.AV1 else looks_idr,
            timestamp_90khz=raw.timestamp,
            started_at=raw.started_at,
            arrived_at=raw.arrived_at,
        )
