from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from punktfunk.wire.pacing import BURST_BYTES, CHUNK_DATAGRAMS, MIN_WAIT_NS, SPREAD_SHARE, Chunk, schedule

MS = 1_000_000


def test_a_usual_frame_leaves_at_once() -> None:
    assert list(schedule(36, 1408, 5 * MS, 20 * MS)) == [Chunk(0, 36, 5 * MS)]


def test_a_large_frame_is_spread_over_most_of_the_frame_time() -> None:
    chunks = list(schedule(1000, 1408, 0, 10 * MS))
    assert chunks[0] == Chunk(0, BURST_BYTES // 1408, 0)
    assert chunks[1].due_ns >= MIN_WAIT_NS
    assert chunks[-1].due_ns == 9 * MS


def test_the_rest_is_not_stretched_for_its_own_sake() -> None:
    # 93 datagrams burst, 100 more take 2.8 ms at the pacing floor of 400 Mbit/s.
    chunks = list(schedule(193, 1408, 0, 100 * MS))
    assert chunks[-1].due_ns == 100 * 1408 * 8 * 10 // 4


def test_a_late_frame_is_not_made_later() -> None:
    assert list(schedule(500, 1408, 20 * MS, 20 * MS)) == [Chunk(0, 500, 20 * MS)]
    assert list(schedule(500, 1408, 30 * MS, 20 * MS)) == [Chunk(0, 500, 30 * MS)]


def test_waits_below_half_a_millisecond_are_skipped() -> None:
    assert list(schedule(100, 1408, 0, 16 * MS)) == [Chunk(0, 100, 0)]


def test_a_datagram_above_the_burst_still_leaves() -> None:
    assert next(iter(schedule(3, 2 * BURST_BYTES, 0, 16 * MS))).datagrams == 1


@given(st.integers(1, 5000), st.integers(64, 9000), st.integers(0, 10**12), st.integers(-(10**8), 10**9))
def test_every_schedule(count: int, size: int, now_ns: int, remaining_ns: int) -> None:
    chunks = list(schedule(count, size, now_ns, now_ns + remaining_ns))
    sums = itertools.accumulate((chunk.datagrams for chunk in chunks), initial=0)
    assert [chunk.first for chunk in chunks] == list(sums)[:-1]
    assert sum(chunk.datagrams for chunk in chunks) == count
    waits = [later.due_ns - sooner.due_ns for sooner, later in itertools.pairwise(chunks)]
    assert all(wait >= MIN_WAIT_NS for wait in waits)
    assert all(chunk.datagrams >= CHUNK_DATAGRAMS for chunk in chunks[1:-1])
    assert chunks[0].due_ns == now_ns
    assert chunks[-1].due_ns - now_ns <= max(0, SPREAD_SHARE * remaining_ns)
