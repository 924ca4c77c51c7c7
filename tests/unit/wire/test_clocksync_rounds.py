"""Clock synchronisation with explicit times."""

from __future__ import annotations

import pytest

from punktfunk.wire.clocksync import BATCH_SPACING_S, ROUNDS, ClockSample, ClockSync

OFFSET_NS = 5_000_000_000
MS = 1_000_000


def batch(sync: ClockSync, now: float, there_ms: float, back_ms: float, offset_ns: int = OFFSET_NS) -> float:
    """Run one batch whose messages take these times; the time after it."""
    for _ in range(ROUNDS):
        now = max(now, sync.next_deadline())
        t1 = sync.poll(now, int(now * 1e9))
        assert t1 is not None
        t2 = t1 + int(there_ms * MS) + offset_ns
        now += (there_ms + back_ms) / 1000
        sync.echo(t1, t2, t2, t1 + int((there_ms + back_ms) * MS), now)
    return now


def test_sample_arithmetic() -> None:
    assert ClockSample.of(100, 1150, 1160, 220) == ClockSample(rtt_ns=110, offset_ns=995)


def test_first_batch_gives_the_offset() -> None:
    sync = ClockSync(0.0)
    batch(sync, 0.0, 2, 2)
    assert sync.initial_done
    assert (sync.offset_ns, sync.rtt_ns) == (OFFSET_NS, 4 * MS)


def test_the_smallest_round_trip_decides() -> None:
    sync = ClockSync(0.0)
    for number, (there, back) in enumerate([(9, 1), (1, 1), (1, 9), (5, 5), (4, 4), (3, 9), (9, 3), (7, 7)]):
        t1 = sync.poll(float(number), number * 10**9)
        assert t1 is not None
        t2 = t1 + there * MS + OFFSET_NS
        sync.echo(t1, t2, t2, t1 + (there + back) * MS, number + 0.01)
    assert sync.offset_ns == OFFSET_NS


def test_lost_echo_ends_the_batch_with_what_there_is() -> None:
    sync = ClockSync(0.0)
    t1 = sync.poll(0.0, 7)
    assert t1 == 7
    sync.echo(7, 107, 107, 7, 0.1)
    assert sync.poll(0.1, 8) == 8
    assert sync.poll(2.0, 9) is None
    assert not sync.initial_done
    assert sync.poll(2.1, 9) is None
    assert sync.initial_done
    assert sync.offset_ns == 100
    assert sync.next_deadline() == pytest.approx(2.1 + BATCH_SPACING_S)


def test_nothing_heard_means_equal_clocks() -> None:
    sync = ClockSync(0.0)
    sync.poll(0.0, 1)
    sync.stop_batch(0.5)
    assert (sync.initial_done, sync.offset_ns, sync.rtt_ns) == (True, 0, None)


def test_foreign_and_impossible_echoes_are_ignored() -> None:
    sync = ClockSync(0.0)
    t1 = sync.poll(0.0, 1000)
    assert t1 == 1000
    sync.echo(999, 1, 1, 2000, 0.1)
    sync.echo(1000, 0, 10_000, 2000, 0.1)
    sync.stop_batch(0.2)
    assert sync.rtt_ns is None


def test_later_batches_must_be_about_as_good() -> None:
    sync = ClockSync(0.0)
    now = batch(sync, 0.0, 2, 2)
    for attempt in range(3):
        assert sync.offset_ns == OFFSET_NS, attempt
        now = batch(sync, now, 8, 2, OFFSET_NS + 100 * MS)
    assert sync.offset_ns == OFFSET_NS + 103 * MS
    batch(sync, now, 2.5, 2.5, OFFSET_NS)
    assert sync.offset_ns == OFFSET_NS
