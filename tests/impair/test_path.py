"""The impaired path by itself, with explicit times."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.impair.path import MAX_IN_FLIGHT, ImpairedPath, Impairments


def play(
    impairments: Impairments, count: int = 1000, spacing_s: float = 0.001, size: int = 100
) -> list[tuple[float, int]]:
    """(arrival time, number) of numbered datagrams."""
    path = ImpairedPath(impairments, seed=1)
    arrivals = []
    for number in range(count):
        path.send(number.to_bytes(size, "big"), number * spacing_s)
    while (due := path.next_arrival()) is not None:
        arrivals += [(due, int.from_bytes(datagram, "big")) for datagram in path.receive(due)]
    return arrivals


def test_a_clean_path_changes_nothing() -> None:
    assert play(Impairments()) == [(n * 0.001, n) for n in range(1000)]


def test_the_same_seed_gives_the_same_network() -> None:
    bad = Impairments(loss=0.1, jitter_s=0.01, reorder=0.05, duplicate=0.05, burst_every_s=0.2, burst_s=0.01)
    assert play(bad) == play(bad)
    path = ImpairedPath(bad, seed=2)
    for number in range(1000):
        path.send(bytes(100), number * 0.001)
    assert path.statistics.lost > 0


def test_loss_is_about_as_asked() -> None:
    assert 850 < len(play(Impairments(loss=0.1))) < 950
    assert play(Impairments(loss=1.0)) == []


def test_bursts_lose_everything_for_a_while() -> None:
    arrivals = [n for _, n in play(Impairments(burst_every_s=0.1, burst_s=0.02))]
    gaps = [b - a - 1 for a, b in pairwise(arrivals) if b != a + 1]
    assert len(gaps) >= 3
    assert all(gap >= 19 for gap in gaps)


def test_delay_and_jitter_keep_the_order() -> None:
    arrivals = play(Impairments(delay_s=0.02, jitter_s=0.03))
    assert [n for _, n in arrivals] == list(range(1000))
    waits = [at - n * 0.001 for at, n in arrivals]
    assert min(waits) >= 0.02 - 1e-9
    assert max(waits) <= 0.05 + 1e-9
    assert max(waits) - min(waits) > 0.02


def test_reordering_and_duplicates() -> None:
    numbers = [n for _, n in play(Impairments(reorder=0.1, duplicate=0.1))]
    assert numbers != sorted(numbers)
    assert len(numbers) > 1050
    assert set(numbers) == set(range(1000))


def test_rate_and_queue() -> None:
    arrivals = play(Impairments(rate_kbps=800, queue_bytes=10_000), size=972)
    spacing = [b[0] - a[0] for a, b in pairwise(arrivals)]
    assert all(step == pytest.approx(0.01) for step in spacing)
    assert len(arrivals) < 130
    assert max(at - n * 0.001 for at, n in arrivals) <= 0.11


def test_mtu_swallows_what_is_too_big() -> None:
    path = ImpairedPath(Impairments(mtu=1280))
    path.send(bytes(1252), 0.0)
    path.send(bytes(1253), 0.0)
    assert [len(d) for d in path.receive(0.0)] == [1252]
    assert path.statistics.too_big == 1


def test_memory_is_bounded() -> None:
    path = ImpairedPath(Impairments(delay_s=10.0))
    for _ in range(MAX_IN_FLIGHT + 1000):
        path.send(b"", 0.0)
    assert path.in_flight == MAX_IN_FLIGHT
    assert path.statistics.overflowed == 1000
