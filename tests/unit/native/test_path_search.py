"""The search for the path's MTU, against paths that carry so much and no more."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from punktfunk.native.path_search import (
    CONFIRM_S,
    IPV4_UDP_BYTES,
    JUMBO_MTU,
    MAX_REMEMBERED,
    RAISE_S,
    TRIES,
    PathMemory,
    PathSearch,
)

RTT_S = 0.01
STEP_S = 0.005
COMMON_MTUS = (1280, 1380, 1400, 1420, 1440, 1460, 1480, 1492, 1500)


@dataclass
class Path:
    """Answers a search after a round trip, up to an MTU and with some loss; ``alive`` small packets come back."""

    search: PathSearch
    mtu: int
    loss: float = 0.0
    alive: bool = True
    now: float = 0.0
    sent: list[int] = field(default_factory=list)
    under_way: list[tuple[float, int]] = field(default_factory=list)
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    def run(self, seconds: float, until_known: bool = False) -> int | None:
        end = self.now + seconds
        while self.now < end and not (until_known and self.search.mtu is not None):
            for _, number in [answer for answer in self.under_way if answer[0] <= self.now]:
                self.search.acknowledged(number, self.now)
            self.under_way = [answer for answer in self.under_way if answer[0] > self.now]
            probe = self.search.poll(self.now, RTT_S, alive=self.alive)
            if probe is not None:
                self.sent.append(probe.payload_bytes)
                arrives = probe.payload_bytes + IPV4_UDP_BYTES <= self.mtu and self.rng.random() >= self.loss
                if arrives and self.alive:
                    self.under_way.append((self.now + RTT_S, probe.number))
            self.now += STEP_S
        return self.search.mtu


@pytest.mark.parametrize(
    ("mtu", "found"),
    [(9000, 1500), (1500, 1500), (1499, 1492), (1492, 1492), (1430, 1420), (1300, 1280), (1280, 1280), (1240, 1228)],
)
def test_the_largest_size_that_arrives_is_found(mtu: int, found: int) -> None:
    path = Path(PathSearch(ipv6=False), mtu)
    assert path.run(5.0, until_known=True) == found
    assert path.now < 2.0
    assert path.run(30.0) == found


def test_an_open_path_costs_one_packet_and_one_round_trip() -> None:
    path = Path(PathSearch(ipv6=False), 1500)
    path.run(1.0, until_known=True)
    assert path.sent == [1472]
    assert path.now <= RTT_S + 2 * STEP_S


@pytest.mark.parametrize("mtu", [1499, 1400, 1280])
def test_two_round_trips_tell_what_a_narrow_path_carries(mtu: int) -> None:
    path = Path(PathSearch(ipv6=False), mtu)
    assert path.run(0.15) is None
    assert path.search.likely_mtu == max(size for size in (1280, 1400, 1492) if size <= mtu)
    path.run(1.0, until_known=True)
    assert path.now < 0.4
    assert path.search.likely_mtu == path.search.mtu
    assert len(path.sent) <= 1 + TRIES * len(COMMON_MTUS)


def test_jumbo_is_looked_for_only_where_it_is_allowed() -> None:
    assert Path(PathSearch(ipv6=False, max_mtu=JUMBO_MTU), 9000).run(5.0) == 9000
    assert Path(PathSearch(ipv6=False, max_mtu=JUMBO_MTU), 1500).run(5.0) == 1500
    assert Path(PathSearch(ipv6=True), 9000).run(5.0) == 1500


def test_what_an_earlier_search_found_is_tried_first() -> None:
    path = Path(PathSearch(ipv6=False, remembered=1280), 1280)
    path.run(0.2)
    assert path.sent[0] == 1252
    assert Path(PathSearch(ipv6=False, remembered=1280), 1500).run(5.0) == 1500
    assert Path(PathSearch(ipv6=False, remembered=777), 1500).run(5.0) == 1500


def test_loss_is_not_taken_for_size() -> None:
    found = [Path(PathSearch(ipv6=False), 1500, loss=0.1, rng=random.Random(i)).run(20.0) for i in range(50)]
    assert found.count(1500) >= 48


def test_an_outage_says_nothing_about_size() -> None:
    path = Path(PathSearch(ipv6=False), 1500)
    path.run(1.0)
    path.alive = False
    assert path.run(60.0) == 1500
    path.alive = True
    assert path.run(10.0) == 1500


def test_a_path_that_narrows_is_noticed_and_one_that_widens_later() -> None:
    path = Path(PathSearch(ipv6=False), 1500)
    path.run(1.0)
    path.mtu = 1280
    assert path.run(CONFIRM_S + 6.0) == 1280
    path.mtu = 1500
    assert path.run(CONFIRM_S) == 1280
    assert path.run(RAISE_S + 2 * CONFIRM_S) == 1500


def test_watching_a_path_is_cheap() -> None:
    path = Path(PathSearch(ipv6=False), 1500)
    path.run(1.0)
    before = len(path.sent)
    path.run(120.0)
    assert len(path.sent) - before <= 120 / CONFIRM_S + 1


def test_answers_of_any_kind_at_any_time() -> None:
    rng = random.Random(7)
    search, now = PathSearch(ipv6=False), 0.0
    for _ in range(20_000):
        now += rng.random() / 10
        search.poll(now, rng.random(), alive=rng.random() < 0.5)
        if rng.random() < 0.3:
            search.acknowledged(rng.randrange(-2, search.first_number + 5), now)
        assert search.mtu is None or 1228 <= search.mtu <= 1500


def test_memory_is_bounded() -> None:
    memory = PathMemory()
    for i in range(10 * MAX_REMEMBERED):
        memory.remember(str(i), 1280)
    assert len(memory._mtus) == MAX_REMEMBERED
    assert memory["0"] is None
    assert memory[str(10 * MAX_REMEMBERED - 1)] == 1280
