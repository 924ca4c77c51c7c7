"""How much forward error correction the client's loss reports ask for (punktfunk1.md §5.6)."""

from __future__ import annotations

from punktfunk.wire.punktfunk1.video import MAX_FEC_PERCENT

START_PERCENT = 10
MIN_PERCENT = 1
MAX_PERCENT = 50
_MARGIN_TENTHS = 14
_PPM_PER_PERCENT = 10_000


class AdaptiveFec:
    """Rises at once, falls by one point a report. ``pinned`` (0-90) switches adaptation off."""

    def __init__(self, pinned: int | None = None) -> None:
        self._pinned = pinned is not None
        self.percent = START_PERCENT if pinned is None else max(0, min(MAX_FEC_PERCENT, pinned))

    def report(self, loss_ppm: int) -> int:
        """Take one LossReport; the percentage from now on."""
        if not self._pinned:
            needed = -(-loss_ppm * _MARGIN_TENTHS // (10 * _PPM_PER_PERCENT)) + 1
            target = max(MIN_PERCENT, min(MAX_PERCENT, needed))
            self.percent = max(target, self.percent - 1)
        return self.percent
