from __future__ import annotations

import random
import struct
from collections.abc import Iterable

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.gamestream.numbers import VideoNumbers
from punktfunk.gamestream.video import DatagramBatch, FrameType, VideoPacketizer
from punktfunk.gamestream.video_blocks import FrameTooLarge
from punktfunk.wire.aead import BatchSealer
from punktfunk.wire.gf256 import cauchy_code

KEY = bytes(range(16))


def datagrams(batch: DatagramBatch) -> list[bytes]:
    size = batch.datagram_bytes
    return [bytes(batch.data[start : start + size]) for start in range(0, len(batch.data), size)]


def numbers_at(sequence: int) -> VideoNumbers:
    storage = bytearray(VideoNumbers.STORAGE_BYTES)
    struct.pack_into("=QQQ", storage, 0, 0, sequence, sequence)
    return VideoNumbers(storage)


def unseal(datagram: bytes) -> bytes:
    return AESGCM(KEY).decrypt(datagram[:12], datagram[32:] + datagram[16:32], None)


def access_unit_of(shards: Iterable[bytes]) -> bytes:
    """The access unit from shards that arrived in any order, as a client with parity at hand reads it."""
    blocks: dict[int, dict[int, bytes]] = {}
    shapes: dict[int, tuple[int, int]] = {}
    for shard in shards:
        (info,) = struct.unpack_from("<I", shard, 28)
        data, index, percentage = info >> 22, info >> 12 & 0x3FF, info >> 4 & 0xFF
        block = shard[27] >> 4 & 3
        shapes[block] = data, (data * percentage + 99) // 100
        blocks.setdefault(block, {})[index] = shard
    assert sorted(blocks) == list(range((shard[27] >> 6) + 1))
    body = b"".join(_block_body(blocks[block], *shapes[block]) for block in sorted(blocks))
    payload = len(shard) - 32
    (last,) = struct.unpack_from("<H", body, 4)
    assert not any(body[len(body) - payload + last :])
    return body[8 : len(body) - payload + last]


def _block_body(present: dict[int, bytes], data: int, parity: int) -> bytes:
    size = len(next(iter(present.values())))
    shards = np.zeros((data + parity, size), np.uint8)
    for index, shard in present.items():
        shards[index] = np.frombuffer(shard, np.uint8)
    if parity:
        cauchy_code(data, parity).decode(shards, present.keys())
    for index in range(data):
        flags = 1 | (4 if index == 0 else 0) | (2 if index == data - 1 else 0)
        assert shards[index, 24:27].tolist() == [flags, 0, 0x10]
    return shards[:data, 32:].tobytes()


@st.composite
def streams(draw: st.DrawFn) -> tuple[VideoPacketizer, bytes, bool]:
    packet_size = draw(st.sampled_from([64, 80, 112, 1024, 1392]))
    sealed = draw(st.booleans())
    packetizer = VideoPacketizer(
        packet_size,
        draw(st.integers(0, 255)),
        draw(st.integers(0, 6)),
        BatchSealer(KEY) if sealed else None,
        numbers_at(draw(st.integers(0, 1 << 25))),
    )
    size = draw(st.integers(0, 400 * (packet_size - 16)))
    return packetizer, random.Random(size).randbytes(size), sealed


@settings(deadline=None)
@given(streams(), st.randoms(use_true_random=False))
def test_losses_that_parity_covers_are_restored(
    stream: tuple[VideoPacketizer, bytes, bool], randomness: random.Random
) -> None:
    packetizer, access_unit, sealed = stream
    batch = packetizer.packetize(access_unit, FrameType.PREDICTED, 1, 2)
    shards = [unseal(datagram) for datagram in datagrams(batch)] if sealed else datagrams(batch)
    kept = []
    for block in range((shards[0][27] >> 6) + 1):
        members = [shard for shard in shards if shard[27] >> 4 & 3 == block]
        (info,) = struct.unpack_from("<I", members[0], 28)
        kept += randomness.sample(members, info >> 22)
    assert access_unit_of(kept) == access_unit


