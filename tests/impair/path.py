"""A bad network in one direction, deterministic and without sockets: datagrams and times in and out."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass

IP_UDP_BYTES = 28
MAX_IN_FLIGHT = 65_536
"""Datagrams under way at once; more are lost, as in a queue that overflows."""


@dataclass(frozen=True)
class Impairments:
    """What a path does. Shares are 0..1, times seconds.

    ``burst_every_s`` and ``burst_s``: the mean time between bursts, in which ``burst_loss`` of the datagrams is lost,
    and their length. ``reorder`` datagrams are held back by ``reorder_s``. ``rate_kbps`` 0 = unlimited, with a queue of
    ``queue_bytes``. ``mtu`` counts IP and UDP headers; larger datagrams vanish.
    """

    loss: float = 0.0
    burst_every_s: float = 0.0
    burst_s: float = 0.0
    burst_loss: float = 1.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    reorder: float = 0.0
    reorder_s: float = 0.005
    duplicate: float = 0.0
    rate_kbps: int = 0
    queue_bytes: int = 256 * 1024
    mtu: int = 0


@dataclass
class PathStatistics:
    """Counters of one direction. ``lost`` by chance, ``overflowed`` in the queue, ``too_big`` for the MTU."""

    received: int = 0
    delivered: int = 0
    lost: int = 0
    overflowed: int = 0
    too_big: int = 0
    duplicated: int = 0
    reordered: int = 0


class ImpairedPath:
    """One direction of a path. The same seed and the same datagrams at the same times give the same result.

    Jitter alone never reorders: a datagram waits for the one before it, as in a queue. Only ``reorder`` does.
    """

    def __init__(self, impairments: Impairments, seed: int | str = 0) -> None:
        self.impairments = impairments
        self.statistics = PathStatistics()
        self._rng = random.Random(seed)
        self._heap: list[tuple[float, int, bytes]] = []
        self._counter = 0
        self._line_free = 0.0
        self._last_arrival = 0.0
        self._burst_start = self._next_burst(0.0)

    def send(self, datagram: bytes, now: float) -> None:
        """A datagram enters the path; ``now`` never goes back."""
        i, count = self.impairments, self.statistics
        count.received += 1
        if i.mtu and len(datagram) + IP_UDP_BYTES > i.mtu:
            count.too_big += 1
        elif self._is_lost(now):
            count.lost += 1
        else:
            self._queue(datagram, now)
            if i.duplicate and self._rng.random() < i.duplicate:
                count.duplicated += 1
                self._queue(datagram, now)

    def receive(self, now: float) -> list[bytes]:
        """Everything that has arrived by now, in order of arrival."""
        arrived: list[bytes] = []
        while self._heap and self._heap[0][0] <= now:
            arrived.append(heapq.heappop(self._heap)[2])
        self.statistics.delivered += len(arrived)
        return arrived

    def next_arrival(self) -> float | None:
        """When ``receive`` has something."""
        return self._heap[0][0] if self._heap else None

    @property
    def in_flight(self) -> int:
        """Datagrams under way."""
        return len(self._heap)

    def _is_lost(self, now: float) -> bool:
        i = self.impairments
        while i.burst_every_s and now >= self._burst_start + i.burst_s:
            self._burst_start = self._next_burst(self._burst_start + i.burst_s)
        in_burst = bool(i.burst_every_s) and now >= self._burst_start
        share = i.burst_loss if in_burst else i.loss
        return share > 0 and self._rng.random() < share

    def _next_burst(self, after: float) -> float:
        every = self.impairments.burst_every_s
        return after + self._rng.expovariate(1 / every) if every else float("inf")

    def _queue(self, datagram: bytes, now: float) -> None:
        i, count = self.impairments, self.statistics
        leaves = now
        if i.rate_kbps:
            bytes_per_s = i.rate_kbps * 125
            waiting = max(0.0, self._line_free - now) * bytes_per_s
            if waiting + len(datagram) > i.queue_bytes:
                count.overflowed += 1
                return
            leaves = self._line_free = max(now, self._line_free) + (len(datagram) + IP_UDP_BYTES) / bytes_per_s
        if len(self._heap) >= MAX_IN_FLIGHT:
            count.overflowed += 1
            return
        arrives = leaves + i.delay_s + (self._rng.random() * i.jitter_s if i.jitter_s else 0.0)
        arrives = max(arrives, self._last_arrival)
        if i.reorder and self._rng.random() < i.reorder:
            count.reordered += 1
            arrives += i.reorder_s
        else:
            self._last_arrival = arrives
        heapq.heappush(self._heap, (arrives, self._counter, datagram))
        self._counter += 1
