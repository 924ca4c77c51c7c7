"""How much forward error correction the client's loss reports ask for (punktfunk1.md §5.6)."""

from __future__ import annotations

from dataclasses import dataclass

from punktfunk.wire.punktfunk1.video import MAX_FEC_PERCENT

START_PERCENT = 10
MIN_PERCENT = 1
MAX_PERCENT = 50
_MARGIN_TENTHS = 14
_PPM_PER_PERCENT = 10_000
_FALL_PPM = 7_000
"""What a point of the percentage stands for."""
_UNSEEN_PERCENT = 120
"""A client tells of lost data and not of lost parity (§6.2): the loss is greater than its report by the parity."""


@dataclass(frozen=True, slots=True)
class Protection:
    """What a frame gets: ``percent`` of its data shards, and no less than its size needs at a loss of ``loss_ppm``. A
    percentage alone protects small frames too little, in which the odds stray further from the average."""

    percent: int
    loss_ppm: int = 0


class AdaptiveFec:
    """Rises at once, falls by one point a report. ``pinned`` (0-90) switches adaptation off."""

    def __init__(self, pinned: int | None = None) -> None:
        self._pinned = pinned is not None
        self.percent = START_PERCENT if pinned is None else max(0, min(MAX_FEC_PERCENT, pinned))
        self.loss_ppm = 0
        """The loss that is expected."""

    @property
    def protection(self) -> Protection:
        """For the next frames."""
        return Protection(self.percent, self.loss_ppm)

    def report(self, loss_ppm: int) -> int:
        """Take one LossReport; the percentage from now on."""
        if not self._pinned:
            needed = -(-loss_ppm * _MARGIN_TENTHS // (10 * _PPM_PER_PERCENT)) + 1
            target = max(MIN_PERCENT, min(MAX_PERCENT, needed))
            self.percent = max(target, self.percent - 1)
            self.loss_ppm = max(min(loss_ppm * _UNSEEN_PERCENT // 100, 1_000_000), self.loss_ppm - _FALL_PPM)
        return self.percent