def test_numbering_goes_on_over_frames_and_wraps() -> None:
    numbers = numbers_at(0xFFFF_FFF0)
    packetizer = VideoPacketizer(64, 20, 2, None, numbers)
    sequence = 0xFFFF_FFF0
    for frame_index in range(1, 40):
        batch = packetizer.packetize(bytes(frame_index * 10), FrameType.PREDICTED, 0, frame_index)
        assert batch.frame_index == frame_index
        for shard in datagrams(batch):
            assert struct.unpack_from(">HI", shard, 2) == (sequence & 0xFFFF, frame_index)
            assert struct.unpack_from("<I", shard, 20) == (frame_index,)
            (info,) = struct.unpack_from("<I", shard, 28)
            if info >> 12 & 0x3FF < info >> 22:
                assert struct.unpack_from("<I", shard, 16) == ((sequence & 0xFF_FFFF) << 8,)
            sequence += 1


def test_a_used_buffer_leaves_no_traces() -> None:
    storage = bytearray(VideoNumbers.STORAGE_BYTES)
    used = VideoPacketizer(64, 20, 2, None, VideoNumbers(storage))
    fresh = VideoPacketizer(64, 20, 2, None, VideoNumbers())
    used.packetize(b"\xff" * 40_000, FrameType.IDR, 0xFFFF, 0xFFFF_FFFF)
    storage[:] = bytes(len(storage))
    for size in (3000, 10, 20_000):
        first = used.packetize(bytes(size), FrameType.PREDICTED, 1, 5)
        second = fresh.packetize(bytes(size), FrameType.PREDICTED, 1, 5)
        assert datagrams(first) == datagrams(second)


def test_no_nonce_is_used_twice_even_by_a_replacement() -> None:
    storage = bytearray(VideoNumbers.STORAGE_BYTES)
    nonces = []
    for process in range(3):
        numbers = VideoNumbers(storage)
        if process:
            numbers.take_over()
        packetizer = VideoPacketizer(64, 20, 2, BatchSealer(KEY), numbers)
        for size in (10, 2000, 50_000):
            batch = packetizer.packetize(bytes(size), FrameType.PREDICTED, 0, 0)
            nonces += [datagram[:12] for datagram in datagrams(batch)]
            assert all(datagram[12:16] == batch.frame_index.to_bytes(4, "little") for datagram in datagrams(batch))
    assert len(set(nonces)) == len(nonces)
    assert {(nonce[8], nonce[9:]) for nonce in nonces} == {(process, b"\0\0V") for process in range(3)}


def test_numbers_are_reserved_before_the_datagrams_are_handed_out() -> None:
    storage = bytearray(VideoNumbers.STORAGE_BYTES)
    batch = VideoPacketizer(64, 20, 2, None, VideoNumbers(storage)).packetize(b"x", FrameType.IDR, 0, 0)
    assert struct.unpack_from("=QQQ", storage) == (1, batch.count, batch.count)


def test_the_largest_frame_and_one_byte_more() -> None:
    packetizer = VideoPacketizer(64, 20, 2, None, VideoNumbers())
    largest = random.Random(0).randbytes(4092 * 48 - 8)
    batch = packetizer.packetize(largest, FrameType.IDR, 0, 0)
    assert batch.count == 4092
    assert access_unit_of(datagrams(batch)) == largest
    with pytest.raises(FrameTooLarge):
        packetizer.packetize(largest + b"x", FrameType.IDR, 0, 0)
    assert packetizer.packetize(b"x", FrameType.IDR, 0, 0).frame_index == 2


@pytest.mark.parametrize(("latency", "field"), [(0, 0), (53, 53), (65535, 65535), (70_000, 65535), (-5, 0)])
def test_the_latency_field_is_clamped(latency: int, field: int) -> None:
    batch = VideoPacketizer(64, 20, 2, None, VideoNumbers()).packetize(b"x", FrameType.IDR, latency, 0)
    assert struct.unpack_from("<BHB", batch.data, 32) == (1, field, 2)


@pytest.mark.parametrize(
    ("packet_size", "fec", "minimum"), [(0, 20, 2), (63, 20, 2), (8193, 20, 2), (64, -1, 2), (64, 256, 2), (64, 20, -1)]
)
def test_absurd_settings(packet_size: int, fec: int, minimum: int) -> None:
    with pytest.raises(ValueError, match="must"):
        VideoPacketizer(packet_size, fec, minimum, None, VideoNumbers())
