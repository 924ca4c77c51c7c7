"""A whole punktfunk/1 video stream over bad networks, without sockets: both halves, their policies, and simulated time.

The encoder is a model: a frame can be shown if it is a keyframe or a recovery anchor, or if the one before it was.
``python -m tests.impair.test_native_stream`` prints the table.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from tests.impair.path import ImpairedPath, Impairments
from tests.wire.native_stream import KEY, datagrams

from punktfunk.client.abr import BitrateController
from punktfunk.client.abr_signals import WINDOW_S, Window
from punktfunk.client.frame import Limits
from punktfunk.client.in_order import InOrder
from punktfunk.client.loss_recovery import LossRecovery
from punktfunk.client.loss_window import LossWindow
from punktfunk.client.reassembly import AccessUnit
from punktfunk.client.receiver import VideoReceiver
from punktfunk.native.adaptive_fec import AdaptiveFec
from punktfunk.native.numbers import VideoNumbers
from punktfunk.native.packetizer import Geometry, VideoPacketizer
from punktfunk.native.recovery import RecoveryPolicy, Remedy
from punktfunk.wire.punktfunk1.messages import RfiRequest
from punktfunk.wire.punktfunk1.video import FrameFlags, shard_bytes_for_mtu

REFRESH_HZ = 60
SECONDS = 8.0
START_KBPS = 10_000
TICK_S = 0.001


@dataclass(frozen=True)
class Case:
    """A network, and the least that must come through: share of frames shown, longest stall in seconds."""

    name: str
    network: Impairments
    shown: float
    stall_s: float
    adaptive: bool = False


CASES = [
    Case("clean", Impairments(delay_s=0.001), 1.0, 0.05),
    Case("loss 0.5 %", Impairments(loss=0.005, delay_s=0.005), 0.99, 0.1),
    Case("loss 2 %", Impairments(loss=0.02, delay_s=0.005), 0.98, 0.1),
    Case("loss 5 %", Impairments(loss=0.05, delay_s=0.005), 0.92, 0.15),
    Case("loss 10 %", Impairments(loss=0.1, delay_s=0.005), 0.8, 0.25),
    Case("bursts of 20 ms each second", Impairments(burst_every_s=1.0, burst_s=0.02, delay_s=0.005), 0.94, 0.15),
    Case("bursts of 80 ms each 2 s", Impairments(burst_every_s=2.0, burst_s=0.08, delay_s=0.005), 0.94, 0.2),
    Case("delay 80 ms, jitter 30 ms", Impairments(delay_s=0.08, jitter_s=0.03), 1.0, 0.06),
    Case("delay 80 ms, loss 2 %", Impairments(delay_s=0.08, loss=0.02), 0.93, 0.3),
    Case("reordering 5 % by 20 ms", Impairments(reorder=0.05, reorder_s=0.02, delay_s=0.005), 0.99, 0.1),
    Case("duplicates 10 %", Impairments(duplicate=0.1, delay_s=0.005), 1.0, 0.05),
    Case("bottleneck of 8 Mbit/s", Impairments(rate_kbps=8000, queue_bytes=100_000, delay_s=0.01), 0.92, 0.6, True),
    Case("MTU 1280", Impairments(mtu=1280, delay_s=0.005), 1.0, 0.05),
]


@dataclass
class Stream:
    """Host and client of one case, driven tick by tick."""

    case: Case
    rng: random.Random = field(default_factory=lambda: random.Random(1))
    now: float = 0.0
    kbps: int = START_KBPS
    want_key: bool = True
    want_anchor: bool = False
    keyframes: int = 0
    frames: int = 0
    shown: list[float] = field(default_factory=list)
    last_good: int | None = None
    messages: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    counter: itertools.count[int] = field(default_factory=itertools.count)
    delays: list[float] = field(default_factory=list)
    wire_bytes: int = 0

    def __post_init__(self) -> None:
        shard_bytes = shard_bytes_for_mtu(self.case.network.mtu or 1500, ipv6=False)
        self.path = ImpairedPath(self.case.network, seed=self.case.name)
        self.packetizer = VideoPacketizer(KEY, Geometry(shard_bytes), VideoNumbers())
        self.policy, self.fec = RecoveryPolicy(), AdaptiveFec(bitrate_kbps=START_KBPS)
        self.receiver, self.recovery = VideoReceiver(KEY, Limits()), LossRecovery(0.0)
        self.window = LossWindow(self.receiver.reassembler.statistics, 0.0)
        self.order = InOrder()
        self.dropped = 0
        self.controller = BitrateController(START_KBPS, 0.0) if self.case.adaptive else None

    def run(self) -> Stream:
        next_frame = 0.0
        while self.now < SECONDS:
            if self.now >= next_frame:
                self.encode()
                next_frame += 1 / REFRESH_HZ
            while self.messages and self.messages[0][0] <= self.now:
                heapq.heappop(self.messages)[2]()
            for datagram in self.path.receive(self.now):
                self.wire_bytes += len(datagram) + 28
                for complete in self.receiver.receive(datagram, self.now):
                    for unit in self.order.push(complete, self.now):
                        self.deliver(unit)
            for unit in self.order.poll(self.now):
                self.deliver(unit)
            self.client_timers()
            self.now += TICK_S
        return self

    def encode(self) -> None:
        """The host sends one frame."""
        key, anchor = self.want_key, self.want_anchor and not self.want_key
        self.want_key = self.want_anchor = False
        flags = FrameFlags.PICTURE
        flags |= FrameFlags.KEYFRAME if key else FrameFlags.RECOVERY_ANCHOR if anchor else FrameFlags.NONE
        size = int(self.kbps * 125 / REFRESH_HZ * (3 if key else self.rng.uniform(0.7, 1.2)))
        self.packetizer.protection = self.fec.protection
        frame = self.packetizer.frame(bytes(size), int(self.now * 1e9), flags)
        if key or anchor:
            self.policy.frame_sent(self.frames, self.now, keyframe=key, anchor=anchor)
        self.keyframes += key
        self.frames += 1
        for datagram in datagrams(frame):
            self.path.send(datagram, self.now)

    def deliver(self, unit: AccessUnit) -> None:
        """The client got a whole access unit; late ones are of no use to a decoder."""
        self.delays.append(1000 * (self.now - unit.pts_ns / 1e9))
        if self.controller:
            self.answer(self.controller.frame(self.delays[-1], len(unit.data), self.now))
        self.request(self.recovery.delivered(unit.frame_index, unit.flags, self.now))
        clean = unit.flags & (FrameFlags.KEYFRAME | FrameFlags.RECOVERY_ANCHOR)
        if clean or (self.last_good is not None and unit.frame_index == self.last_good + 1):
            self.last_good = unit.frame_index
            if not self.recovery.holding:
                self.shown.append(self.now)

    def client_timers(self) -> None:
        statistics = self.receiver.reassembler.statistics
        if statistics.dropped > self.dropped:
            self.dropped = statistics.dropped
            self.request(self.recovery.frames_given_up(statistics.newest_dropped or 0, self.now))
        self.request(self.recovery.poll(self.now))
        if self.now < self.window.due:
            return
        losses = self.window.close(self.now)
        self.later(lambda: self.fec.report(losses.loss_ppm))
        if self.controller and self.delays:
            ppm = losses.loss_ppm - (50_000 if losses.dropped else 0)
            mean, kbps = sum(self.delays) / len(self.delays), self.wire_bytes * 8 / 1000 / WINDOW_S
            if self.controller.poll(self.now):
                self.controller.probe_measured(0, self.now)
            self.answer(
                self.controller.window(Window(max(0, ppm), losses.dropped, mean, kbps, self.fec.percent), self.now)
            )
        self.delays.clear()
        self.wire_bytes = 0

    def answer(self, kbps: int | None) -> None:
        """A SetBitrate and its answer."""
        controller = self.controller
        if kbps is None or controller is None:
            return

        def apply() -> None:
            self.kbps = kbps
            self.fec.bitrate_asked(kbps)
            controller.bitrate_changed(kbps, self.now)

        self.later(apply)

    def request(self, requests: list[object]) -> None:
        """The client's requests, as the host hears them."""
        for request in requests:
            if isinstance(request, RfiRequest):
                first, last = request.first_frame, request.last_frame
                self.later(lambda first=first, last=last: self.remedy(self.policy.frames_lost(first, last, self.now)))
            else:
                self.later(lambda: self.remedy(self.policy.keyframe_requested(self.now)))

    def remedy(self, remedy: Remedy) -> None:
        self.want_key |= remedy is Remedy.KEYFRAME
        self.want_anchor |= remedy is Remedy.INVALIDATE

    def later(self, action: Callable[[], object]) -> None:
        """The control stream is reliable: its messages only take their time."""
        heapq.heappush(self.messages, (self.now + self.case.network.delay_s, next(self.counter), action))

    @property
    def share(self) -> float:
        """Frames shown of those sent."""
        return len(self.shown) / self.frames

    @property
    def stalls(self) -> list[float]:
        """Times without a new picture of more than 100 ms."""
        gaps = (later - earlier for earlier, later in itertools.pairwise([*self.shown, SECONDS]))
        return [gap for gap in gaps if gap > 0.1]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_stream_stays_up(case: Case) -> None:
    stream = Stream(case).run()
    in_flight = int(case.network.delay_s * REFRESH_HZ) + 3
    assert len(stream.shown) >= case.shown * (stream.frames - in_flight)
    assert max(stream.stalls, default=0.0) <= case.stall_s
    assert stream.shown[-1] > SECONDS - 0.5
    assert stream.keyframes <= 1 + SECONDS / 0.75
    assert stream.receiver.reassembler.statistics.malformed == 0


def main() -> None:
    """The table."""
    for case in CASES:
        stream = Stream(case).run()
        longest = max(stream.stalls, default=0.0)
        print(
            f"{case.name:<30} shown {stream.share:>6.1%}  stalls {len(stream.stalls):>2}"
            f" (longest {longest * 1000:>4.0f} ms)  keyframes {stream.keyframes}"
            f"  FEC {stream.fec.percent:>2} %  {stream.kbps} kbit/s"
        )


if __name__ == "__main__":
    main()
