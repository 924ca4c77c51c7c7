"""The client's video receiver: limits, replay, streamed access units, loss figures, constant memory."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from tests.wire.native_stream import FRAME_NS, KEY, Host, Packet

from punktfunk.client.frame import Limits
from punktfunk.client.loss_window import LossWindow
from punktfunk.client.reassembly import MAX_HELD_FRAMES, WINDOW_FRAMES, Reassembler
from punktfunk.client.receiver import VideoReceiver, key_of, limits_of
from punktfunk.native.packetizer import Geometry
from punktfunk.wire.punktfunk1.welcome import Welcome

MIB = 1024 * 1024


def test_nothing_is_delivered_twice() -> None:
    packets = Host().frame(b"x" * 9000, 0)
    receiver = VideoReceiver(KEY, Limits())
    units = [u for _ in range(3) for p in packets for u in receiver.receive(p, 0.0)]
    assert len(units) == 1
    assert receiver.refused == 2 * len(packets)


def test_forged_and_misshapen_datagrams_are_refused() -> None:
    packet = Host().frame(b"x" * 100, 0)[0]
    receiver = VideoReceiver(KEY, Limits())
    forged = bytearray(packet)
    forged[100] ^= 1
    for datagram in (bytes(forged), b"", packet[:64], packet[:-1], bytes(20_000), b"PFpunch1"):
        assert receiver.receive(datagram, 0.0) == []
    assert receiver.packets == 0
    assert receiver.receive(packet, 0.0)[0].data == b"x" * 100


@pytest.mark.parametrize(
    "packet",
    [
        Packet(magic=0xC8),
        Packet(shard_bytes=510),
        Packet(shard_bytes=513),
        Packet(shard_bytes=9154),
        Packet(shard_bytes=600, payload=bytes(512)),
        Packet(data_shards=0),
        Packet(data_shards=4097, block_count=0, frame_bytes=0),
        Packet(shard_index=1),
        Packet(recovery_shards=65_000),
        Packet(frame_bytes=64 * MIB + 1),
        Packet(frame_bytes=1025, data_shards=2),
        Packet(frame_bytes=512, block_count=2),
        Packet(block_index=1),
        Packet(block_count=0),
        Packet(block_count=0, frame_bytes=0, data_shards=4095),
        Packet(block_count=0, frame_bytes=0, data_shards=4096, block_index=65_535),
        Packet(block_count=0, frame_bytes=511, user_flags=0x81),
        Packet(block_count=1, frame_bytes=512, data_shards=2, user_flags=0x81),
    ],
    ids=repr,
)
def test_impossible_headers_are_dropped(packet: Packet) -> None:
    receiver = VideoReceiver(KEY, Limits())
    assert receiver.receive(packet.sealed(0), 0.0) == []
    assert receiver.reassembler.statistics.malformed + receiver.refused == 1
    assert receiver.reassembler.held_bytes == 0


@pytest.mark.parametrize(
    "contradiction",
    [
        Packet(frame_bytes=1000, data_shards=2, recovery_shards=1, shard_index=1),
        Packet(frame_bytes=1500, data_shards=3, recovery_shards=1, shard_index=1),
        Packet(frame_bytes=1024, data_shards=2, recovery_shards=2, shard_index=1),
        Packet(frame_bytes=1024, data_shards=1, recovery_shards=1, shard_bytes=1024, shard_index=1),
        Packet(frame_bytes=0, block_count=0, data_shards=2, recovery_shards=1, shard_index=1, user_flags=0x81),
    ],
    ids=repr,
)
def test_packets_of_a_frame_must_agree(contradiction: Packet) -> None:
    first = Packet(frame_bytes=1024, data_shards=2, recovery_shards=1)
    receiver = VideoReceiver(KEY, Limits())
    receiver.receive(first.sealed(0), 0.0)
    receiver.receive(contradiction.sealed(1), 0.0)
    assert receiver.reassembler.statistics.malformed == 1
    units = receiver.receive(replace(first, shard_index=1).sealed(2), 0.0)
    assert [len(u.data) for u in units] == [1024]


def test_uniform_streamed_access_unit() -> None:
    limits = Limits(max_data_shards=2)
    early = Packet(block_count=0, frame_bytes=0, data_shards=2)
    last = Packet(block_count=2, block_index=1, frame_bytes=2 * 512 + 5)
    packets = [
        replace(early, payload=b"a" * 512),
        replace(early, payload=b"b" * 512, shard_index=1),
        replace(last, payload=b"c" * 512),
    ]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        receiver = VideoReceiver(KEY, limits)
        units = [u for seq, i in enumerate(order) for u in receiver.receive(packets[i].sealed(seq), 0.0)]
        assert [u.data for u in units] == [b"a" * 512 + b"b" * 512 + b"c" * 5]


def test_slice_streamed_access_unit() -> None:
    slices = 0x81
    packets = [
        Packet(block_count=0, block_index=0, frame_bytes=0, user_flags=slices, payload=b"a" * 512),
        Packet(block_count=0, block_index=1, frame_bytes=512, user_flags=slices, payload=b"b" * 512),
        Packet(block_count=3, block_index=2, frame_bytes=1030, user_flags=slices, payload=b"c" * 512),
    ]
    for order in ([0, 1, 2], [2, 0, 1]):
        receiver = VideoReceiver(KEY, Limits())
        units = [u for seq, i in enumerate(order) for u in receiver.receive(packets[i].sealed(seq), 0.0)]
        assert [u.data for u in units] == [b"a" * 512 + b"b" * 512 + b"c" * 6]


def test_overlapping_slices_are_never_delivered() -> None:
    slices = 0x81
    receiver = VideoReceiver(KEY, Limits())
    for seq, packet in enumerate(
        [
            Packet(block_count=0, block_index=0, frame_bytes=512, user_flags=slices),
            Packet(block_count=0, block_index=1, frame_bytes=512, user_flags=slices),
            Packet(block_count=3, block_index=2, frame_bytes=1030, user_flags=slices),
        ]
    ):
        assert receiver.receive(packet.sealed(seq), 0.0) == []


def test_incomplete_frames_are_lost_by_age_and_by_number() -> None:
    host, receiver = Host(), VideoReceiver(KEY, Limits())
    for index in range(3):
        receiver.receive(host.frame(bytes(5000), index)[0], 0.0)
    assert receiver.reassembler.frames_in_flight == 3
    receiver.receive(host.frame(b"new", 10)[0], 0.0)
    assert receiver.reassembler.frames_in_flight == 0
    assert receiver.reassembler.statistics.dropped == 3
    assert receiver.receive(host.frame(b"", 7)[0], 0.0)
    receiver.receive(host.frame(b"", 10 + WINDOW_FRAMES)[0], 0.0)
    assert receiver.reassembler.statistics.dropped == 3 + 6
    receiver.receive(host.frame(b"", 20 + WINDOW_FRAMES)[0], 0.0)
    assert receiver.reassembler.statistics.dropped == 3 + 6 + WINDOW_FRAMES - 1


def test_stragglers_do_not_reopen_a_frame() -> None:
    host, receiver = Host(), VideoReceiver(KEY, Limits())
    old = host.frame(bytes(5000), 0)
    receiver.receive(old[0], 0.0)
    receiver.receive(host.frame(b"", 20)[0], 0.0)
    for packet in old[1:]:
        assert receiver.receive(packet, 0.0) == []
    assert receiver.reassembler.frames_in_flight == 0


def test_frame_numbers_wrap() -> None:
    host, receiver = Host(), VideoReceiver(KEY, Limits())
    units = []
    for step in range(6):
        index = (0xFFFF_FFFD + step) % 2**32
        units += [u for p in host.frame(bytes([step]), index) for u in receiver.receive(p, 0.0)]
    assert [u.data for u in units] == [bytes([step]) for step in range(6)]


def test_a_host_clock_that_jumps_costs_no_whole_frame() -> None:
    receiver = VideoReceiver(KEY, Limits())
    stamps = [10**18, 10**18 + FRAME_NS, 5, 5 + FRAME_NS]
    units = [
        u
        for index, pts_ns in enumerate(stamps)
        for u in receiver.receive(Packet(frame_index=index, pts_ns=pts_ns).sealed(index), 0.0)
    ]
    assert [u.pts_ns for u in units] == stamps
    assert receiver.reassembler.statistics.dropped == 0


def test_probe_filler_is_counted_apart() -> None:
    host, receiver = Host(), VideoReceiver(KEY, Limits())
    frame = host.packetizer.probe(5000, 1)
    run = bytes(frame.read())
    receiver.start_probe()
    assert receiver.receive(run, 2.0, frame.datagram_bytes) == []
    assert receiver.probe.packets == frame.datagrams - 1
    assert receiver.probe.wire_bytes == len(run)
    assert receiver.reassembler.statistics.packets == 0


def test_loss_report_counts_what_fec_replaced_and_never_came() -> None:
    host, receiver = Host(Geometry(1408, start_percent=20)), VideoReceiver(KEY, Limits())
    window = LossWindow(receiver.reassembler.statistics, 0.0)
    packets = host.frame(bytes(14_080), 0)
    for packet in packets[2:]:
        receiver.receive(packet, 0.0)
    receiver.receive(packets[1], 0.0)
    losses = window.close(0.75)
    assert losses.loss_ppm == 1_000_000 // (len(packets) - 1 + 1)
    assert losses.dropped == 0
    assert window.close(1.5).loss_ppm == 0


def test_loss_report_adds_five_percent_for_a_frame_beyond_repair() -> None:
    host, receiver = Host(), VideoReceiver(KEY, Limits())
    window = LossWindow(receiver.reassembler.statistics, 0.0)
    receiver.receive(host.frame(b"", 0)[0], 0.0)
    receiver.receive(host.frame(b"", 100)[0], 0.0)
    assert window.close(0.75).loss_ppm == 50_000
    assert window.due == 1.5


def test_memory_is_bounded_whatever_a_host_sends() -> None:
    limits = Limits(max_frame_bytes=256 * 1024)
    reassembler = Reassembler(limits)
    rng = random.Random(7)
    most = 0
    for _ in range(20_000):
        k = rng.choice([2, 30, 400])
        frame_bytes = k * 512
        packet = Packet(
            frame_index=rng.randrange(100) if rng.random() < 0.9 else rng.randrange(2**32),
            pts_ns=1,
            frame_bytes=frame_bytes,
            data_shards=k,
            recovery_shards=k // 2,
            shard_index=rng.randrange(k + k // 2),
        )
        reassembler.add(packet.plain())
        most = max(most, reassembler.held_bytes)
        assert reassembler.frames_in_flight <= WINDOW_FRAMES + 1
    assert most <= MAX_HELD_FRAMES * limits.max_frame_bytes


def test_memory_counter_returns_to_zero() -> None:
    host, receiver = Host(), VideoReceiver(KEY, Limits())
    rng = random.Random(3)
    for index in range(200):
        for packet in host.frame(bytes(rng.randrange(60_000)), index):
            if rng.random() < 0.9:
                receiver.receive(packet, 0.0)
    for index in (400, 600):
        receiver.receive(host.frame(b"", index)[0], 0.0)
    assert receiver.reassembler.held_bytes == 0
    assert receiver.reassembler.frames_in_flight == 0


def test_key_and_limits_follow_the_welcome() -> None:
    welcome = Welcome(1, 2, 2, 60, 1408, bytes(16), b"salt", bitrate_kbps=20_000)
    assert limits_of(welcome) == Limits(4096, 8 * MIB)
    assert limits_of(replace(welcome, bitrate_kbps=4_000_000)).max_frame_bytes == 4 * (4_000_000 * 125 // 60)
    assert limits_of(replace(welcome, bitrate_kbps=0)).max_frame_bytes == 64 * MIB
    assert not key_of(welcome).chacha
    assert key_of(replace(welcome, chacha_key=bytes(32))).chacha
    assert "salt" not in repr(welcome) + repr(key_of(welcome))
