"""Access units into GameStream video datagrams (gamestream.md §4.2-4.8). Sans-IO."""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from punktfunk.gamestream.numbers import FrameNumbers, VideoNumbers
from punktfunk.gamestream.video_blocks import MAX_PERCENTAGE, MAX_PIECES, Block, plan_blocks
from punktfunk.gamestream.video_seal import VideoEnvelope
from punktfunk.wire.aead import BatchSealer
from punktfunk.wire.gf256 import cauchy_code

HEADER_BYTES = 32
"""RTP header, reserved word and video header of a shard."""
SHARD_EXTRA_BYTES = 16
"""A shard is this much larger than the ``packetSize`` that the client announced."""
MIN_PACKET_SIZE = 64
MAX_PACKET_SIZE = 8192
"""Keeps the buffers of the largest frame (4092 shards) at 32 MiB; jumbo Ethernet frames fit."""

_INITIAL_ROWS = 256
_FRAME_HEADER = struct.Struct("<BHBHH")
_FRAME_HEADER_TYPE = 0x01
_RTP_START = 0x0090
"""Bytes 0 and 1 as a little-endian u16: version 2 with extension, packet type 0."""
_PICTURE, _END, _START = 0x1, 0x2, 0x4
_MULTI_FEC = 0x10 << 16

_HEADER_FIELDS = {
    "rtp_start": ("<u2", 0),
    "sequence": (">u2", 2),
    "timestamp": (">u4", 4),
    "ssrc_and_reserved": ("<u8", 8),
    "packet_index": ("<u4", 16),
    "frame_index": ("<u4", 20),
    "flags": ("<u4", 24),
    "blocks": ("u1", 27),
    "fec_info": ("<u4", 28),
}
"""Field: (type, offset). ``flags`` spans flags, extraFlags, multiFecFlags and, overlapping, multiFecBlocks."""


class FrameType(enum.IntEnum):
    """The frame header's type byte."""

    PREDICTED = 1
    IDR = 2
    INTRA_REFRESH = 4
    AFTER_INVALIDATION = 5


@dataclass(frozen=True, slots=True)
class DatagramBatch:
    """The ``count`` datagrams of one frame, in sending order, ``datagram_bytes`` each.

    ``data`` is the packetizer's own buffer: it is valid until the next frame is packetized.
    """

    data: memoryview
    datagram_bytes: int
    count: int
    frame_index: int


