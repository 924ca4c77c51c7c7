"""Loss recovery, jump to live, rumble, punching: the client's small controllers."""

from __future__ import annotations

from itertools import pairwise

from punktfunk.client.in_order import InOrder
from punktfunk.client.jump_to_live import JumpToLive
from punktfunk.client.loss_recovery import LossRecovery
from punktfunk.client.punch import PunchSchedule
from punktfunk.client.reassembly import AccessUnit
from punktfunk.client.rumble import RumbleLevel, RumbleTimer
from punktfunk.wire.punktfunk1.messages import RequestKeyframe, RfiRequest
from punktfunk.wire.punktfunk1.pad_feedback import Rumble
from punktfunk.wire.punktfunk1.video import FrameFlags

P, KEY, ANCHOR, POINT = (
    FrameFlags.PICTURE,
    FrameFlags.PICTURE | FrameFlags.KEYFRAME,
    FrameFlags.PICTURE | FrameFlags.RECOVERY_ANCHOR,
    FrameFlags.PICTURE | FrameFlags.RECOVERY_POINT,
)


def running(index: int = 0) -> LossRecovery:
    recovery = LossRecovery(0.0)
    assert recovery.delivered(index, KEY, 1.0) == []
    assert not recovery.holding
    return recovery


def test_start_asks_for_a_keyframe_until_one_comes() -> None:
    recovery = LossRecovery(0.0)
    asked = [recovery.poll(ms / 1000) for ms in range(0, 1000, 10)]
    assert sum(map(len, asked)) == 9
    assert recovery.holding
    recovery.delivered(3, KEY, 1.0)
    assert recovery.next_deadline() is None


def test_gap_asks_for_invalidation_and_the_anchor_heals() -> None:
    recovery = running()
    assert recovery.delivered(4, P, 2.0) == [RfiRequest(1, 3)]
    assert recovery.holding
    assert recovery.delivered(5, ANCHOR, 2.05) == []
    assert not recovery.holding
    assert recovery.next_deadline() is None


def test_gaps_are_throttled_and_merged() -> None:
    recovery = running()
    assert recovery.delivered(2, P, 2.0) == [RfiRequest(1, 1)]
    assert recovery.delivered(4, P, 2.02) == []
    assert recovery.delivered(6, P, 2.04) == []
    assert recovery.poll(2.1) == [RfiRequest(3, 5)]


def test_wide_gap_asks_for_a_keyframe() -> None:
    recovery = running()
    assert recovery.delivered(257, P, 2.0) == [RfiRequest(1, 256)]
    recovery = running()
    assert recovery.delivered(258, P, 2.0) == [RequestKeyframe()]


def test_frame_numbers_wrap_and_stragglers_are_ignored() -> None:
    recovery = running(0xFFFF_FFFE)
    assert recovery.delivered(1, P, 2.0) == [RfiRequest(0xFFFF_FFFF, 0)]
    assert recovery.delivered(0xFFFF_FFFF, P, 2.2) == []
    assert recovery.delivered(2, P, 2.2) == []


def test_patience_runs_out_again_and_again() -> None:
    recovery = running()
    recovery.delivered(2, P, 2.0)
    assert recovery.poll(2.49) == []
    assert recovery.poll(2.5) == [RequestKeyframe()]
    assert recovery.poll(2.9) == []
    assert recovery.poll(3.0) == [RequestKeyframe()]
    assert recovery.holding


def test_two_recovery_points_heal_and_extend_patience() -> None:
    recovery = running()
    recovery.delivered(2, P, 2.0)
    assert recovery.delivered(3, POINT, 2.4) == []
    assert recovery.poll(3.8) == []
    recovery.delivered(4, POINT, 3.85)
    assert not recovery.holding


def test_dropped_frames_and_decoder_failures_are_throttled() -> None:
    recovery = running()
    assert recovery.frames_given_up(0, 1.9) == []
    assert not recovery.holding
    assert recovery.frames_given_up(1, 2.0) == [RequestKeyframe()]
    assert recovery.decoder_failed(2.05) == []
    assert recovery.poll(2.1) == [RequestKeyframe()]
    assert recovery.requests == 2


