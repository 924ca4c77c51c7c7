"""Opened packets into access units: the window of frames in flight and its limits (punktfunk1.md §5.8)."""

from __future__ import annotations

import struct
from collections import OrderedDict
from dataclasses import dataclass

from punktfunk.client.frame import Frame, Limits, PacketHeader
from punktfunk.wire.punktfunk1.video import HEADER_BYTES, HEADER_MAGIC, FrameFlags

WINDOW_FRAMES = 64
"""An incomplete frame this far behind the newest is lost; so many finished ones are remembered."""

MAX_AGE_NS = 120_000_000
"""An incomplete frame whose time stamp is this much older than the newest is lost."""

MAX_HELD_FRAMES = 4
"""Shards in memory never exceed this many frames of the largest size."""

_U32 = 1 << 32
_FAST = struct.Struct("<8xI4x16sHHB")


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One whole access unit. ``recovered`` shards of it came from FEC, of which it carried ``fec_percent``."""

    frame_index: int
    pts_ns: int
    flags: FrameFlags
    data: bytes
    recovered: int
    fec_percent: float = 0.0


@dataclass(slots=True)
class ReassemblyStatistics:
    """Counters since the start. ``late`` shards arrived after FEC had replaced them; ``dropped`` frames will never
    be whole, whether or not a packet of them was seen."""

    packets: int = 0
    malformed: int = 0
    late: int = 0
    recovered: int = 0
    delivered: int = 0
    dropped: int = 0
    newest_dropped: int | None = None
    """The index of the newest frame among ``dropped``."""


class Reassembler:
    """Memory is bounded whatever arrives: by frames, by bytes and by age."""

    def __init__(self, limits: Limits) -> None:
        self.statistics = ReassemblyStatistics()
        self._limits = limits
        self._frames: dict[int, Frame] = {}
        self._done: OrderedDict[int, bool] = OrderedDict()
        self._unseen: OrderedDict[int, int] = OrderedDict()
        self._held_bytes = 0
        self._newest: int | None = None
        self._newest_pts = 0

    @property
    def held_bytes(self) -> int:
        """Shard bytes in memory."""
        return self._held_bytes

    @property
    def frames_in_flight(self) -> int:
        """Frames begun and not finished."""
        return len(self._frames)

    def add(self, plain: bytes) -> AccessUnit | None:
        """Take one opened video packet; the access unit that it completes, if any. Never raises."""
        if len(plain) <= HEADER_BYTES:
            self.statistics.malformed += 1
            return None
        self.statistics.packets += 1
        index, signature, shard_index, shard_bytes, magic = _FAST.unpack_from(plain)
        frame = self._frames.get(index)
        block = frame.by_signature.get(signature) if frame else None
        # A block is found only under bytes that were checked when it was opened; here is the rest of the header.
        if (
            frame is None
            or block is None
            or shard_bytes != frame.shard_bytes
            or len(plain) != HEADER_BYTES + shard_bytes
            or shard_index >= block.data_shards + block.recovery_shards
            or magic != HEADER_MAGIC
        ):
            header = PacketHeader.parse(plain)
            if not self._limits.accepts(header, len(plain)):
                self.statistics.malformed += 1
                return None
            frame = frame or self._open(header)
            if frame is None:
                return None
            block = frame.block(header, signature)
            if block is None:
                self.statistics.malformed += 1
                return None
        if not block.add(shard_index, plain[HEADER_BYTES:]):
            self.statistics.late += block.complete and shard_index < block.data_shards
            return None
        self._held_bytes += shard_bytes
        if block.complete:
            return self._finish(index, frame)
        if self._held_bytes > MAX_HELD_FRAMES * self._limits.max_frame_bytes:
            self._abandon(min(self._frames, key=self._behind, default=index))
        return None

    def _open(self, header: PacketHeader) -> Frame | None:
        """A new frame for the window, unless it is finished or too old."""
        index = header.frame_index
        if index in self._done:
            self.statistics.late += self._done[index] and header.shard_index < header.data_shards
            return None
        if self._newest is None:
            self._newest, self._newest_pts = index, header.pts_ns
        ahead = (index - self._newest) % _U32
        if ahead >= _U32 // 2:
            if _U32 - ahead > WINDOW_FRAMES:
                return None
        elif ahead:
            self._advance(ahead, header)
        self._unseen.pop(index, None)
        frame = self._frames[index] = Frame(header, self._limits)
        return frame

    def _advance(self, ahead: int, header: PacketHeader) -> None:
        """The window moves: frames skipped so far are awaited, old ones are given up."""
        assert self._newest is not None
        if ahead - 1 > WINDOW_FRAMES:
            self._count_drop((header.frame_index - WINDOW_FRAMES - 1) % _U32, ahead - 1 - WINDOW_FRAMES)
        for skipped in range(max(1, ahead - WINDOW_FRAMES), ahead):
            self._unseen[(self._newest + skipped) % _U32] = header.pts_ns
        self._newest = header.frame_index
        self._newest_pts = header.pts_ns
        for index, frame in list(self._frames.items()):
            if self._expired(index, frame.pts_ns):
                self._abandon(index)
        for index, noticed_pts in list(self._unseen.items()):
            if not self._expired(index, noticed_pts):
                break
            del self._unseen[index]
            self._remember(index, delivered=False)
            self._count_drop(index)

    def _expired(self, index: int, pts_ns: int) -> bool:
        return self._behind(index) > -1 and (
            self._behind(index) >= WINDOW_FRAMES or self._newest_pts - pts_ns > MAX_AGE_NS
        )

    def _behind(self, index: int) -> int:
        assert self._newest is not None
        return (self._newest - index) % _U32

    def _finish(self, index: int, frame: Frame) -> AccessUnit | None:
        data = frame.assemble()
        if data is None:
            return None
        self._remove(index, delivered=True)
        recovered = frame.recovered
        self.statistics.recovered += recovered
        self.statistics.delivered += 1
        return AccessUnit(index, frame.pts_ns, frame.flags, data, recovered, frame.fec_percent)

    def _abandon(self, index: int) -> None:
        self._remove(index, delivered=False)
        self._count_drop(index)

    def _count_drop(self, newest: int, count: int = 1) -> None:
        statistics = self.statistics
        statistics.dropped += count
        known = statistics.newest_dropped
        if known is None or (newest - known) % _U32 < _U32 // 2:
            statistics.newest_dropped = newest

    def _remove(self, index: int, *, delivered: bool) -> None:
        self._held_bytes -= self._frames.pop(index).held_bytes
        self._remember(index, delivered=delivered)

    def _remember(self, index: int, *, delivered: bool) -> None:
        self._done[index] = delivered
        if len(self._done) > 2 * WINDOW_FRAMES:
            self._done.popitem(last=False)
