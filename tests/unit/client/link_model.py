"""A deterministic model of a path with a queue, and of the streams that share it: 60 fluid steps a second."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from punktfunk.client.abr import BitrateController
from punktfunk.client.abr_signals import WINDOW_S, Window
from punktfunk.client.feedback import MAX_REPAIRABLE_PPM
from punktfunk.native import parity
from punktfunk.native.adaptive_fec import AdaptiveFec
from punktfunk.wire.punktfunk1.messages import UNRECOVERABLE_PPM
from punktfunk.wire.punktfunk1.video import recovery_shards

STEP_S = 1 / 60
PACKET_BYTES = 1500
SHARD_BYTES = 1408
HEADERS = 1500 / 1408


@dataclass(frozen=True)
class Scenario:
    """``capacity`` gives kbit/s at a time, ``loss`` a share; the queue holds ``queue_ms`` at the first rate, and is
    ``full`` when the stream begins. ``probe``: the host takes part in the speed test."""

    name: str
    capacity: Callable[[float], float]
    queue_ms: float = 150.0
    rtt_ms: float = 4.0
    loss: Callable[[float], float] = lambda t: 0.0
    start_kbps: int = 20_000
    flows: int = 1
    seconds: float = 60.0
    encoder_max_kbps: int = 8_000_000
    probe: bool = True
    answers: bool = True
    content: Callable[[float], float] = lambda t: 1.0
    decode_limit_kbps: float = float("inf")
    full: bool = False


@dataclass
class Flow:
    """One host and client with their controllers."""

    scenario: Scenario
    starts_at: float
    controller: BitrateController = field(init=False)
    fec: AdaptiveFec = field(init=False)
    rate_kbps: float = field(init=False)
    pending: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    probe_until: float = -1.0
    probe_bytes: float = 0.0
    probe_delay_ms: float = 0.0
    window_end: float = field(init=False)
    sent: float = 0.0
    lost: float = 0.0
    mended: float = 0.0
    delivered: float = 0.0
    delays: list[float] = field(default_factory=list)
    delay_ms: float = 1000.0
    in_flight: list[tuple[float, float | None, float]] = field(default_factory=list)
    wire_bytes: float = 0.0
    dropped: int = 0
    discard: bool = False
    rates: list[tuple[float, float]] = field(default_factory=list)
    frames_dropped: int = 0

    def __post_init__(self) -> None:
        self.controller = BitrateController(self.scenario.start_kbps, self.starts_at)
        self.fec = AdaptiveFec(bitrate_kbps=self.scenario.start_kbps)
        self.rate_kbps = self.scenario.start_kbps
        self.window_end = self.starts_at + WINDOW_S

    def offered(self, now: float) -> float:
        """Bytes of this step on the wire."""
        if now < self.probe_until:
            return 2_000_000 * 125 * STEP_S
        return self.rate_kbps * self.scenario.content(now) * 125 * STEP_S * HEADERS * (1 + self.parity)

    @property
    def parity(self) -> float:
        """Recovery shards per data shard of a frame."""
        shards = math.ceil(self.rate_kbps * 125 * STEP_S / SHARD_BYTES)
        ruled = recovery_shards(shards, self.fec.percent)
        return max(ruled, parity.needed(shards, self.fec.loss_ppm)) / shards

    def arrived(self, now: float, offered: float, carried: float, delay_ms: float) -> None:
        """What became of this step's bytes."""
        if now < self.probe_until:
            self.probe_bytes += carried
            self.probe_delay_ms = delay_ms
            self.discard = True
            return
        lost = offered - carried
        self.sent += offered
        self.lost += lost
        broken = offered and lost / offered > self.parity / (1 + self.parity) and lost > PACKET_BYTES / 2
        if broken:
            self.dropped += 1
            self.frames_dropped += 1
        else:
            self.mended += lost
        # A frame's delay is known when it arrives whole: what waits in the queue is heard of that much later.
        self.in_flight.append((now + delay_ms / 1000, None if broken else delay_ms, carried))
        while self.in_flight and self.in_flight[0][0] <= now:
            _, delay, size = self.in_flight.pop(0)
            self.delivered += size
            self.wire_bytes += size
            if delay is not None:
                self.delays.append(delay)
                self._ask(self.controller.frame(delay, int(self.wire_bytes), now), now)
                self.wire_bytes = 0.0

    def step(self, now: float) -> None:
        """Messages and windows."""
        for due, action in [p for p in self.pending if p[0] <= now]:
            self.pending.remove((due, action))
            action()
        rtt = self.scenario.rtt_ms / 1000
        if self.controller.poll(now):
            self.discard = True
            self.pending.append((now + rtt, lambda: self._start_probe(now + rtt)))
        if now >= self.window_end:
            self._close_window(now, rtt)

    def _start_probe(self, now: float) -> None:
        if not self.scenario.probe:
            self.controller.probe_measured(0, now)
            return
        self.probe_until, self.probe_bytes = now + 0.8, 0.0
        self.pending.append((now + 0.85, lambda: self._finish_probe(now + 0.85)))

    def _finish_probe(self, now: float) -> None:
        """What was sent in 0.8 s took the queue's delay longer to arrive."""
        arrival_s = 0.8 + (self.probe_delay_ms - self.scenario.rtt_ms / 2) / 1000
        self.controller.probe_measured(self.probe_bytes * 8 / 1000 / arrival_s, now)

    def _close_window(self, now: float, rtt: float) -> None:
        self.window_end = now + WINDOW_S
        if not self.discard and self.sent and (self.delays or self.dropped):
            self.delay_ms = sum(self.delays) / len(self.delays) if self.delays else self.delay_ms
            ppm = int(1_000_000 * self.lost / self.sent)
            fec_percent = 100 * self.parity
            decode = 3.0 + (40.0 if self.rate_kbps > self.scenario.decode_limit_kbps else 0.0)
            window = Window(
                ppm,
                self.dropped,
                self.delay_ms,
                self.delivered * 8 / 1000 / WINDOW_S,
                fec_percent,
                decode_ms=decode,
            )
            self._ask(self.controller.window(window, now), now)
            mended = int(1_000_000 * self.mended / self.sent) + (UNRECOVERABLE_PPM if self.dropped else 0)
            self.fec.report(0 if self.controller.path_full else max(mended, ppm if ppm <= MAX_REPAIRABLE_PPM else 0))
        self.sent = self.lost = self.mended = self.delivered = 0.0
        self.dropped, self.discard = 0, False
        self.delays.clear()

    def _ask(self, kbps: int | None, now: float) -> None:
        if kbps is not None and self.scenario.answers:
            applied, at = min(kbps, self.scenario.encoder_max_kbps), now + self.scenario.rtt_ms / 1000
            self.pending.append((at, lambda: self._apply(applied, at)))

    def _apply(self, kbps: int, now: float) -> None:
        self.rate_kbps = kbps
        self.fec.bitrate_asked(kbps)
        self.controller.bitrate_changed(kbps, now)


