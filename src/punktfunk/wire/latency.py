"""A bounded window of latencies with its percentiles."""

from __future__ import annotations

from array import array


class LatencyWindow:
    """The last ``capacity`` samples in nanoseconds. One thread adds, any thread reads."""

    def __init__(self, capacity: int = 1024) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self._samples = array("q", bytes(8 * capacity))
        self._added = 0

    def add(self, sample_ns: int) -> None:
        """Add one sample; the oldest gives way."""
        self._samples[self._added % len(self._samples)] = sample_ns
        self._added += 1

    def percentile_ns(self, percent: float) -> int:
        """The nearest-rank percentile (0..100) of the samples held, 0 when there are none."""
        held = sorted(self._samples[: self._added])
        if not held:
            return 0
        return held[min(len(held) - 1, int(len(held) * percent / 100))]
