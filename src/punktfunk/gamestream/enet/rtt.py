"""Round-trip time as ENet estimates it, and the retransmission time-out that follows (gamestream.md §6.3)."""

from __future__ import annotations

INITIAL_RTT_MS = 500


class RoundTripTime:
    """Mean and variance in whole milliseconds, with ENet's integer arithmetic."""

    def __init__(self) -> None:
        self.mean_ms = INITIAL_RTT_MS
        self.variance_ms = 0
        self._has_sample = False

    def add(self, sample_ms: int) -> None:
        """Count the time between a command and its acknowledgement."""
        sample_ms = max(1, sample_ms)
        if not self._has_sample:
            self._has_sample = True
            self.mean_ms = sample_ms
            self.variance_ms = (sample_ms + 1) // 2
            return
        self.variance_ms -= (self.variance_ms + 3) // 4
        deviation_ms = abs(sample_ms - self.mean_ms)
        self.variance_ms += (deviation_ms + 3) // 4
        step_ms = (deviation_ms + 7) // 8
        self.mean_ms += step_ms if sample_ms >= self.mean_ms else -step_ms

    @property
    def timeout_ms(self) -> int:
        """How long the first attempt waits for its acknowledgement."""
        return self.mean_ms + min(self.mean_ms, 4 * max(1, self.variance_ms))
