from __future__ import annotations

import pytest

from punktfunk.wire.latency import LatencyWindow


def test_percentiles() -> None:
    window = LatencyWindow()
    for sample in range(100, 0, -1):
        window.add(sample)
    assert (window.percentile_ns(0), window.percentile_ns(50), window.percentile_ns(99)) == (1, 51, 100)
    assert window.percentile_ns(100) == 100


def test_an_empty_window_says_zero() -> None:
    assert LatencyWindow().percentile_ns(99) == 0


def test_only_the_newest_samples_count() -> None:
    window = LatencyWindow(capacity=4)
    for sample in [9, 9, 9, 9, 1, 2, 3, 4]:
        window.add(sample)
    assert window.percentile_ns(100) == 4


def test_a_window_needs_room() -> None:
    with pytest.raises(ValueError, match="capacity"):
        LatencyWindow(capacity=0)
