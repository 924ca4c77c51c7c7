"""Rumble levels that end by themselves when the host falls silent (punktfunk1.md §7.6). Times in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from punktfunk.wire.punktfunk1.input_event import MAX_PADS
from punktfunk.wire.punktfunk1.pad_feedback import Rumble

MAX_TTL_S = 5.0
UNSEQUENCED_TTL_S = 1.0


@dataclass(frozen=True, slots=True)
class RumbleLevel:
    """What a pad's motors are to do now, 0..65535."""

    pad: int
    low: int = 0
    high: int = 0
    left_trigger: int = 0
    right_trigger: int = 0


class RumbleTimer:
    """Filters old news, reports changes, and silences what is not renewed."""

    def __init__(self) -> None:
        self._last_seq: dict[int, int] = {}
        self._levels: dict[int, RumbleLevel] = {}
        self._ends: dict[int, float] = {}

    def receive(self, rumble: Rumble, now: float) -> RumbleLevel | None:
        """The pad's new level, None if nothing changes."""
        if rumble.pad >= MAX_PADS:
            return None
        ttl_s = UNSEQUENCED_TTL_S
        if rumble.seq is not None:
            last = self._last_seq.get(rumble.pad)
            if last is not None and not 0 < (rumble.seq - last) % 256 < 128:
                return None
            self._last_seq[rumble.pad] = rumble.seq
            ttl_s = min(MAX_TTL_S, (rumble.ttl_ms or 0) / 1000)
        level = RumbleLevel(rumble.pad, rumble.low, rumble.high, rumble.left_trigger, rumble.right_trigger)
        silent = level == RumbleLevel(rumble.pad)
        if silent:
            self._ends.pop(rumble.pad, None)
        else:
            self._ends[rumble.pad] = now + ttl_s
        changed = self._levels.get(rumble.pad, RumbleLevel(rumble.pad)) != level
        self._levels[rumble.pad] = level
        return level if changed else None

    def expire(self, now: float) -> list[RumbleLevel]:
        """Pads to silence."""
        over = [pad for pad, end in self._ends.items() if now >= end]
        for pad in over:
            del self._ends[pad]
            self._levels[pad] = RumbleLevel(pad)
        return [RumbleLevel(pad) for pad in over]

    def next_deadline(self) -> float | None:
        """When ``expire`` has something to do."""
        return min(self._ends.values(), default=None)
