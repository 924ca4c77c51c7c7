"""The figures of a LossReport (punktfunk1.md §6.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from punktfunk.client.reassembly import ReassemblyStatistics
from punktfunk.wire.punktfunk1.messages import UNRECOVERABLE_PPM

REPORT_INTERVAL_S = 0.75
MAX_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Losses:
    """One closed window. ``loss_ppm`` counts packets that FEC replaced and that never came; ``dropped`` counts frames
    beyond repair."""

    loss_ppm: int
    dropped: int
    packets: int


class LossWindow:
    """Cuts the receiver's running counters into windows of ``REPORT_INTERVAL_S``."""

    def __init__(self, statistics: ReassemblyStatistics, now: float) -> None:
        self._statistics = statistics
        self._seen = replace(statistics)
        self.due = now + REPORT_INTERVAL_S

    def close(self, now: float) -> Losses:
        """The window that ends now."""
        seen, current = self._seen, self._statistics
        packets = current.packets - seen.packets
        lost = max(0, (current.recovered - seen.recovered) - (current.late - seen.late))
        dropped = current.dropped - seen.dropped
        ppm = lost * 1_000_000 // (packets + lost) if lost else 0
        self.discard(now)
        return Losses(min(MAX_PPM, ppm + (UNRECOVERABLE_PPM if dropped else 0)), dropped, packets)

    def discard(self, now: float) -> None:
        """Forget what happened so far: a probe ran, or the host's pipeline stood still (§6.7)."""
        self._seen = replace(self._statistics)
        self.due = now + REPORT_INTERVAL_S