def unit(index: int) -> AccessUnit:
    return AccessUnit(index, index, P, b"", 0)


def numbers(units: list[AccessUnit]) -> list[int]:
    return [u.frame_index for u in units]


def test_nothing_waits_until_a_frame_was_late() -> None:
    order = InOrder()
    assert [numbers(order.push(unit(i), i / 60)) for i in (0, 1, 3, 4)] == [[0], [1], [3], [4]]
    assert order.wait_s == 0.0
    assert numbers(order.push(unit(2), 3 / 60 + 0.01)) == []
    assert order.stragglers == 1
    assert 0.0125 <= order.wait_s <= 0.03


def test_late_frames_are_waited_for_once_known() -> None:
    order = InOrder()
    for index, at in ((0, 0.0), (2, 0.1), (1, 0.11)):
        order.push(unit(index), at)
    assert numbers(order.push(unit(4), 0.2)) == []
    assert order.next_deadline() == 0.2 + order.wait_s
    assert numbers(order.push(unit(3), 0.21)) == [3, 4]
    assert numbers(order.push(unit(6), 0.3)) == []
    assert numbers(order.poll(0.3 + order.wait_s)) == [6]


def test_waiting_is_bounded_and_forgotten() -> None:
    order = InOrder()
    for index, at in ((0, 0.0), (2, 0.1), (1, 5.0)):
        order.push(unit(index), at)
    assert order.wait_s == 0.03
    released = [numbers(order.push(unit(4 + i), 5.01)) for i in range(9)]
    assert released[-1] == list(range(4, 13))
    for _ in range(6):
        order.poll(order._learnt + 10.1)
    assert order.wait_s == 0.0


def test_order_survives_the_wrap() -> None:
    order = InOrder()
    assert [numbers(order.push(unit(i % 2**32), 0.0)) for i in (2**32 - 1, 2**32)] == [[2**32 - 1], [0]]


def test_jump_to_live_needs_persistence_and_rests() -> None:
    jump = JumpToLive()
    assert not jump.frame(0.5, 0, 0.0)
    assert not jump.frame(0.1, 0, 0.1)
    assert not jump.frame(0.5, 0, 0.2)
    assert not jump.frame(0.1, 6, 0.3)
    assert jump.frame(0.5, 0, 0.45)
    assert not jump.frame(0.5, 0, 0.5)
    assert not jump.frame(0.5, 0, 1.0)
    assert jump.frame(0.5, 0, 2.45)


def test_rumble_ends_by_itself() -> None:
    timer = RumbleTimer()
    assert timer.receive(Rumble(1, 5, 6, 0, 400), 0.0) == RumbleLevel(1, 5, 6)
    assert timer.receive(Rumble(1, 5, 6, 1, 400), 0.1) is None
    assert timer.next_deadline() == 0.5
    assert timer.expire(0.49) == []
    assert timer.expire(0.5) == [RumbleLevel(1)]
    assert timer.next_deadline() is None


def test_rumble_sequence_ttl_and_pad_limits() -> None:
    timer = RumbleTimer()
    timer.receive(Rumble(0, 1, 1, 255, 60_000), 0.0)
    assert timer.next_deadline() == 5.0
    assert timer.receive(Rumble(0, 9, 9, 254, 400), 0.1) is None
    assert timer.receive(Rumble(0, 0, 0, 0, 400), 0.1) == RumbleLevel(0)
    assert timer.receive(Rumble(16, 9, 9, 0, 400), 0.1) is None
    assert timer.receive(Rumble(2, 9, 9), 1.0) == RumbleLevel(2, 9, 9)
    assert timer.expire(2.0) == [RumbleLevel(2)]


def test_punches_are_frequent_at_first() -> None:
    schedule = PunchSchedule(0.0)
    times = [ms / 100 for ms in range(1000) if schedule.poll(ms / 100)]
    assert len([t for t in times if t < 2.9]) == 15
    assert [round(b - a, 2) for a, b in pairwise(times[14:])] == [2.0, 2.0, 2.0]
