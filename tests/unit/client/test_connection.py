"""The session's state machine with bytes and times alone."""

from __future__ import annotations

import pytest
from tests.wire.native_stream import KEY, Host

from punktfunk.client.arrival import Arrival
from punktfunk.client.connection import MAX_CURSOR_SHAPES, Connection, Mode
from punktfunk.client.frame import Limits
from punktfunk.client.reassembly import AccessUnit
from punktfunk.client.receiver import VideoReceiver
from punktfunk.client.rumble import RumbleLevel
from punktfunk.client.speed_test import ANSWER_TIMEOUT_S, STRAGGLERS_S, SpeedTest
from punktfunk.native.adaptive_fec import Protection
from punktfunk.wire.punktfunk1 import messages as m
from punktfunk.wire.punktfunk1.audio import AudioFrame
from punktfunk.wire.punktfunk1.caps import Grants
from punktfunk.wire.punktfunk1.control import encode_control
from punktfunk.wire.punktfunk1.datagrams import CursorState, HostTiming, encode_datagram
from punktfunk.wire.punktfunk1.hdr import GENERIC_HDR10
from punktfunk.wire.punktfunk1.pad_feedback import Led, Rumble
from punktfunk.wire.punktfunk1.video import FrameFlags
from punktfunk.wire.punktfunk1.welcome import Welcome

WELCOME = Welcome(5000, 1280, 720, 60, 1408, KEY.key, KEY.salt, bitrate_kbps=20_000)
KEYFRAME = FrameFlags.PICTURE | FrameFlags.KEYFRAME
WALL = 1_000_000_000_000


def connection(*, adaptive: bool = False) -> Connection:
    return Connection(WELCOME, VideoReceiver(KEY, Limits()), 0.0, adaptive=adaptive)


def arrival(
    index: int, flags: FrameFlags = FrameFlags.PICTURE, *, pts_ns: int = WALL, received_ns: int = WALL
) -> Arrival:
    return Arrival(AccessUnit(index, pts_ns, flags, b"unit", 0, 10.0), received_ns, received_ns + 50_000, 20_000)


def compare_clocks(c: Connection, offset_ns: int) -> None:
    """Eight rounds with a host clock ahead by ``offset_ns`` and no time on the wire."""
    for _ in range(8):
        c.poll(0.0, WALL)
        probe = next(message for message in c.take_messages() if isinstance(message, m.ClockProbe))
        host_ns = probe.t1_ns + offset_ns
        c.control(encode_control(m.ClockEcho(probe.t1_ns, host_ns, host_ns)), 0.0, WALL)


def test_it_punches_and_compares_clocks_first() -> None:
    c = connection()
    c.poll(0.0, WALL)
    assert c.punch_due
    assert c.take_messages() == [m.ClockProbe(WALL)]
    assert c.offset_ns is None
    compare = connection()
    compare_clocks(compare, 5_000_000)
    assert compare.offset_ns == 5_000_000


def test_polling_at_each_deadline_goes_on() -> None:
    c = connection()
    now = 0.0
    for _ in range(200):
        now = max(c.next_deadline(), now + 0.001)
        c.poll(now, WALL + int(now * 1e9))
        c.take_messages()
        assert c.next_deadline() >= now
    assert now > 5


def test_keyframes_are_asked_for_until_one_came() -> None:
    c = connection()
    c.poll(0.11, WALL)
    assert m.RequestKeyframe() in c.take_messages()
    assert c.frame(arrival(0, KEYFRAME), 0, 0.2, decoding=True).show
    c.poll(0.74, WALL)
    assert m.RequestKeyframe() not in c.take_messages()


