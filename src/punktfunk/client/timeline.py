"""When pictures came: rate, stalls and the gap of a mode change. Sans-IO; times in seconds."""

from __future__ import annotations

STALL_S = 0.1


class PictureTimeline:
    """Fed with each picture that a person would have seen."""

    def __init__(self) -> None:
        self.pictures = 0
        self.first: float | None = None
        self.last: float | None = None
        self.stalls = 0
        self.longest_gap_s = 0.0

    def shown(self, now: float) -> None:
        """A picture appeared."""
        if self.last is not None:
            self._gap(now - self.last)
        if self.first is None:
            self.first = now
        self.last = now
        self.pictures += 1

    def end(self, now: float) -> None:
        """Nothing follows; a stall that still lasts counts."""
        if self.last is not None:
            self._gap(now - self.last)

    def rate_hz(self) -> float:
        """Pictures a second between the first and the last."""
        if self.first is None or self.last is None or self.last <= self.first:
            return 0.0
        return (self.pictures - 1) / (self.last - self.first)

    def _gap(self, seconds: float) -> None:
        self.longest_gap_s = max(self.longest_gap_s, seconds)
        self.stalls += seconds > STALL_S
