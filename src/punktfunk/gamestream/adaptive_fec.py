"""How much parity a stream gets: the least that its losses ask for. Sans-IO; times are seconds of a monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from punktfunk.wire.odds import recovery_packets

MAX_PERCENTAGE = 100
WINDOW_S = 1.0
FALL_PER_WINDOW = 4
"""Points by which parity shrinks per window without need: a bad moment is rarely the last one."""
MIN_PACKETS = 40
"""Below this a window says nothing about the network."""


@dataclass
class AdaptiveFec:
    """Turns the client's frame FEC status (gamestream.md §6.7) into a percentage between ``base`` and the maximum.

    Clients report only frames that needed parity or were lost, so the loss rate is their sum against what was sent.
    """

    base: int
    frames_per_second: float
    percentage: int = field(init=False)
    loss_ppm: int = 0
    """Share of the last window's packets that were missing."""
    _window_start: float | None = None
    _lost: int = 0
    _sent_before: int = 0

    def __post_init__(self) -> None:
        self.percentage = self.base

    def lost(self, packets: int) -> None:
        """The client misses this many packets of a frame."""
        self._lost += packets

    def update(self, now: float, packets_sent: int) -> bool:
        """Judge the window that ends now; ``packets_sent`` counts from the stream's start. True when it changed."""
        if self._window_start is None or packets_sent < self._sent_before:
            self._begin(now, packets_sent)
            return False
        sent, elapsed_s = packets_sent - self._sent_before, now - self._window_start
        if elapsed_s < WINDOW_S:
            return False
        wanted = self.base
        self.loss_ppm = min(1_000_000, 1_000_000 * self._lost // sent) if sent else 0
        if sent >= MIN_PACKETS:
            per_frame = sent / max(1.0, elapsed_s * self.frames_per_second)
            wanted = self._needed(self._lost / sent, max(1, round(per_frame * 100 / (100 + self.percentage))))
        before = self.percentage
        self.percentage = max(wanted, before - FALL_PER_WINDOW, self.base)
        self._begin(now, packets_sent)
        return self.percentage != before

    def bitrate_kbps(self, agreed_kbps: int) -> int:
        """The encoder's share of a rate agreed with ``base`` parity: what parity gains, the picture gives up."""
        return agreed_kbps * (100 + self.base) // (100 + self.percentage)

    def _needed(self, loss: float, data_packets: int) -> int:
        """What a frame of so many packets needs; the normal distribution would be too little for small ones."""
        most = data_packets * MAX_PERCENTAGE // 100
        return 100 * recovery_packets(data_packets, min(loss, 0.5), most) // data_packets if loss else self.base

    def _begin(self, now: float, packets_sent: int) -> None:
        self._window_start, self._sent_before, self._lost = now, packets_sent, 0
