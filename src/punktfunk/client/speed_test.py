"""What a speed test found (punktfunk1.md §5.12, §6.4). Times in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from punktfunk.client.receiver import ProbeCount
from punktfunk.wire.punktfunk1.messages import ProbeRequest, ProbeResult

STRAGGLERS_S = 0.25
"""What a queue still holds when the host's result arrives on the control stream gets so long to arrive."""

ANSWER_TIMEOUT_S = 6.0


@dataclass(frozen=True, slots=True)
class SpeedTest:
    """``throughput_kbps`` is what arrived, with headers; ``loss`` and ``host_dropped`` are shares of 0..1, None when an
    old host does not say. ``declined``: the host sent nothing, or did not answer."""

    target_kbps: int
    declined: bool
    throughput_kbps: float = 0.0
    received_packets: int = 0
    sent_packets: int | None = None
    loss: float | None = None
    host_dropped: float | None = None


class RunningTest:
    """One test from its request to its result."""

    def __init__(self, request: ProbeRequest, now: float) -> None:
        self.request = request
        self.due = now + ANSWER_TIMEOUT_S + request.duration_ms / 1000
        """When to call ``finish``."""
        self._result: ProbeResult | None = None

    def answered(self, result: ProbeResult, now: float) -> None:
        """The host's figures."""
        self._result = result
        self.due = now + (STRAGGLERS_S if result.access_units else 0.0)

    def finish(self, count: ProbeCount) -> SpeedTest:
        """The outcome, from what arrived."""
        target, result = self.request.target_kbps, self._result
        if result is None or not result.access_units:
            return SpeedTest(target, declined=True)
        seconds = max(count.last - count.first, result.duration_ms / 1000 / 2, 0.001)
        sent, dropped = result.wire_packets_sent, result.send_dropped
        known = sent is not None and dropped is not None and sent > 0
        return SpeedTest(
            target,
            declined=False,
            throughput_kbps=count.wire_bytes * 8 / 1000 / seconds,
            received_packets=count.packets,
            sent_packets=sent,
            loss=max(0.0, 1 - count.packets / sent) if known and sent else None,
            host_dropped=dropped / (sent + dropped) if known and sent and dropped is not None else None,
        )
