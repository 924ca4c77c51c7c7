import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.gamestream.adaptive_fec import FALL_PER_WINDOW, MAX_PERCENTAGE, AdaptiveFec


def run(fec: AdaptiveFec, losses: list[float], packets: int = 2400) -> list[int]:
    """Percentages after each second of 60 frames in ``packets`` packets with these loss rates."""
    seen, sent = [], 0
    fec.update(0.0, 0)
    for second, loss in enumerate(losses, start=1):
        fec.lost(round(packets * loss))
        sent += packets
        fec.update(float(second), sent)
        seen.append(fec.percentage)
    return seen


def test_a_good_network_keeps_the_base() -> None:
    assert run(AdaptiveFec(20, 60), [0.0, 0.001, 0.01, 0.0]) == [20] * 4


def test_losses_raise_parity_at_once_and_calm_lowers_it_slowly() -> None:
    seen = run(AdaptiveFec(20, 60), [0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert 25 <= seen[0] <= 40
    assert all(a - b <= FALL_PER_WINDOW for a, b in itertools.pairwise(seen))
    assert seen[-1] == 20


def test_parity_is_bounded_whatever_is_reported() -> None:
    assert run(AdaptiveFec(20, 60), [5.0, 100.0]) == [MAX_PERCENTAGE] * 2


def test_the_rate_on_the_wire_stays_what_was_agreed() -> None:
    fec = AdaptiveFec(20, 60)
    assert fec.bitrate_kbps(10_000) == 10_000
    run(fec, [0.15])
    assert fec.bitrate_kbps(10_000) * (100 + fec.percentage) <= 10_000 * 120


def test_few_packets_say_nothing_and_a_replaced_worker_starts_the_count_again() -> None:
    assert run(AdaptiveFec(20, 60), [0.5], packets=20) == [20]
    fec = AdaptiveFec(20, 60)
    run(fec, [0.0, 0.0])
    fec.lost(500)
    assert not fec.update(10.0, 5)
    assert fec.percentage == 20


@given(st.lists(st.floats(0, 1), max_size=30), st.integers(0, 60))
def test_always_between_base_and_maximum(losses: list[float], base: int) -> None:
    assert all(base <= p <= MAX_PERCENTAGE for p in run(AdaptiveFec(base, 60), losses))


@pytest.mark.parametrize("data", [5, 8, 15, 44])
@pytest.mark.parametrize("loss", [0.02, 0.05, 0.1])
def test_frames_of_any_size_are_repaired_at_a_steady_loss(data: int, loss: float) -> None:
    fec = AdaptiveFec(20, 60)
    rng = np.random.default_rng(1)
    fec.update(0.0, 0)
    sent, beyond = 0, 0
    for second in range(1, 301):
        parity = (data * fec.percentage + 99) // 100
        missing = rng.binomial(data + parity, loss, 60)
        beyond += int((missing > parity).sum())
        fec.lost(int(missing.sum()))
        sent += 60 * (data + parity)
        fec.update(float(second), sent)
    assert beyond <= 0.0007 * 300 * 60