def test_a_gap_asks_for_invalidation_and_hides_until_the_anchor() -> None:
    c = connection()
    c.frame(arrival(0, KEYFRAME), 0, 0.1, decoding=True)
    assert not c.frame(arrival(3), 0, 0.2, decoding=True).show
    assert m.RfiRequest(1, 2) in c.take_messages()
    assert c.frame(arrival(4, FrameFlags.PICTURE | FrameFlags.RECOVERY_ANCHOR), 0, 0.25, decoding=True).show
    assert c.feedback.statistics.hidden == 1


def test_old_frames_are_flushed_and_the_stream_begins_anew() -> None:
    c = connection()
    compare_clocks(c, 0)
    c.frame(arrival(0, KEYFRAME), 0, 0.0, decoding=True)
    late = {"received_ns": WALL + 500_000_000}
    assert not c.frame(arrival(1, **late), 0, 0.1, decoding=True).flush
    assert c.frame(arrival(2, **late), 0, 0.4, decoding=True).flush
    assert m.RequestKeyframe() in c.take_messages()


def test_a_deep_queue_is_flushed_too() -> None:
    c = connection()
    c.frame(arrival(0, KEYFRAME), 6, 0.0, decoding=True)
    assert c.frame(arrival(1), 6, 0.3, decoding=True).flush


def test_frames_leave_in_order() -> None:
    c = connection()
    first, second, third = arrival(0, KEYFRAME), arrival(1), arrival(2)
    assert c.ordered(first, 0.0) == [first]
    assert c.ordered(third, 0.01) == [third]
    assert c.ordered(second, 0.015) == []
    assert c.overdue(0.1) == []


def test_loss_reports_come_every_window() -> None:
    c = connection()
    c.poll(0.75, WALL)
    assert m.LossReport(0) in c.take_messages()


@pytest.mark.parametrize(
    ("size", "acknowledged"), [(512, True), (9152, True), (511, False), (1409, False), (9154, False)]
)
def test_new_shard_sizes_are_acknowledged_if_possible(size: int, acknowledged: bool) -> None:
    c = connection()
    c.control(encode_control(m.ShardPayloadChanged(size)), 0.0, WALL)
    assert (m.ShardPayloadAck(size) in c.take_messages()) == acknowledged


def test_an_accepted_mode_is_live_and_a_refused_one_is_not() -> None:
    c = connection()
    c.control(encode_control(m.Reconfigured(True, 1920, 1080, 120)), 0.0, WALL)
    c.control(encode_control(m.Reconfigured(False, 640, 480, 30)), 0.0, WALL)
    assert c.mode == Mode(1920, 1080, 120)
    assert len(c.events) == 2


@pytest.mark.parametrize(
    "message",
    [
        m.ClipState(True, 1, 0),
        m.ClipOffer(1, (m.ClipFormat("text/plain"),)),
        m.AudioState(True),
        m.LaunchOutcome(0, "spawned"),
        m.PadSlots(1),
        m.HostFacts(1, 1000, 64, 0xFF),
        m.DeliveryChanged(1, False),
        m.BitrateChanged(9000),
        m.PipelineGap(100),
    ],
)
def test_messages_become_events(message: m.ControlMessage) -> None:
    c = connection()
    c.control(encode_control(message), 0.0, WALL)
    assert c.events == [message]


def test_grants_and_bitrate_follow_the_host() -> None:
    c = connection()
    c.control(encode_control(m.AccessUpdate(Grants.POINTER, 60)), 0.0, WALL)
    c.control(encode_control(m.BitrateChanged(9000)), 0.0, WALL)
    assert c.grants == Grants.POINTER
    assert c.feedback.bitrate_kbps == 9000


@pytest.mark.parametrize("value", [CursorState(1, True, False, 5, 6), GENERIC_HDR10, Led(0, 1, 2, 3)])
def test_datagrams_become_events(value: CursorState | Led) -> None:
    c = connection()
    c.datagram(encode_datagram(value), 0.0)
    assert c.events == [value]


