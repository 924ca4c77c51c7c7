"""The speed test's filler: which probe frames are due when, and the answer afterwards (punktfunk1.md §5.12, §6.4)."""

from __future__ import annotations

from punktfunk.wire.punktfunk1.messages import ProbeRequest, ProbeResult

MAX_PROBE_KBPS = 10_000_000
MAX_PROBE_MS = 5000
MIN_PROBE_SPACING_S = 10.0
FILLER_PER_S = 240
MIN_FILLER_BYTES = 1200
MAX_FILLER_BYTES = 16_384

DECLINED = ProbeResult(0, 0, 0, 0, 0)


class ProbeBurst:
    """One burst. Video pauses while it runs. Times in seconds."""

    def __init__(self, request: ProbeRequest, now: float) -> None:
        self.request = request
        self._bytes_per_s = min(request.target_kbps, MAX_PROBE_KBPS) * 125
        self._duration_s = min(request.duration_ms, MAX_PROBE_MS) / 1000
        self._started = now
        self._bytes = 0
        self._access_units = 0
        self._packets = 0
        self._dropped = 0
        self.filler_bytes = max(MIN_FILLER_BYTES, min(MAX_FILLER_BYTES, self._bytes_per_s // FILLER_PER_S))
        """Size of one probe frame."""

    def finished(self, now: float) -> bool:
        """Whether the burst's time is over."""
        return now - self._started >= self._duration_s

    def due_in(self, now: float) -> float:
        """Seconds until the next probe frame may leave; 0.0 = now."""
        allowed_at = self._started + self._bytes / self._bytes_per_s
        return max(0.0, allowed_at - now)

    def sent(self, packets: int, dropped: int) -> None:
        """One probe frame went out as ``packets`` datagrams, of which the host itself lost ``dropped``."""
        self._bytes += self.filler_bytes
        self._access_units += 1
        self._packets += packets - dropped
        self._dropped += dropped

    def result(self, now: float) -> ProbeResult:
        """The answer, at the burst's end."""
        elapsed_ms = round(1000 * (now - self._started))
        return ProbeResult(self._bytes, self._access_units, elapsed_ms, self._packets, self._dropped)


class ProbeGate:
    """Admits at most one burst per ``MIN_PROBE_SPACING_S``; None = answer ``DECLINED``."""

    def __init__(self, *, allowed: bool) -> None:
        self._allowed = allowed
        self._last: float | None = None

    def request(self, request: ProbeRequest, now: float) -> ProbeBurst | None:
        """A ProbeRequest. ``allowed`` is False for clients without a probe number space of their own (§4.4)."""
        too_soon = self._last is not None and now - self._last < MIN_PROBE_SPACING_S
        if not self._allowed or too_soon or request.target_kbps == 0 or request.duration_ms == 0:
            return None
        self._last = now
        return ProbeBurst(request, now)
