"""The host's small policies: FEC, recovery, shard size, speed test, numbers, access."""

from __future__ import annotations

import mmap

import numpy as np
import pytest
from tests.wire.native_stream import KEY, Host, datagrams

from punktfunk.native import parity
from punktfunk.native.access import Access
from punktfunk.native.adaptive_fec import AdaptiveFec, Protection
from punktfunk.native.numbers import VideoNumbers
from punktfunk.native.packetizer import MAX_ACCESS_UNIT_BYTES, Geometry, VideoPacketizer
from punktfunk.native.recovery import RecoveryPolicy, Remedy
from punktfunk.native.shard_size import ShardSizer
from punktfunk.native.speed_test import MAX_FILLER_BYTES, MIN_FILLER_BYTES, ProbeBurst, ProbeGate
from punktfunk.wire.punktfunk1.caps import ALL_GRANTS, Grants
from punktfunk.wire.punktfunk1.messages import AccessUpdate, ProbeRequest, ShardPayloadChanged
from punktfunk.wire.punktfunk1.video import FrameFlags, SealKey


@pytest.mark.parametrize(("ppm", "percent"), [(0, 9), (10_000, 9), (71_000, 11), (300_000, 43), (1_000_000, 50)])
def test_fec_follows_loss(ppm: int, percent: int) -> None:
    assert AdaptiveFec().report(ppm) == percent


def test_fec_falls_a_point_a_report_down_to_one() -> None:
    fec = AdaptiveFec()
    assert [fec.report(0) for _ in range(12)] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 1, 1, 1]


def test_pinned_fec_stays() -> None:
    assert AdaptiveFec(0).report(10**6) == 0
    assert AdaptiveFec(200).percent == 90


def test_only_a_steady_loss_is_expected_to_go_on() -> None:
    fec = AdaptiveFec()
    fec.report(100_000)
    assert fec.protection == Protection(15, 115_000)
    fec.report(80_000)
    assert fec.loss_ppm == 92_000
    for ppm in (0, 120_000, 0, 120_000, 120_000):
        fec.report(ppm)
        assert fec.loss_ppm == 0
    fec.report(120_000)
    assert fec.loss_ppm == 138_000
    for _ in range(3):
        fec.report(2**32 - 1)
    assert fec.loss_ppm == 1_000_000
    pinned = AdaptiveFec(30)
    pinned.report(100_000)
    pinned.bitrate_asked(1)
    assert pinned.protection == Protection(30, 0)


def test_a_lower_bitrate_ends_what_was_no_steady_loss() -> None:
    fec = AdaptiveFec(bitrate_kbps=20_000)
    for ppm in (0, 300_000):
        fec.report(ppm)
    fec.bitrate_asked(20_000)
    assert fec.protection == Protection(43, 0)
    fec.bitrate_asked(14_000)
    assert fec.protection == Protection(10, 0)
    fec.report(20_000)
    assert fec.protection == Protection(9, 23_000)
    fec.bitrate_asked(30_000)
    assert fec.loss_ppm == 23_000


def test_a_steady_loss_stays_expected_at_a_lower_bitrate() -> None:
    fec = AdaptiveFec(bitrate_kbps=20_000)
    for ppm in (90_000, 150_000, 100_000):
        fec.report(ppm)
    for kbps in (14_000, 9_800):
        fec.bitrate_asked(kbps)
        assert fec.protection == Protection(14, 103_500)


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.10])
@pytest.mark.parametrize("k", [44, 90, 350, 800, 4096])
def test_parity_repairs_all_but_one_block_of_a_thousand(k: int, loss: float) -> None:
    m = parity.needed(k, round(loss * 1_000_000))
    rng = np.random.default_rng(1)
    lost = rng.binomial(k + m, loss, 200_000)
    assert (lost > m).mean() <= 0.001
    assert m <= max(k * loss * 2.2, 8) + 4 * (k * loss) ** 0.5


@pytest.mark.parametrize(("k", "loss", "lost_share"), [(3, 0.05, 0.003), (4, 0.10, 0.005), (8, 0.05, 0.002)])
def test_small_frames_are_protected_by_what_a_client_tells_of_their_loss(
    k: int, loss: float, lost_share: float
) -> None:
    """A client that recovers all tells of k of k + m lost packets."""
    m = parity.needed(k, round(loss * 1_000_000))
    for _ in range(4):
        m = parity.needed(k, round(loss * 1_000_000 * k / (k + m)))
    lost = np.random.default_rng(2).binomial(k + m, loss, 200_000)
    assert (lost > m).mean() <= lost_share


