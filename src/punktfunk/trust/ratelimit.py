"""How often a peer may try something: token buckets with the time as an argument."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

MAX_TRACKED_KEYS = 1024


class RateLimiter:
    """Allows ``burst`` tries at once per key and one more every ``interval_s`` seconds.

    At most ``max_keys`` keys are remembered; the one unused for longest is forgotten first, so pair a limiter per peer
    with a second one under a single key where forgetting would matter.
    """

    def __init__(self, *, burst: int, interval_s: float, max_keys: int = MAX_TRACKED_KEYS) -> None:
        self._burst = burst
        self._interval_s = interval_s
        self._max_keys = max_keys
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def allow(self, key: Hashable, now: float) -> bool:
        """Whether ``key`` may try once more at ``now`` (seconds, monotonic); a refused try costs nothing."""
        tokens, updated = self._buckets.pop(key, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + max(0.0, now - updated) / self._interval_s)
        allowed = tokens >= 1
        self._buckets[key] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)
        return allowed
