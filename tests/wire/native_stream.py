"""Helpers that make video datagrams for tests."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from punktfunk.native.numbers import VideoNumbers
from punktfunk.native.packetizer import FrameTag, Geometry, OutgoingFrame, VideoPacketizer
from punktfunk.wire.punktfunk1.video import FrameFlags, Role, SealKey, seal

KEY = SealKey(bytes(range(16)), b"salt")
CHACHA_KEY = SealKey(bytes(range(32)), b"salt", chacha=True)
FRAME_NS = 16_666_667

_HEADER = struct.Struct("<QIIIIHHHHHHBBBB")


def datagrams(frame: OutgoingFrame) -> list[bytes]:
    """All datagrams of a frame, each on its own."""
    result: list[bytes] = []
    while run := frame.read():
        result += [bytes(run[i : i + frame.datagram_bytes]) for i in range(0, len(run), frame.datagram_bytes)]
    return result


class Host:
    """A packetizer that numbers its frames' time stamps by index."""

    def __init__(self, geometry: Geometry | None = None, key: SealKey = KEY) -> None:
        self.packetizer = VideoPacketizer(key, geometry or Geometry(1408), VideoNumbers())

    def frame(self, data: bytes, index: int, flags: FrameFlags = FrameFlags.PICTURE) -> list[bytes]:
        return datagrams(self.packetizer.packets(data, FrameTag(1 + index * FRAME_NS, index, flags)))


@dataclass(frozen=True)
class Packet:
    """A packet with any header at all, sealed like a host's."""

    frame_index: int = 0
    pts_ns: int = 1
    frame_bytes: int = 512
    user_flags: int = 1
    block_index: int = 0
    block_count: int = 1
    data_shards: int = 1
    recovery_shards: int = 0
    shard_index: int = 0
    shard_bytes: int = 512
    magic: int = 0xC9
    payload: bytes | None = None

    def plain(self) -> bytes:
        payload = bytes(self.shard_bytes) if self.payload is None else self.payload
        head = _HEADER.pack(
            *(self.pts_ns, self.frame_index, 0, self.frame_bytes, self.user_flags, self.block_index),
            *(self.block_count, self.data_shards, self.recovery_shards, self.shard_index, self.shard_bytes),
            *(self.magic, 1, 1, 1),
        )
        return head + payload

    def sealed(self, seq: int) -> bytes:
        return seal(KEY, Role.HOST, seq, self.plain())
