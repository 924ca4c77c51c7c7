"""How much forward error correction the client's loss reports ask for (punktfunk1.md §5.6)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from punktfunk.wire.punktfunk1.video import MAX_FEC_PERCENT

START_PERCENT = 10
MIN_PERCENT = 1
MAX_PERCENT = 50
_MARGIN_TENTHS = 14
_PPM_PER_PERCENT = 10_000
STEADY_REPORTS = 3
"""Loss is expected to go on while none of the last so many reports, or of those since the bitrate fell, was without:
bursts, which no parity outlasts, are between quiet ones."""
_UNSEEN_PERCENT = 115
"""The least of some reports is below their mean."""


@dataclass(frozen=True, slots=True)
class Protection:
    """What a frame gets: ``percent`` of its data shards, and no less than its size needs at a loss of ``loss_ppm``. A
    percentage alone protects small frames too little, in which the odds stray further from the average."""

    percent: int
    loss_ppm: int = 0


class AdaptiveFec:
    """Rises at once, falls by one point a report. ``pinned`` (0-90) switches adaptation off. ``bitrate_kbps`` is the
    rate of the video at the beginning."""

    def __init__(self, pinned: int | None = None, bitrate_kbps: int = 0) -> None:
        self._pinned = pinned is not None
        self.percent = START_PERCENT if pinned is None else max(0, min(MAX_FEC_PERCENT, pinned))
        self._bitrate_kbps = bitrate_kbps
        self._reports: deque[int] = deque(maxlen=STEADY_REPORTS)
        self.loss_ppm = 0
        """The loss that is expected."""

    @property
    def protection(self) -> Protection:
        """For the next frames."""
        return Protection(self.percent, self.loss_ppm)

    def report(self, loss_ppm: int) -> int:
        """Take one LossReport; the percentage from now on."""
        if not self._pinned:
            self.percent = max(_ruled(loss_ppm), self.percent - 1)
            self._reports.append(loss_ppm)
            self._expect(min(self._reports))
        return self.percent

    def bitrate_asked(self, kbps: int) -> None:
        """The client wants another rate. A lower one means that it takes losses for a queue that overflows: parity on
        top of the video would keep it full, and the losses with it. What all of the last reports tell of stays."""
        if kbps < self._bitrate_kbps and not self._pinned:
            steady_ppm = min(self._reports) if len(self._reports) == STEADY_REPORTS else 0
            if not steady_ppm:
                self._reports.clear()
            self.percent = min(self.percent, max(START_PERCENT, _ruled(steady_ppm)))
            self._expect(steady_ppm)
        self._bitrate_kbps = kbps

    def _expect(self, reported_ppm: int) -> None:
        self.loss_ppm = min(reported_ppm * _UNSEEN_PERCENT // 100, 1_000_000)


def _ruled(loss_ppm: int) -> int:
    """The reference's percentage for a loss."""
    needed = -(-loss_ppm * _MARGIN_TENTHS // (10 * _PPM_PER_PERCENT)) + 1
    return max(MIN_PERCENT, min(MAX_PERCENT, needed))
