"""Shards to frames as the client does it: after losses, with recovery (gamestream.md §4.5, §4.6, §4.10)."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from .control import FrameFecStatus
from .fec import recover, video_rows
from .shard import EXTRA_LTR, HEADER_BYTES, Shard, expected_flags
from .violations import Violations

REORDER_MEMORY_S = 300.0


class RawFrame(NamedTuple):
    """A complete frame: ``payload`` starts with the 8-byte frame header, padding included."""

    frame: int
    timestamp: int
    payload: bytes
    first_payload_bytes: int
    recovered: bool
    long_term_reference: bool
    started_at: float
    arrived_at: float


class LostFrames(NamedTuple):
    first: int
    last: int


@dataclass
class _Block:
    number: int
    data_shards: int
    percentage: int
    base_seq: int
    data: dict[int, bytes] = field(default_factory=dict)
    parity: dict[int, bytes] = field(default_factory=dict)
    highest: int = -1

    @property
    def parity_shards(self) -> int:
        return (self.data_shards * self.percentage + 99) // 100


class FrameAssembler:
    """Rebuilds frames. Holds the shards of one block and the payloads of the frame's finished blocks, never more."""

    def __init__(self, violations: Violations, *, speculative: bool = False) -> None:
        self.shards_recovered = self.frames_recovered = self.late_shards = self.duplicate_shards = 0
        self.statuses: list[FrameFecStatus] = []
        """Frame FEC status messages owed to the host; the caller takes them."""
        self._violations, self._speculative = violations, speculative
        self._frame = 1
        self._block: _Block | None = None
        self._next_block = 0
        self._pieces: list[bytes] = []
        self._recovered = False
        self._long_term = False
        self._started_at = 0.0
        self._highest_seq: int | None = None
        self._reordered_at = -math.inf

    def on_shard(self, shard: Shard, now: float) -> list[RawFrame | LostFrames]:
        self._note_order(shard.seq, now)
        if (shard.frame - self._frame) & 0xFFFFFFFF >= 0x80000000 or (
            shard.frame == self._frame and shard.block < self._next_block
        ):
            self.late_shards += shard.is_data
            return []
        events: list[RawFrame | LostFrames] = []
        if shard.frame != self._frame:
            events.append(self._lose(shard.frame - 1))
        if shard.block != self._next_block:
            # The frame's earlier block never completed; nothing of this frame can be shown.
            events.append(self._lose(shard.frame))
            return _merged(events)
        finished = self._add(shard, now)
        if finished is not None:
            events.append(finished)
        return _merged(events)

    def _note_order(self, seq: int, now: float) -> None:
        if self._highest_seq is None or 0 < (seq - self._highest_seq) & 0xFFFF < 0x8000:
            self._highest_seq = seq
        elif seq != self._highest_seq:
            self._reordered_at = now

    def _add(self, shard: Shard, now: float) -> RawFrame | LostFrames | None:
        block = self._block
        if block is None:
            if self._next_block == 0:
                self._started_at = now
            base = (shard.seq - shard.position) & 0xFFFF
            block = self._block = _Block(shard.block, shard.data_shards, shard.percentage, base)
        if (shard.data_shards, shard.percentage) != (block.data_shards, block.percentage):
            self._violations.add("video.block-fields", f"frame {shard.frame} block {shard.block}")
            return None
        if (shard.seq - shard.position) & 0xFFFF != block.base_seq:
            self._violations.add("video.block-base", f"frame {shard.frame} block {shard.block} shard {shard.position}")
            return None
        side, at = (block.data, shard.position) if shard.is_data else (block.parity, shard.position - shard.data_shards)
        if at in side:
            self.duplicate_shards += 1
            return None
        side[at] = shard.raw
        block.highest = max(block.highest, shard.position)
        if shard.is_data and shard.extra_flags & EXTRA_LTR:
            self._long_term = True
        if len(block.data) + len(block.parity) >= block.data_shards:
            return self._finish_block(block, shard, now)
        missing = block.highest + 1 - len(block.data) - len(block.parity)
        if self._speculative and missing > block.parity_shards and now - self._reordered_at > REORDER_MEMORY_S:
            return self._lose(self._frame)
        return None

    def _finish_block(self, block: _Block, shard: Shard, now: float) -> RawFrame | None:
        if len(block.data) < block.data_shards:
            self._owe_status(block, shard.last_block)
            self._recover(block)
        self._pieces += [block.data[index][HEADER_BYTES:] for index in range(block.data_shards)]
        self._block, self._next_block = None, self._next_block + 1
        if block.number < shard.last_block:
            return None
        payload = b"".join(self._pieces)
        frame = RawFrame(
            self._frame, shard.timestamp, payload, len(self._pieces[0]), self._recovered, self._long_term,
            self._started_at, now,
        )  # fmt: skip
        self.frames_recovered += self._recovered
        self._next_frame(self._frame + 1)
        return frame

    def _recover(self, block: _Block) -> None:
        rows = video_rows(block.data_shards, block.parity_shards)
        found = recover(rows, block.data, block.parity)
        self.shards_recovered += len(found)
        self._recovered = True
        for index, raw in found.items():
            if raw[24] != expected_flags(index, block.data_shards) or raw[26] != 0x10 or raw[16]:
                self._violations.add("video.recovered-header", f"frame {self._frame} shard {index}: {raw[16:28].hex()}")
            block.data[index] = raw

    def _lose(self, last: int) -> LostFrames:
        if self._block is not None:
            self._owe_status(self._block, self._block.number)
        lost = LostFrames(self._frame, last)
        self._next_frame(last + 1)
        return lost

    def _next_frame(self, index: int) -> None:
        self._frame, self._block, self._next_block = index & 0xFFFFFFFF, None, 0
        self._pieces, self._recovered, self._long_term = [], False, False

    def _owe_status(self, block: _Block, last_block: int) -> None:
        received = set(block.data) | {block.data_shards + index for index in block.parity}
        contiguous = next(index for index in range(len(received) + 1) if index not in received)
        status = FrameFecStatus(
            frame_index=self._frame,
            highest_received_seq=(block.base_seq + block.highest) & 0xFFFF,
            next_contiguous_seq=(block.base_seq + contiguous) & 0xFFFF,
            missing_before_highest=block.highest + 1 - len(received),
            total_data=block.data_shards,
            total_parity=block.parity_shards,
            received_data=len(block.data),
            received_parity=len(block.parity),
            fec_percentage=block.percentage,
            block_index=block.number,
            block_count=last_block + 1,
        )
        self.statuses = [*self.statuses[-7:], status]


def _merged(events: list[RawFrame | LostFrames]) -> list[RawFrame | LostFrames]:
    losses = [event for event in events if isinstance(event, LostFrames)]
    if len(losses) < 2:
        return events
    return [LostFrames(losses[0].first, losses[-1].last)]