def test_rumble_ends_by_itself() -> None:
    c = connection()
    c.datagram(encode_datagram(Rumble(0, 100, 200, 1, 400)), 0.0)
    c.poll(0.5, WALL)
    assert c.events == [RumbleLevel(0, 100, 200), RumbleLevel(0)]


def test_sound_is_handed_on_in_order() -> None:
    c = connection()
    for seq in (0, 1):
        c.datagram(encode_datagram(AudioFrame(seq, 1, b"opus")), 0.0)
    assert [packet.seq for packet in c.audio_packets] == [0, 1]


def test_pointer_pictures_are_bounded() -> None:
    c = connection()
    for serial in range(2 * MAX_CURSOR_SHAPES):
        c.control(encode_control(m.CursorShape(serial, 1, 1, 0, 0, bytes(4))), 0.0, WALL)
    assert list(c.cursor_shapes) == list(range(MAX_CURSOR_SHAPES, 2 * MAX_CURSOR_SHAPES))


def test_junk_is_counted_and_changes_nothing() -> None:
    c = connection()
    c.control(b"PKFc\x06\x00", 0.0, WALL)
    c.control(b"PKFc\xee", 0.0, WALL)
    c.control(b"", 0.0, WALL)
    c.datagram(b"\xce", 0.0)
    c.datagram(b"\xee", 0.0)
    c.datagram(b"", 0.0)
    assert (c.statistics.malformed, c.statistics.unknown) == (2, 4)
    assert c.events == []


def test_stages_are_told_apart() -> None:
    c = connection()
    compare_clocks(c, 1_000_000)
    received = arrival(0, KEYFRAME, pts_ns=WALL, received_ns=WALL + 9_000_000)
    c.frame(received, 0, 0.1, decoding=True)
    c.datagram(encode_datagram(HostTiming(WALL, 6000, 1000, 4000, 1000)), 0.1)
    c.decoded(received, 0.002, received.whole_ns + 3_000_000)
    shown = {stage: c.latencies.percentile_us(stage, 50) for stage in ("capture", "encode", "pace", "host", "network")}
    assert shown == {"capture": 1000, "encode": 4000, "pace": 1000, "host": 6000, "network": 4000}
    assert c.latencies.percentile_us("reassemble", 50) == 50
    assert c.latencies.percentile_us("decode", 50) == 3000
    assert c.latencies.percentile_us("total", 50) == 13_050


def test_a_timing_before_its_frame_counts_as_well() -> None:
    c = connection()
    compare_clocks(c, 0)
    c.datagram(encode_datagram(HostTiming(WALL, 1000)), 0.1)
    c.frame(arrival(0, KEYFRAME, received_ns=WALL + 3_000_000), 0, 0.1, decoding=True)
    assert c.latencies.percentile_us("network", 50) == 2000
    assert c.latencies.percentile_us("encode", 50) is None


def test_a_speed_test_measures_what_arrived() -> None:
    c = connection()
    c.start_test(m.ProbeRequest(100_000, 100), 1.0)
    with pytest.raises(RuntimeError):
        c.start_test(m.ProbeRequest(100_000, 100), 1.0)
    for n in range(90):
        c.receiver.probe.add(1000, 1.0 + n / 890)
    c.control(encode_control(m.ProbeResult(100_000, 10, 100, 100, 25)), 1.2, WALL)
    c.poll(1.2 + STRAGGLERS_S, WALL)
    (outcome,) = [event for event in c.events if isinstance(event, SpeedTest)]
    assert outcome.throughput_kbps == pytest.approx(7200)
    assert outcome.loss == pytest.approx(0.1)
    assert outcome.host_dropped == pytest.approx(0.2)
    assert not c.testing


@pytest.mark.parametrize("answer", [m.ProbeResult(0, 0, 0, 0, 0), None])
def test_a_declined_or_forgotten_speed_test_ends(answer: m.ProbeResult | None) -> None:
    c = connection()
    c.start_test(m.ProbeRequest(100_000, 100), 1.0)
    if answer:
        c.control(encode_control(answer), 1.1, WALL)
    c.poll(1.0 + ANSWER_TIMEOUT_S + 0.2, WALL)
    assert [event.declined for event in c.events if isinstance(event, SpeedTest)] == [True]


