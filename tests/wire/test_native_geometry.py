"""Any access unit, shard size, FEC percentage and loss that k of k + m covers: the same bytes come out."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.native_stream import CHACHA_KEY, KEY, Host, Packet

from punktfunk.client.frame import Limits
from punktfunk.client.receiver import VideoReceiver
from punktfunk.native.adaptive_fec import Protection
from punktfunk.native.packetizer import Geometry
from punktfunk.wire import gf256
from punktfunk.wire.punktfunk1.enums import FecScheme
from punktfunk.wire.punktfunk1.video import FrameFlags, Role, SealKey, opener


@st.composite
def streams(draw: st.DrawFn) -> tuple[Geometry, int, int, random.Random]:
    shard_bytes = draw(st.integers(256, 800)) * 2
    max_data = draw(st.sampled_from([1, 2, 7, 40, 4096]))
    percent = draw(st.integers(0, 90))
    length = draw(
        st.one_of(st.integers(0, 3), st.integers(0, 60).map(lambda n: n * shard_bytes), st.integers(0, 40_000))
    )
    return Geometry(shard_bytes, max_data, percent), percent, length, draw(st.randoms(use_true_random=False))


@given(streams())
@settings(max_examples=150, deadline=None)
def test_whatever_fec_covers_is_recovered(case: tuple[Geometry, int, int, random.Random]) -> None:
    geometry, percent, length, rng = case
    host = Host(geometry)
    host.packetizer.protection = Protection(percent)
    data = rng.randbytes(length)
    packets = host.frame(data, 0)
    survivors: list[bytes] = []
    start, recovery_start = 0, sum(k for k, _ in geometry.blocks(length, Protection(percent)))
    for k, m in geometry.blocks(length, Protection(percent)):
        block = packets[start : start + k] + packets[recovery_start : recovery_start + m]
        start, recovery_start = start + k, recovery_start + m
        survivors += rng.sample(block, k + m - rng.randint(0, m))
    rng.shuffle(survivors)
    receiver = VideoReceiver(KEY, Limits(geometry.max_data_shards))
    units = [unit for packet in survivors for unit in receiver.receive(packet, 0.0)]
    assert [unit.data for unit in units] == [data]
    assert receiver.reassembler.statistics.malformed == 0
    assert receiver.reassembler.held_bytes == 0


@given(streams())
@settings(max_examples=50, deadline=None)
def test_one_shard_too_few_delivers_nothing(case: tuple[Geometry, int, int, random.Random]) -> None:
    geometry, percent, length, rng = case
    host = Host(geometry)
    host.packetizer.protection = Protection(percent)
    packets = host.frame(rng.randbytes(length), 0)
    k, m = geometry.blocks(length, Protection(percent))[-1]
    data_start = sum(count for count, _ in geometry.blocks(length, Protection(percent))) - k
    block = [*range(data_start, data_start + k), *range(len(packets) - m, len(packets))]
    lost = set(rng.sample(block, m + 1))
    receiver = VideoReceiver(KEY, Limits(geometry.max_data_shards))
    units = [u for i, p in enumerate(packets) if i not in lost for u in receiver.receive(p, 0.0)]
    assert units == []


@pytest.mark.parametrize("key", [KEY, CHACHA_KEY], ids=["aes", "chacha"])
def test_runs_of_datagrams_and_both_ciphers(key: SealKey) -> None:
    host = Host(key=key)
    frame = host.packetizer.frame(bytes(range(256)) * 400, 1, FrameFlags.PICTURE | FrameFlags.KEYFRAME)
    receiver = VideoReceiver(key, Limits())
    units = []
    count = 0
    while run := frame.read(limit=17):
        assert len(run) % frame.datagram_bytes == 0
        count += len(run) // frame.datagram_bytes
        units += receiver.receive(run, 0.0, frame.datagram_bytes)
    assert count == frame.datagrams
    assert [u.data for u in units] == [bytes(range(256)) * 400]
    assert FrameFlags.KEYFRAME in units[0].flags


def test_wire_order_is_data_before_recovery_with_marks_at_both_ends() -> None:
    geometry = Geometry(512, 4, 50)
    packets = [opener(KEY, Role.HOST)(p) for p in Host(geometry).frame(bytes(512 * 6), 0)]
    heads = [(p[24], p[32]) for p in packets]
    assert heads == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (0, 4), (0, 5), (1, 2)]
    assert [p[39] for p in packets] == [5, *[1] * 7, 3]
    assert [int.from_bytes(p[12:16], "little") for p in packets] == list(range(9))


def test_blocks_respect_what_a_receiver_of_the_first_release_takes() -> None:
    geometry = Geometry(512, 100, 10)
    assert geometry.blocks(100 * 512, Protection(50)) == [(100, 10)]
    assert geometry.blocks(10 * 512, Protection(50)) == [(10, 5)]
    assert geometry.blocks(0, Protection(10)) == [(1, 1)]
    assert geometry.blocks(0, Protection(0)) == [(1, 0)]


def test_gf256_blocks_decode() -> None:
    data = random.Random(5).randbytes(2500)
    shards = np.zeros((7, 512), np.uint8)
    shards[:5] = np.frombuffer(data.ljust(5 * 512, b"\0"), np.uint8).reshape(5, 512)
    receiver = VideoReceiver(KEY, Limits(scheme=FecScheme.GF8))
    gf256.cauchy_code(5, 2).encode(shards)
    units = []
    for index in (0, 2, 4, 5, 6):
        packet = Packet(
            frame_bytes=2500, data_shards=5, recovery_shards=2, shard_index=index, payload=shards[index].tobytes()
        )
        units += receiver.receive(packet.sealed(index), 0.0)
    assert [u.data for u in units] == [data]
