"""How often a peer may try something: leaky buckets with the time as an argument."""

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
        self._full_until: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_until)

    def allow(self, key: Hashable, now: float) -> bool:
        """Whether ``key`` may try once more at ``now`` (seconds, monotonic); a refused try costs nothing."""
        # Each try fills the bucket for one interval (the generic cell rate algorithm): one number per key, no drift.
        full_until = max(self._full_until.pop(key, now), now)
        allowed = full_until - now <= (self._burst - 1) * self._interval_s
        self._full_until[key] = full_until + self._interval_s if allowed else full_until
        if len(self._full_until) > self._max_keys:
            self._full_until.popitem(last=False)
        return allowed
