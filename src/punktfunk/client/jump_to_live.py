"""When to drop everything that waits and go on with the newest picture (punktfunk1.md §9.3). Times in seconds."""

from __future__ import annotations

STALE_S = 0.4
DEEP_QUEUE = 6
PERSISTENCE_S = 0.25
SPACING_S = 2.0


class JumpToLive:
    """Jumps when frames have been old, or the queue to the decoder deep, for ``PERSISTENCE_S`` without a break."""

    def __init__(self) -> None:
        self._behind_since: float | None = None
        self._jumped: float | None = None

    def frame(self, age_s: float, queued: int, now: float) -> bool:
        """One frame arrived at this age while so many wait; True = flush them and ask for a keyframe."""
        if age_s <= STALE_S and queued < DEEP_QUEUE:
            self._behind_since = None
            return False
        if self._behind_since is None:
            self._behind_since = now
        persistent = now - self._behind_since >= PERSISTENCE_S
        if not persistent or (self._jumped is not None and now - self._jumped < SPACING_S):
            return False
        self._jumped, self._behind_since = now, None
        return True
