"""What the bitrate controller sees, and how bad it is (punktfunk1.md §9.4)."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass

WINDOW_S = 0.75
SLICE_S = 0.15
BASE_SPAN_S = 30.0
PANIC_DELAY_MS = 30.0
WIRE_PER_VIDEO = 1.065
"""Bytes on the wire per byte of video without FEC: headers, tags, padding."""
NATURAL_PERCENT = 15.0
"""The most loss that may be a path's nature; parity does not mend more."""


class Health(enum.Enum):
    """What one window says."""

    CLEAN = "clean"
    BAD = "bad"
    SEVERE = "severe"


@dataclass(frozen=True, slots=True)
class Window:
    """What the client measured in ``WINDOW_S``.

    ``loss_ppm`` without the penalty for dropped frames; ``delay_ms`` the mean one-way delay, of which only changes
    count; ``wire_kbps`` the video that arrived, with headers and FEC; ``fec_percent`` as the packets' headers state
    it; ``flushed``: a jump to live.
    """

    loss_ppm: int
    dropped_frames: int
    delay_ms: float
    wire_kbps: float
    fec_percent: float = 0.0
    decode_ms: float = 0.0
    encode_ms: float = 0.0
    keyframe_requests: int = 0
    flushed: bool = False

    @property
    def wire_factor(self) -> float:
        """Wire bytes per byte of video."""
        return WIRE_PER_VIDEO * (1 + self.fec_percent / 100)

    @property
    def sent_kbps(self) -> float:
        """What the host sent, of which ``wire_kbps`` arrived."""
        return self.wire_kbps / (1 - min(self.loss_ppm, 990_000) / 1_000_000)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A window's health. ``queueing``: the path is full; ``path``: nothing but the path is to blame; ``stir``: the
    first signs that a careful climb looks for. ``loss_percent`` is in excess of what is always lost."""

    health: Health
    queueing: bool
    path: bool
    stir: bool
    delay_ms: float
    loss_percent: float


class _Base:
    """Values relative to the least of the last ``span_s``."""

    def __init__(self, interval_s: float) -> None:
        self._values: deque[float] = deque(maxlen=int(BASE_SPAN_S / interval_s))

    def excess(self, value: float) -> float:
        self._values.append(value)
        return value - min(self._values)

    def above(self, value: float) -> float:
        """How far ``value`` lies above the least so far, without counting it."""
        return value - min(self._values, default=value)


class Judge:
    """Compares windows with the best of the last 30 s. Unlike the reference's, it takes a loss that is always there
    for the path's nature, and a dropped frame for severe only when loss or delay rose with it.

    Loss that was there from the first window on may as well be a path that was too narrow from the start: all of it
    counts, until there was a window without, or a lower rate has not helped (``loss_is_nature``)."""

    def __init__(self) -> None:
        self.loss_known = False
        """Whether the loss that is the path's nature can be told from that of a full one."""
        self._delay, self._loss = _Base(WINDOW_S), _Base(WINDOW_S)
        self._decode, self._encode = _Base(WINDOW_S), _Base(WINDOW_S)

    def window(self, w: Window) -> Verdict:
        """Judge one window."""
        loss_percent = w.loss_ppm / 10_000
        delay, loss = self._delay.excess(w.delay_ms), self._loss.excess(loss_percent)
        loss = max(loss, loss_percent - NATURAL_PERCENT)
        self.loss_known |= loss_percent < 1
        if not self.loss_known:
            loss = loss_percent
        decode, encode = self._decode.excess(w.decode_ms), self._encode.excess(w.encode_ms)
        broken = w.dropped_frames > 0 and (loss >= 2 or delay >= 25)
        ends_slow = decode >= 15 or encode >= 4
        if broken or w.flushed or loss >= 6 or decode >= 45 or encode >= 12 or w.keyframe_requests >= 4:
            health = Health.SEVERE
        elif loss >= 2 or delay >= 25 or ends_slow or w.keyframe_requests >= 2:
            health = Health.BAD
        else:
            health = Health.CLEAN
        return Verdict(health, delay >= 25, not ends_slow, delay >= 10 or loss >= 1 or ends_slow, delay, loss)

    def loss_is_nature(self) -> None:
        """A lower rate did not help."""
        self.loss_known = True


@dataclass(frozen=True, slots=True)
class Slice:
    """A short time: how late its least late frame was, and what got through."""

    delay_ms: float
    wire_kbps: float


class PanicWatch:
    """Sees a queue grow within ``SLICE_S``, five times sooner than a window does."""

    def __init__(self) -> None:
        self.last = Slice(0.0, float("inf"))
        self.shrinking = False
        """Whether the queue of the last slice was smaller than the one before."""
        self._base = _Base(SLICE_S)
        self._end: float | None = None
        self._least = float("inf")
        self._bytes = 0

    def frame(self, delay_ms: float, wire_bytes: int, now: float) -> Slice | None:
        """One frame arrived; the slice that it ends, if that is cause for panic."""
        if self._end is None:
            self._end = now + SLICE_S
        self._least = min(self._least, delay_ms)
        self._bytes += wire_bytes
        if now < self._end:
            return None
        ended = Slice(self._base.excess(self._least), self._bytes * 8 / 1000 / (now - self._end + SLICE_S))
        self.shrinking, self.last = ended.delay_ms < 0.9 * self.last.delay_ms, ended
        self.restart(now)
        return ended if ended.delay_ms >= PANIC_DELAY_MS and not self.shrinking else None

    def excess(self, delay_ms: float) -> float:
        """How late a frame is, against the best slice."""
        return self._base.above(delay_ms)

    def restart(self, now: float) -> None:
        """Forget the slice in progress."""
        self._end, self._least, self._bytes = now + SLICE_S, float("inf"), 0