def test_automatic_bitrate_begins_with_a_speed_test() -> None:
    c = connection(adaptive=True)
    c.poll(2.1, WALL)
    assert any(isinstance(message, m.ProbeRequest) for message in c.take_messages())
    c.poll(2.2, WALL)
    assert not any(isinstance(message, m.LossReport) for message in c.take_messages())
    fixed = connection()
    fixed.poll(2.1, WALL)
    assert not any(isinstance(message, m.ProbeRequest) for message in fixed.take_messages())


def test_a_decoder_that_fails_costs_a_keyframe() -> None:
    c = connection()
    c.frame(arrival(0, KEYFRAME), 0, 0.0, decoding=True)
    c.feedback.decoder_failed(0.1)
    assert m.RequestKeyframe() in c.take_messages()
    assert c.feedback.holding


def test_frames_before_the_clocks_are_compared_say_nothing_about_delay() -> None:
    c = connection(adaptive=True)
    late = WALL + 50_000_000
    for n in range(45):
        c.frame(arrival(n, KEYFRAME, received_ns=late), 0, n / 60, decoding=True)
    c.poll(0.75, WALL)
    compare_clocks(c, 0)
    for window in range(1, 8):
        for n in range(45):
            index, at = 45 * window + n, 0.75 * window + n / 60
            c.frame(arrival(index, KEYFRAME, received_ns=late), 0, at, decoding=True)
        c.poll(0.75 * (window + 1), WALL)
    assert not any(isinstance(message, m.SetBitrate) for message in c.take_messages())


def receive(c: Connection, host: Host, frames: range, *, keep: int) -> None:
    """Frames of ten shards and one of parity, of which ``keep`` packets arrive."""
    for index in frames:
        for packet in host.frame(bytes(14_000), index)[-keep:]:
            c.receiver.receive(packet, index / 60)


@pytest.mark.parametrize(("keep", "ppm"), [(11, 0), (10, 90_909), (5, m.UNRECOVERABLE_PPM)])
def test_losses_of_frames_that_never_became_whole_count(keep: int, ppm: int) -> None:
    c, host = connection(), Host()
    host.packetizer.protection = Protection(10)
    receive(c, host, range(45), keep=keep)
    c.poll(0.76, WALL)
    (report,) = [message for message in c.take_messages() if isinstance(message, m.LossReport)]
    assert report.loss_ppm == pytest.approx(ppm, rel=0.02)


def test_a_path_that_lets_no_frame_through_lowers_the_bitrate() -> None:
    c, host = connection(adaptive=True), Host()
    host.packetizer.protection = Protection(10)
    for tenth in range(8):
        receive(c, host, range(6 * tenth, 6 * tenth + 6), keep=5)
        c.poll(tenth / 10 + 0.1, WALL)
    assert [message.kbps for message in c.take_messages() if isinstance(message, m.SetBitrate)] == [14_000]


def test_what_a_full_path_loses_is_not_reported_for_parity_to_mend() -> None:
    c, host = connection(adaptive=True), Host()
    host.packetizer.protection = Protection(10)
    compare_clocks(c, 0)
    reports = []
    for window in range(2):
        for n in range(45):
            index, at = 45 * window + n, 0.75 * window + n / 60
            receive(c, host, range(index, index + 1), keep=10)
            late = arrival(index, KEYFRAME, received_ns=WALL + 60_000_000 * window)
            c.frame(late, 0, at, decoding=True)
        c.poll(0.75 * (window + 1) + 0.01, WALL)
        reports += [message.loss_ppm for message in c.take_messages() if isinstance(message, m.LossReport)]
    assert reports[0] > 0
    assert reports[1] == 0
