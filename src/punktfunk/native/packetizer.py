"""Access units into sealed video datagrams (punktfunk1.md §5.1-5.6). Sans-IO."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from punktfunk.native import parity
from punktfunk.native.adaptive_fec import Protection
from punktfunk.native.numbers import VideoNumbers
from punktfunk.wire import gf256, leopard
from punktfunk.wire.punktfunk1.enums import FecScheme
from punktfunk.wire.punktfunk1.video import (
    FLAG_EOF,
    FLAG_PIC,
    FLAG_SOF,
    HEADER,
    HEADER_BYTES,
    HEADER_DTYPE,
    HEADER_MAGIC,
    HEADER_VERSION,
    MAX_BLOCK_SHARDS,
    MAX_FEC_PERCENT,
    MAX_SHARD_BYTES,
    OVERHEAD_BYTES,
    SEQ_BYTES,
    FrameFlags,
    Role,
    SealKey,
    recovery_shards,
)

MAX_ACCESS_UNIT_BYTES = 64 * 1024 * 1024
"""What a receiver accepts at most (§5.8)."""

RUN_DATAGRAMS = 44
"""Datagrams sealed at once: as many of full size as one segmented send takes."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a session cuts its frames: what Welcome said (§4.3)."""

    shard_bytes: int
    max_data_shards: int = 4096
    start_percent: int = 10
    scheme: FecScheme = FecScheme.GF16

    def __post_init__(self) -> None:
        if not 2 <= self.shard_bytes <= MAX_SHARD_BYTES or self.shard_bytes % 2:
            raise ValueError(f"shard_bytes {self.shard_bytes} is not an even number up to {MAX_SHARD_BYTES}")
        if not 1 <= self.max_data_shards <= MAX_BLOCK_SHARDS:
            raise ValueError(f"max_data_shards {self.max_data_shards} is outside 1..{MAX_BLOCK_SHARDS}")

    @property
    def max_block_shards(self) -> int:
        """The most shards, data and recovery, that the code has and every receiver takes in one block (§5.5)."""
        most = gf256.MAX_SHARDS if self.scheme is FecScheme.GF8 else MAX_BLOCK_SHARDS
        return min(most, self.max_data_shards + recovery_shards(self.max_data_shards, self.start_percent))

    def blocks(self, length: int, protection: Protection) -> list[tuple[int, int]]:
        """(data shards, recovery shards) of each block of an access unit of ``length`` bytes."""
        total = max(1, -(-length // self.shard_bytes))
        counts = [min(self.max_data_shards, total - start) for start in range(0, total, self.max_data_shards)]
        percent, loss_ppm = protection.percent, protection.loss_ppm
        wanted = [(k, max(recovery_shards(k, percent), parity.needed(k, loss_ppm))) for k in counts]
        return [(k, min(m, self.max_block_shards - k)) for k, m in wanted]


@dataclass(frozen=True, slots=True)
class FrameTag:
    """What every packet of a frame says about it."""

    pts_ns: int
    frame_index: int
    flags: FrameFlags


@dataclass(frozen=True, slots=True)
class _Segment:
    """Consecutive packets of one block, all data or all recovery."""

    block: int
    data_shards: int
    recovery_shards: int
    first_shard: int
    count: int


class VideoPacketizer:
    """Turns access units into datagrams of one session. One thread uses it.

    ``protection`` may change between frames, and so may the shard size (``resize``).
    """

    def __init__(self, key: SealKey, geometry: Geometry, numbers: VideoNumbers) -> None:
        self._key = key
        self._numbers = numbers
        self._protection = Protection(geometry.start_percent)
        self._arena = _Arena(key, geometry)

    @property
    def geometry(self) -> Geometry:
        """The geometry of the next frame."""
        return self._arena.geometry

    @property
    def protection(self) -> Protection:
        """The recovery shards of the next frame; the percentage is kept within 0 to 90."""
        return self._protection

    @protection.setter
    def protection(self, protection: Protection) -> None:
        percent = max(0, min(MAX_FEC_PERCENT, protection.percent))
        self._protection = replace(protection, percent=percent)

    def resize(self, shard_bytes: int) -> None:
        """Cut the next frames into shards of another size (§5.11)."""
        old = self.geometry
        if shard_bytes != old.shard_bytes:
            self._arena = _Arena(self._key, replace(old, shard_bytes=shard_bytes))

    def frame(self, data: bytes | memoryview, pts_ns: int, flags: FrameFlags) -> OutgoingFrame:
        """A video access unit under the next frame index."""
        return self.packets(data, FrameTag(pts_ns, self._numbers.next_frame(), flags))

    def probe(self, size: int, pts_ns: int) -> OutgoingFrame:
        """A filler access unit of a speed test (§5.12)."""
        return self.packets(bytes(size), FrameTag(pts_ns, self._numbers.next_probe(), FrameFlags.PROBE))

    def packets(self, data: bytes | memoryview, tag: FrameTag) -> OutgoingFrame:
        """An access unit under a given index; its sequence numbers are spent even if it is never sent.

        Raises ValueError above ``MAX_ACCESS_UNIT_BYTES``.
        """
        if len(data) > MAX_ACCESS_UNIT_BYTES:
            raise ValueError(f"access unit of {len(data)} bytes, at most {MAX_ACCESS_UNIT_BYTES} allowed")
        blocks = self.geometry.blocks(len(data), self._protection)
        count = sum(k + m for k, m in blocks)
        first = self._numbers.reserve_packets(count)
        return OutgoingFrame(self._arena, bytes(data), tag, blocks, first.seq, first.stream_seq)


class OutgoingFrame:
    """One frame's datagrams, sealed as they are read: all data first, then all recovery (§5.5).

    ``read`` hands out the packetizer's own memory: a run is valid until the next run of any frame is read.
    """

    def __init__(
        self,
        arena: _Arena,
        data: bytes,
        tag: FrameTag,
        blocks: list[tuple[int, int]],
        first_seq: int,
        first_stream_seq: int,
    ) -> None:
        self._arena = arena
        self._data = data
        self._tag = tag
        self._seq = first_seq
        self._stream_seq = first_stream_seq
        self._block_count = len(blocks)
        self._parity: tuple[int, list[bytes]] = (-1, [])
        data_segments = (_Segment(i, k, m, 0, k) for i, (k, m) in enumerate(blocks))
        recovery_segments = (_Segment(i, k, m, k, m) for i, (k, m) in enumerate(blocks) if m)
        self._segments = deque(chain(data_segments, recovery_segments))
        self._offset = 0
        self.datagrams = sum(k + m for k, m in blocks)
        """How many there are altogether."""
        self.datagram_bytes = arena.datagram_bytes
        """The size of each."""
        self._left = self.datagrams

    def read(self, limit: int = RUN_DATAGRAMS) -> memoryview:
        """The next 1 to ``min(limit, RUN_DATAGRAMS)`` datagrams, back to back; empty at the end."""
        if not self._segments:
            return memoryview(b"")
        segment = self._segments[0]
        count = max(1, min(limit, RUN_DATAGRAMS, segment.count - self._offset))
        first_shard = segment.first_shard + self._offset
        self._fill_headers(segment, first_shard, count)
        if segment.first_shard:
            self._arena.put_recovery(self._recovery(segment)[self._offset : self._offset + count])
        else:
            start = segment.block * self._arena.geometry.max_data_shards + first_shard
            self._arena.put_data(self._data, start, count)
        run = self._arena.seal(self._seq, count)
        self._advance(count)
        return run

    def _advance(self, count: int) -> None:
        self._seq += count
        self._stream_seq = self._stream_seq + count & 0xFFFF_FFFF
        self._left -= count
        self._offset += count
        if self._offset == self._segments[0].count:
            self._segments.popleft()
            self._offset = 0

    def _fill_headers(self, segment: _Segment, first_shard: int, count: int) -> None:
        tag, geometry = self._tag, self._arena.geometry
        template = HEADER.pack(
            *(tag.pts_ns, tag.frame_index, 0, len(self._data), tag.flags),
            *(segment.block, self._block_count, segment.data_shards, segment.recovery_shards, 0),
            *(geometry.shard_bytes, HEADER_MAGIC, HEADER_VERSION, geometry.scheme, FLAG_PIC),
        )
        headers = self._arena.put_headers(template, self._stream_seq, first_shard, count)
        if self._left == self.datagrams:
            headers[0] |= FLAG_SOF
        if self._left == count:
            headers[count - 1] |= FLAG_EOF

    def _recovery(self, segment: _Segment) -> list[bytes]:
        block, recovery = self._parity
        if block != segment.block:
            size = self._arena.geometry.shard_bytes
            start = segment.block * self._arena.geometry.max_data_shards * size
            ends = range(start + size, start + size * (segment.data_shards + 1), size)
            shards = [self._data[end - size : end] for end in ends]
            shards[-1] = shards[-1].ljust(size, b"\0")
            encode = _encode_gf8 if self._arena.geometry.scheme is FecScheme.GF8 else leopard.encode
            recovery = encode(shards, segment.recovery_shards)
            self._parity = segment.block, recovery
        return recovery


def _encode_gf8(data: list[bytes], recovery_count: int) -> list[bytes]:
    rows = np.zeros((len(data) + recovery_count, len(data[0])), np.uint8)
    rows[: len(data)] = np.frombuffer(b"".join(data), np.uint8).reshape(len(data), -1)
    gf256.cauchy_code(len(data), recovery_count).encode(rows)
    return [row.tobytes() for row in rows[len(data) :]]


class _Arena:
    """The memory of one run: plaintext rows (header ‖ shard), nonces, and datagram rows (seq ‖ ciphertext ‖ tag)."""

    def __init__(self, key: SealKey, geometry: Geometry) -> None:
        size = geometry.shard_bytes
        self.geometry = geometry
        self.datagram_bytes = size + OVERHEAD_BYTES
        self._encrypt_into = key.aead().encrypt_into
        plain = np.zeros((RUN_DATAGRAMS, HEADER_BYTES + size), np.uint8)
        wire = np.zeros((RUN_DATAGRAMS, self.datagram_bytes), np.uint8)
        nonces = np.zeros((RUN_DATAGRAMS, 12), np.uint8)
        nonces[:, :4] = np.frombuffer(key.nonce_prefix(Role.HOST), np.uint8)
        headers = np.ndarray((RUN_DATAGRAMS,), HEADER_DTYPE, plain, 0, plain.strides[:1])
        self._plain, self._payload = plain, plain[:, HEADER_BYTES:]
        self._header_bytes = plain[:, :HEADER_BYTES]
        self._stream_seqs, self._shard_indices = headers["stream_seq"], headers["shard_index"]
        self._flags = headers["flags"]
        self._nonce_seqs = np.ndarray((RUN_DATAGRAMS,), ">u8", nonces, 4, nonces.strides[:1])
        self._wire_seqs = np.ndarray((RUN_DATAGRAMS,), ">u8", wire, 0, wire.strides[:1])
        self._steps = np.arange(RUN_DATAGRAMS, dtype=np.uint64)
        self._small_steps = self._steps.astype(np.uint32)
        self._wire = wire.data.cast("B")
        starts = range(0, len(self._wire), self.datagram_bytes)
        self._nonces = [row.data for row in nonces]
        self._plaintexts = [row.data for row in plain]
        self._associated = [self._wire[start : start + SEQ_BYTES] for start in starts]
        self._outputs = [self._wire[start + SEQ_BYTES : start + self.datagram_bytes] for start in starts]

    def put_headers(self, template: bytes, stream_seq: int, first_shard: int, count: int) -> NDArray[np.uint8]:
        self._header_bytes[:count] = np.frombuffer(template, np.uint8)
        self._stream_seqs[:count] = self._small_steps[:count] + np.uint32(stream_seq)
        self._shard_indices[:count] = self._small_steps[:count] + np.uint32(first_shard)
        return self._flags

    def put_data(self, data: bytes, first_shard: int, count: int) -> None:
        size = self.geometry.shard_bytes
        start = first_shard * size
        whole = max(0, min(count, (len(data) - start) // size))
        self._payload[:whole] = np.frombuffer(data, np.uint8, whole * size, start).reshape(whole, size)
        if whole < count:
            rest = data[start + whole * size :]
            self._payload[whole, : len(rest)] = np.frombuffer(rest, np.uint8)
            self._payload[whole, len(rest) :] = 0

    def put_recovery(self, shards: list[bytes]) -> None:
        rows = np.frombuffer(b"".join(shards), np.uint8).reshape(len(shards), -1)
        self._payload[: len(shards)] = rows

    def seal(self, first_seq: int, count: int) -> memoryview:
        seqs = self._steps[:count] + np.uint64(first_seq)
        self._nonce_seqs[:count] = seqs
        self._wire_seqs[:count] = seqs
        # Draining map() in C: a Python loop around encrypt_into costs half as much again.
        sealed = map(
            self._encrypt_into,
            self._nonces[:count],
            self._plaintexts[:count],
            self._associated[:count],
            self._outputs[:count],
        )
        deque(sealed, maxlen=0)
        return self._wire[: count * self.datagram_bytes]