def fec_info(block: Block, shard_indices: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The fecInfo field of these shards of a block."""
    return (shard_indices << np.uint32(12)) | np.uint32(block.data << 22 | block.percentage << 4)


class VideoPacketizer:
    """Cuts access units into numbered shards with parity, sealed when there is a sealer. One thread at a time.

    ``packet_size`` is ANNOUNCE's, already reduced for encryption by the client; ``fec_percentage`` 0 (off) to 255.
    ``fec_percentage`` may be changed between frames, from any thread. The buffers start at 256 shards and grow to at
    most 4092.
    """

    def __init__(
        self,
        packet_size: int,
        fec_percentage: int,
        min_fec_packets: int,
        sealer: BatchSealer | None,
        numbers: VideoNumbers,
    ) -> None:
        if not MIN_PACKET_SIZE <= packet_size <= MAX_PACKET_SIZE:
            raise ValueError(f"packet_size must be {MIN_PACKET_SIZE}..{MAX_PACKET_SIZE}")
        if not 0 <= fec_percentage <= MAX_PERCENTAGE:
            raise ValueError(f"fec_percentage must be 0..{MAX_PERCENTAGE}")
        if min_fec_packets < 0:
            raise ValueError("min_fec_packets must not be negative")
        self.fec_percentage = fec_percentage
        self._min_fec_packets = min_fec_packets
        self._numbers = numbers
        self._shard_bytes = packet_size + SHARD_EXTRA_BYTES
        self._payload_bytes = self._shard_bytes - HEADER_BYTES
        self._envelope = VideoEnvelope(sealer, self._shard_bytes) if sealer else None
        self._allocate(_INITIAL_ROWS)

    @property
    def numbers(self) -> VideoNumbers:
        """The stream's numbering."""
        return self._numbers

    def packetize(
        self,
        access_unit: bytes | memoryview,
        frame_type: FrameType,
        host_latency_tenths_ms: int,
        rtp_timestamp: int,
    ) -> DatagramBatch:
        """The datagrams of one frame. Its numbers are reserved before this returns.

        Raises FrameTooLarge, with no number used, above 4092 payloads of packet_size - 16 bytes.
        """
        body_bytes = _FRAME_HEADER.size + len(access_unit)
        pieces = -(-body_bytes // self._payload_bytes)
        blocks = plan_blocks(pieces, self.fec_percentage, self._min_fec_packets)
        count = sum(block.data + block.parity for block in blocks)
        if count > len(self._rows):
            self._allocate(min(MAX_PIECES, max(count, 2 * len(self._rows))))
        self._fill_body(access_unit, frame_type, host_latency_tenths_ms, pieces)
        numbers = self._numbers.reserve(count)
        row = piece = 0
        for index, block in enumerate(blocks):
            self._write_block(block, row, piece, numbers.sequence + row)
            self._number_block(block, row, index << 4 | (len(blocks) - 1) << 6)
            row += block.data + block.parity
            piece += block.data
        self._number_frame(count, numbers, rtp_timestamp)
        if self._envelope is None:
            return DatagramBatch(self._wire[: count * self._shard_bytes], self._shard_bytes, count, numbers.frame_index)
        sealed = self._envelope.seal(count, numbers.frame_index, numbers.nonce, self._numbers.generation)
        return DatagramBatch(sealed, self._envelope.datagram_bytes, count, numbers.frame_index)

    def _allocate(self, rows: int) -> None:
        buffer = np.zeros(rows * self._shard_bytes, np.uint8)
        self._wire = buffer.data
        self._rows = buffer.reshape(rows, self._shard_bytes)
        self._fields = {
            name: np.ndarray(rows, kind, buffer, offset, (self._shard_bytes,))
            for name, (kind, offset) in _HEADER_FIELDS.items()
        }
        self._steps = np.arange(rows, dtype=np.uint32)
        self._body = np.zeros(rows * self._payload_bytes, np.uint8)
        if self._envelope is not None:
            self._envelope.grow(self._rows)

    def _fill_body(
        self, access_unit: bytes | memoryview, frame_type: FrameType, host_latency_tenths_ms: int, pieces: int
    ) -> None:
        header, end = _FRAME_HEADER.size, _FRAME_HEADER.size + len(access_unit)
        last_payload = end % self._payload_bytes or self._payload_bytes
        latency = min(max(host_latency_tenths_ms, 0), 0xFFFF)
        _FRAME_HEADER.pack_into(self._body.data, 0, _FRAME_HEADER_TYPE, latency, frame_type, last_payload, 0)
        self._body[header:end] = np.frombuffer(access_unit, np.uint8)
        self._body[end : pieces * self._payload_bytes] = 0

    def _write_block(self, block: Block, row: int, piece: int, sequence: int) -> None:
        """Everything that parity protects, then the parity."""
        data = slice(row, row + block.data)
        payload = self._body[piece * self._payload_bytes : (piece + block.data) * self._payload_bytes]
        self._rows[data, HEADER_BYTES:] = payload.reshape(block.data, self._payload_bytes)
        self._fields["packet_index"][data] = (self._steps[: block.data] + np.uint32(sequence & 0xFF_FFFF)) << 8
        flags = self._fields["flags"]
        flags[data] = _MULTI_FEC | _PICTURE
        flags[row] |= _START
        flags[data.stop - 1] |= _END
        if block.parity:
            cauchy_code(block.data, block.parity).encode(self._rows[row : data.stop + block.parity])

    def _number_block(self, block: Block, row: int, multi_fec_blocks: int) -> None:
        """What is written over data and parity alike, and differs from block to block."""
        shards = block.data + block.parity
        rows = slice(row, row + shards)
        self._fields["blocks"][rows] = multi_fec_blocks
        self._fields["fec_info"][rows] = fec_info(block, self._steps[:shards])

    def _number_frame(self, count: int, numbers: FrameNumbers, rtp_timestamp: int) -> None:
        """What is written over data and parity alike, for the whole frame."""
        self._fields["rtp_start"][:count] = _RTP_START
        self._fields["sequence"][:count] = self._steps[:count] + np.uint32(numbers.sequence & 0xFFFF)
        self._fields["timestamp"][:count] = rtp_timestamp & 0xFFFF_FFFF
        self._fields["ssrc_and_reserved"][:count] = 0
        self._fields["frame_index"][:count] = numbers.frame_index & 0xFFFF_FFFF
