"""The offset between two clocks from request and echo (punktfunk1.md §6.5). Sans-IO.

``now`` is monotonic seconds and decides when; the ``*_ns`` arguments are the clocks that are compared.
"""

from __future__ import annotations

from typing import NamedTuple

ROUNDS = 8
ROUND_SPACING_S = 0.007
BATCH_SPACING_S = 60.0
ECHO_TIMEOUT_S = 2.0
GOOD_RTT_NS = 2_000_000
GOOD_RTT_FACTOR = 1.5
MAX_REJECTED_BATCHES = 3


class ClockSample(NamedTuple):
    """One exchange: remote minus local clock, and the time on the wire, nanoseconds."""

    rtt_ns: int
    offset_ns: int

    @classmethod
    def of(cls, t1_ns: int, t2_ns: int, t3_ns: int, t4_ns: int) -> ClockSample:
        """From local send, remote receive, remote send, local receive."""
        return cls((t4_ns - t1_ns) - (t3_ns - t2_ns), ((t2_ns - t1_ns) + (t3_ns - t4_ns)) // 2)


class ClockSync:
    """Runs batches of ``ROUNDS`` exchanges, the first at once and one each ``BATCH_SPACING_S``; of a batch the sample
    with the least round trip counts. A later batch replaces the offset only if its round trip is about as good as the
    session's best, or when three batches in a row were not."""

    def __init__(self, now: float) -> None:
        self.offset_ns = 0
        """Remote minus local clock; 0 until known."""
        self.rtt_ns: int | None = None
        """Round trip of the sample in force."""
        self.initial_done = False
        """Whether the first batch is over."""
        self._next_probe = now
        self._pending: int | None = None
        self._deadline = now
        self._rounds = 0
        self._batch: list[ClockSample] = []
        self._best_rtt_ns: int | None = None
        self._rejected: list[ClockSample] = []

    def next_deadline(self) -> float:
        """When ``poll`` has something to do."""
        return self._next_probe if self._pending is None else self._deadline

    def poll(self, now: float, local_ns: int) -> int | None:
        """The local time to send in a probe, if one is due. An echo that stays out ends the batch."""
        if self._pending is not None:
            if now >= self._deadline:
                self._pending = None
                self._finish(now)
            return None
        if now < self._next_probe:
            return None
        self._pending, self._deadline = local_ns, now + ECHO_TIMEOUT_S
        return local_ns

    def echo(self, t1_ns: int, t2_ns: int, t3_ns: int, local_ns: int, now: float) -> None:
        """The answer to the pending probe; any other is ignored."""
        if self._pending is None or t1_ns != self._pending:
            return
        self._pending = None
        sample = ClockSample.of(t1_ns, t2_ns, t3_ns, local_ns)
        if sample.rtt_ns >= 0:
            self._batch.append(sample)
        self._rounds += 1
        if self._rounds == ROUNDS:
            self._finish(now)
        else:
            self._next_probe = now + (ROUND_SPACING_S if self.initial_done else 0.0)

    def stop_batch(self, now: float) -> None:
        """End the batch early with what it has: something other than an echo arrived during the first one."""
        self._pending = None
        self._finish(now)

    def _finish(self, now: float) -> None:
        batch, self._batch, self._rounds = self._batch, [], 0
        self._next_probe = now + BATCH_SPACING_S
        self.initial_done = True
        if batch:
            self._judge(min(batch))

    def _judge(self, sample: ClockSample) -> None:
        best = self._best_rtt_ns
        if best is not None and sample.rtt_ns > max(GOOD_RTT_NS, GOOD_RTT_FACTOR * best):
            self._rejected.append(sample)
            if len(self._rejected) < MAX_REJECTED_BATCHES:
                return
            sample = min(self._rejected)
        self._rejected.clear()
        self._best_rtt_ns = sample.rtt_ns if best is None else min(best, sample.rtt_ns)
        self.offset_ns, self.rtt_ns = sample.offset_ns, sample.rtt_ns
