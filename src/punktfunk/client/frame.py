"""One access unit on the receiving side: its blocks, and when it is whole (punktfunk1.md §5.5, §5.7, §5.8)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from punktfunk.client.block import Block
from punktfunk.wire.punktfunk1.enums import FecScheme
from punktfunk.wire.punktfunk1.video import (
    HEADER_BYTES,
    HEADER_MAGIC,
    MAX_BLOCK_SHARDS,
    MAX_FEC_PERCENT,
    MAX_SHARD_BYTES,
    MIN_SHARD_BYTES,
    FrameFlags,
    recovery_shards,
)

_HEADER = struct.Struct("<QI4xIIHHHHHHB3x")


class PacketHeader(NamedTuple):
    """The fields that a receiver looks at (§5.2)."""

    pts_ns: int
    frame_index: int
    frame_bytes: int
    user_flags: int
    block_index: int
    block_count: int
    data_shards: int
    recovery_shards: int
    shard_index: int
    shard_bytes: int
    magic: int

    @classmethod
    def parse(cls, plain: bytes) -> PacketHeader:
        """From an opened packet of at least ``HEADER_BYTES``."""
        return cls(*_HEADER.unpack_from(plain))

    @property
    def sentinel(self) -> bool:
        """Whether the packet was sent before the frame's size was known."""
        return self.block_count == 0


class Limits(NamedTuple):
    """What a session accepts (§5.8). ``max_frame_bytes`` is 4 × the average frame within 8 to 64 MiB."""

    max_data_shards: int = 4096
    max_frame_bytes: int = 64 * 1024 * 1024
    min_shard_bytes: int = MIN_SHARD_BYTES
    scheme: FecScheme = FecScheme.GF16

    def accepts(self, header: PacketHeader, plain_bytes: int) -> bool:
        """The checks that need no other packet."""
        k, m, size = header.data_shards, header.recovery_shards, header.shard_bytes
        most = min(MAX_BLOCK_SHARDS, self.max_data_shards + recovery_shards(self.max_data_shards, MAX_FEC_PERCENT))
        return (
            header.magic == HEADER_MAGIC
            and self.min_shard_bytes <= size <= MAX_SHARD_BYTES
            and size % 2 == 0
            and plain_bytes == HEADER_BYTES + size
            and 1 <= k <= self.max_data_shards
            and header.shard_index < k + m <= (most if self.scheme is FecScheme.GF16 else 255)
            and header.frame_bytes <= self.max_frame_bytes
        )


class Frame:
    """An access unit in reassembly, opened by its first packet. All packets must agree with one another."""

    __slots__ = ("_block_count", "_blocks", "_frame_bytes", "_limits", "by_signature", "flags", "pts_ns", "shard_bytes")

    def __init__(self, header: PacketHeader, limits: Limits) -> None:
        self.pts_ns = header.pts_ns
        self.flags = FrameFlags(header.user_flags)
        self.shard_bytes = header.shard_bytes
        self.by_signature: dict[bytes, Block] = {}
        self._limits = limits
        self._blocks: dict[int, Block] = {}
        self._frame_bytes: int | None = None
        self._block_count = 0

    @property
    def sliced(self) -> bool:
        """Whether blocks are cut at slice ends and state their own offset."""
        return FrameFlags.SLICE_STREAM in self.flags

    @property
    def held_bytes(self) -> int:
        """Shard bytes in memory."""
        return self.shard_bytes * sum(block.held for block in self._blocks.values())

    @property
    def recovered(self) -> int:
        """Data shards that FEC gave back."""
        return sum(block.recovered for block in self._blocks.values())

    @property
    def fec_percent(self) -> float:
        """Recovery shards per hundred data shards, as the headers state them."""
        data = sum(block.data_shards for block in self._blocks.values())
        return 100 * sum(block.recovery_shards for block in self._blocks.values()) / data

    def block(self, header: PacketHeader, signature: bytes) -> Block | None:
        """The block of a packet, opened if need be; None if the packet contradicts the frame."""
        sliced = bool(header.user_flags & FrameFlags.SLICE_STREAM)
        if header.shard_bytes != self.shard_bytes or sliced != self.sliced:
            return None
        base = self._base(header)
        if base is None or not self._agrees_on_size(header):
            return None
        if (base + header.data_shards - 1) * header.shard_bytes > self._limits.max_frame_bytes:
            return None
        block = self._blocks.get(header.block_index)
        if block is None:
            block = Block(base, header.data_shards, header.recovery_shards, self._limits.scheme)
            self._blocks[header.block_index] = block
            self.by_signature[signature] = block
        elif (block.base, block.data_shards, block.recovery_shards) != (base, *header[6:8]):
            return None
        if not header.sentinel:
            self._frame_bytes, self._block_count = header.frame_bytes, header.block_count
        return block

    def assemble(self) -> bytes | None:
        """The access unit once all its blocks are complete and follow one another without a gap."""
        if self._frame_bytes is None or len(self._blocks) != self._block_count:
            return None
        if not all(block.complete for block in self._blocks.values()):
            return None
        pieces: list[bytes] = []
        for index in range(self._block_count):
            block = self._blocks.get(index)
            if block is None or block.base != len(pieces):
                return None
            pieces += block.shards()
        pieces[-1] = pieces[-1][: self._frame_bytes - (len(pieces) - 1) * self.shard_bytes]
        return b"".join(pieces)

    def _base(self, header: PacketHeader) -> int | None:
        """Data shards before the packet's block, as its header implies; None if that breaks the rules."""
        k, size, most = header.data_shards, header.shard_bytes, self._limits.max_data_shards
        total = max(1, -(-header.frame_bytes // size))
        if header.sentinel:
            if self.sliced:
                return None if header.frame_bytes % size else header.frame_bytes // size
            return header.block_index * most if k == most and header.frame_bytes == 0 else None
        if self.sliced:
            return total - k if header.block_index + 1 == header.block_count and k <= total else None
        whole, rest = divmod(total - 1, most)
        if header.block_count != whole + 1 or header.block_index > whole:
            return None
        expected = rest + 1 if header.block_index == whole else most
        return header.block_index * most if k == expected else None

    def _agrees_on_size(self, header: PacketHeader) -> bool:
        if self._frame_bytes is None:
            return header.sentinel or not self._blocks or max(self._blocks) < header.block_count
        if header.sentinel:
            return header.block_index < self._block_count
        return header.frame_bytes == self._frame_bytes and header.block_count == self._block_count