@dataclass(frozen=True)
class Outcome:
    """What a scenario came to. Queue and decreases are counted from 10 s on, outside the speed test."""

    settle_s: float
    final_share: float
    swing: float
    decreases: int
    queue_p95_ms: float
    dropped_frames: int
    final_kbps: tuple[int, ...]


def run(scenario: Scenario, settle_share: float = 0.9) -> Outcome:
    """Play a scenario; bytes that find the queue full are lost, evenly among the flows."""
    flows = [Flow(scenario, 5.0 * i) for i in range(scenario.flows)]
    queue_limit = scenario.capacity(0) * scenario.queue_ms / 8
    queue = queue_limit if scenario.full else 0.0
    queues: list[float] = []
    shares: list[tuple[float, float]] = []
    decreases_at_10 = 0
    settle_s = float("inf")
    carry = random.Random(scenario.name)
    for tick in range(int(scenario.seconds / STEP_S)):
        now = tick * STEP_S
        active = [flow for flow in flows if now >= flow.starts_at]
        offers = [flow.offered(now) for flow in active]
        offered, drain = sum(offers), scenario.capacity(now) * 125 * STEP_S
        loss = scenario.loss(now) * (0.5 + carry.random())
        survivors = offered * (1 - loss)
        room = max(0.0, queue_limit + drain - queue)
        accepted = min(survivors, room)
        queue = max(0.0, queue + accepted - drain)
        delay_ms = scenario.rtt_ms / 2 + 1000 * queue / max(1.0, scenario.capacity(now) * 125)
        probing = any(now < flow.probe_until + 1.0 for flow in active)
        for flow, offer in zip(active, offers, strict=True):
            carried = offer * accepted / offered if offered else 0.0
            flow.arrived(now, offer, carried, delay_ms)
            flow.step(now)
        used = sum(offers) / drain if drain else 0.0
        shares.append((now, used))
        if now >= 10 and not probing:
            queues.append(delay_ms - scenario.rtt_ms / 2)
        if settle_s == float("inf") and not probing and used >= settle_share:
            settle_s = now
        if abs(now - 10) < STEP_S / 2:
            decreases_at_10 = sum(flow.controller.decreases for flow in flows)
    last = [share for at, share in shares if at >= scenario.seconds * 2 / 3]
    queues.sort()
    return Outcome(
        round(settle_s, 1),
        round(sum(last) / len(last), 2),
        round((max(last) - min(last)) / max(1e-9, sum(last) / len(last)), 2),
        sum(flow.controller.decreases for flow in flows) - decreases_at_10,
        round(queues[int(0.95 * len(queues))], 1),
        sum(flow.frames_dropped for flow in flows),
        tuple(int(flow.rate_kbps) for flow in flows),
    )
