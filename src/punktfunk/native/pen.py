"""Pen batches into phases of one pen (punktfunk1.md §7.5). Times in seconds."""

from __future__ import annotations

from punktfunk.input.events import ContactPhase, PenMoved, PenTool
from punktfunk.wire.punktfunk1 import rich_input as r

SILENCE_S = 0.2
"""A pen in range is repeated every 100 ms; after this long it is taken to have left."""

_TOOLS = {r.PEN_TOOL_PEN: PenTool.PEN, r.PEN_TOOL_ERASER: PenTool.ERASER}


class Pen:
    """Applies full-state batches in order and releases the pen when its client goes silent."""

    def __init__(self) -> None:
        self._last_seq: int | None = None
        self._heard = 0.0
        self._last: PenMoved | None = None

    @property
    def deadline(self) -> float | None:
        """When ``expire`` releases the pen; None while it is out of range."""
        return self._heard + SILENCE_S if self._last else None

    def batch(self, batch: r.PenBatch, now: float) -> list[PenMoved]:
        """A newer batch's samples; predicted ones are not input."""
        if self._last_seq is not None and not 0 < (batch.seq - self._last_seq) % 0x10000 < 0x8000:
            return []
        self._last_seq, self._heard = batch.seq, now
        moved = [self._sample(s) for s in batch.samples if not s.state & r.PEN_PREDICTED]
        return [event for event in moved if event is not None]

    def expire(self, now: float) -> list[PenMoved]:
        """Release a pen that was not heard of for ``SILENCE_S``."""
        return self.release() if self.deadline is not None and now >= self.deadline else []

    def release(self) -> list[PenMoved]:
        """Take the pen out of range."""
        last, self._last = self._last, None
        if last is None:
            return []
        return [PenMoved(ContactPhase.LEAVE, last.tool, last.x, last.y)]

    def _sample(self, s: r.PenSample) -> PenMoved | None:
        touching, in_range = bool(s.state & r.PEN_TOUCHING), bool(s.state & r.PEN_IN_RANGE)
        last = self._last
        was_touching = last is not None and last.phase in (ContactPhase.DOWN, ContactPhase.MOVE)
        if touching:
            phase = ContactPhase.MOVE if was_touching else ContactPhase.DOWN
        elif was_touching:
            phase = ContactPhase.UP
        elif in_range:
            phase = ContactPhase.HOVER
        elif last is not None:
            phase = ContactPhase.LEAVE
        else:
            return None
        buttons = (s.state & r.PEN_BARREL_1) // r.PEN_BARREL_1 | (s.state & r.PEN_BARREL_2) // r.PEN_BARREL_2 << 1
        event = PenMoved(
            phase,
            _TOOLS.get(s.tool, PenTool.UNKNOWN),
            s.x,
            s.y,
            pressure=s.pressure / 0xFFFF if touching else 0.0,
            distance=0.0 if touching or s.distance == r.UNKNOWN_U16 else s.distance / 0xFFFE,
            tilt=None if s.tilt == r.UNKNOWN_U8 else min(90, s.tilt),
            rotation=None if s.azimuth == r.UNKNOWN_U16 else s.azimuth % 360,
            buttons=buttons,
            roll=None if s.roll == r.UNKNOWN_U16 else s.roll % 360,
        )
        self._last = event if touching or in_range else None
        return event