def test_parity_has_its_bounds() -> None:
    assert parity.needed(44, 0) == 0
    assert parity.needed(1, 100_000) == 1
    assert parity.needed(2, 1_000_000) == 2
    for k in (1, 3, 16, 44, 400, 401, 4096):
        counts = [parity.needed(k, ppm) for ppm in range(0, 1_000_000, 10_000)]
        assert counts == sorted(counts)
        assert counts[-1] <= max(-(-k * 4 // 10), min(-(-k * 9 // 10), parity.SMALL_BLOCK_SHARDS))


def test_keyframes_are_spaced() -> None:
    for intra_refresh, spacing in ((False, 0.75), (True, 2.0)):
        policy = RecoveryPolicy(intra_refresh=intra_refresh)
        assert policy.keyframe_requested(0.0) is Remedy.KEYFRAME
        assert policy.keyframe_requested(spacing - 0.01) is Remedy.NOTHING
        assert policy.keyframe_requested(spacing) is Remedy.KEYFRAME


def test_a_flood_of_requests_costs_one_keyframe_a_spacing() -> None:
    policy = RecoveryPolicy()
    asked = [policy.keyframe_requested(i / 1000) for i in range(10_000)]
    assert asked.count(Remedy.KEYFRAME) <= 14


def test_invalidation_gets_time_to_work() -> None:
    policy = RecoveryPolicy()
    assert policy.frames_lost(5, 6, 10.0) is Remedy.INVALIDATE
    assert policy.keyframe_requested(10.1) is Remedy.NOTHING
    assert policy.keyframe_requested(10.2) is Remedy.NOTHING
    assert policy.keyframe_requested(10.25) is Remedy.KEYFRAME
    assert policy.frames_lost(7, 7, 11.5) is Remedy.INVALIDATE
    assert policy.keyframe_requested(11.6) is Remedy.NOTHING


def test_wide_and_impossible_ranges_cost_a_keyframe() -> None:
    assert RecoveryPolicy().frames_lost(0, 256, 1.0) is Remedy.KEYFRAME
    assert RecoveryPolicy().frames_lost(1, 256, 1.0) is Remedy.INVALIDATE
    assert RecoveryPolicy().frames_lost(9, 5, 1.0) is Remedy.KEYFRAME
    assert RecoveryPolicy(can_invalidate=False).frames_lost(1, 1, 1.0) is Remedy.KEYFRAME


def test_losses_before_the_newest_clean_frame_are_answered_already() -> None:
    policy = RecoveryPolicy()
    policy.frame_sent(2, 1.0, anchor=True)
    assert policy.frames_lost(0xFFFF_FFFE, 1, 1.1) is Remedy.NOTHING
    assert policy.frames_lost(1, 2, 1.2) is Remedy.INVALIDATE


def test_shard_size_follows_the_path() -> None:
    sizer = ShardSizer(9152, ipv6=False)
    assert sizer.shard_bytes == 1408
    assert sizer.path_mtu(1500) is None
    assert sizer.path_mtu(1280) == ShardPayloadChanged(1188)
    assert sizer.path_mtu(1280) is None
    assert sizer.path_mtu(1500) == ShardPayloadChanged(1408)
    assert sizer.path_mtu(1400) == ShardPayloadChanged(1308)
    assert sizer.shard_bytes == 1188
    assert not sizer.acknowledged(1408)
    assert sizer.acknowledged(1308)
    assert sizer.shard_bytes == 1308


def test_shard_size_limits() -> None:
    assert ShardSizer(0, ipv6=True).shard_bytes == 1388
    assert ShardSizer(0, ipv6=True).path_mtu(1280) is None
    assert ShardSizer(9152, ipv6=False).path_mtu(100) == ShardPayloadChanged(512)
    jumbo = ShardSizer(4001, ipv6=False, max_mtu=9000)
    assert jumbo.path_mtu(9000) == ShardPayloadChanged(4000)
    assert jumbo.shard_bytes == 1408


@pytest.mark.parametrize(("kbps", "filler"), [(1, MIN_FILLER_BYTES), (10_000, 5208), (2**32 - 1, MAX_FILLER_BYTES)])
def test_probe_filler_sizes(kbps: int, filler: int) -> None:
    assert ProbeBurst(ProbeRequest(kbps, 800), 0.0).filler_bytes == filler


def test_probe_is_paced_by_the_bytes_allowed_so_far() -> None:
    burst, now, sent = ProbeBurst(ProbeRequest(100_000, 500), 0.0), 0.0, 0
    while not burst.finished(now):
        while burst.due_in(now) == 0.0:
            burst.sent(packets=12, dropped=2)
            sent += 1
        now += 0.001
    assert sent * burst.filler_bytes == pytest.approx(12_500_000 * 0.5, rel=0.02)
    result = burst.result(now)
    assert (result.access_units, result.wire_packets_sent, result.send_dropped) == (sent, sent * 10, sent * 2)


def test_probe_time_is_bounded() -> None:
    burst = ProbeBurst(ProbeRequest(1000, 2**32 - 1), 0.0)
    assert not burst.finished(4.99)
    assert burst.finished(5.0)


def test_probe_gate() -> None:
    gate = ProbeGate(allowed=True)
    assert gate.request(ProbeRequest(0, 800), 0.0) is None
    assert gate.request(ProbeRequest(1000, 0), 0.0) is None
    assert gate.request(ProbeRequest(1000, 800), 0.0)
    assert gate.request(ProbeRequest(1000, 800), 9.9) is None
    assert gate.request(ProbeRequest(1000, 800), 10.0)
    assert ProbeGate(allowed=False).request(ProbeRequest(1000, 800), 0.0) is None


def test_numbers_survive_the_process_that_used_them() -> None:
    with mmap.mmap(-1, mmap.PAGESIZE) as shared:
        first = VideoNumbers(memoryview(shared))
        assert first.reserve_packets(100) == (0, 0)
        assert (first.next_frame(), first.next_probe()) == (0, 0)
        second = VideoNumbers(memoryview(shared))
        assert second.reserve_packets(1) == (100, 100)
        assert (second.next_frame(), second.next_probe()) == (1, 1)
        first._words.release()
        second._words.release()


def test_numbers_of_a_frame_are_spent_before_its_first_packet() -> None:
    numbers = VideoNumbers()
    packetizer = VideoPacketizer(KEY, Geometry(1408), numbers)
    packetizer.frame(bytes(14_080), 1, FrameFlags.PICTURE)
    assert numbers.reserve_packets(1).seq == 11


def test_small_or_read_only_storage_is_refused() -> None:
    with pytest.raises(ValueError, match="storage"):
        VideoNumbers(bytearray(8))
    with pytest.raises(ValueError, match="storage"):
        VideoNumbers(memoryview(bytes(64)))


def test_no_nonce_is_used_twice() -> None:
    host = Host(Geometry(512, 8, 30))
    seen: set[bytes] = set()
    for index in range(50):
        if index == 25:
            host.packetizer.resize(600)
        packets = host.frame(bytes(index * 300), index) + datagrams(host.packetizer.probe(1200, index))
        seqs = {packet[:8] for packet in packets}
        assert len(seqs) == len(packets)
        assert not seqs & seen
        seen |= seqs
    assert seen == {seq.to_bytes(8, "big") for seq in range(len(seen))}


def test_resize_changes_the_next_frame_only() -> None:
    host = Host(Geometry(1408))
    before = host.packetizer.frame(bytes(5000), 0, FrameFlags.PICTURE)
    host.packetizer.resize(1188)
    after = host.packetizer.frame(bytes(5000), 1, FrameFlags.PICTURE)
    assert {len(packet) for packet in datagrams(before)} == {1472}
    assert {len(packet) for packet in datagrams(after)} == {1252}


def test_absurd_geometry_and_frames_are_refused() -> None:
    for shard_bytes in (0, 511 * 2 + 1, 9154):
        with pytest.raises(ValueError, match="shard_bytes"):
            Geometry(shard_bytes)
    with pytest.raises(ValueError, match="max_data_shards"):
        Geometry(1408, 0)
    with pytest.raises(ValueError, match="access unit"):
        Host().packetizer.frame(bytes(MAX_ACCESS_UNIT_BYTES + 1), 0, FrameFlags.PICTURE)


def test_fec_percent_is_clamped() -> None:
    packetizer = VideoPacketizer(KEY, Geometry(1408), VideoNumbers())
    packetizer.protection = Protection(500)
    assert packetizer.protection == Protection(90)
    packetizer.protection = Protection(-1)
    assert packetizer.protection == Protection(0)


def test_a_key_is_in_no_representation() -> None:
    assert "secret" not in repr(SealKey(b"secret".ljust(16), b"salt"))


def test_access_edits_warn_anew() -> None:
    access = Access(ALL_GRANTS, 1000.0)
    assert access.warn(960.0) == AccessUpdate(63, 40)
    assert access.warn(970.0) is None
    assert access.change(Grants.NONE, 2000.0, 970.0) == AccessUpdate(0, 1030)
    assert access.warn(1700.0) == AccessUpdate(0, 300)
    assert not access.expired(1999.9)
    assert access.expired(2000.0)
    assert Access().next_deadline(0.0) is None
