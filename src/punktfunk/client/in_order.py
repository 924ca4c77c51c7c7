"""Access units in the order of their numbers, on paths that overtake (punktfunk1.md §5.8 delivers as they complete).

A decoder has no use for a frame after its successor. Where whole frames were seen to come late, this waits for them
about as long as they took; where none were, it adds no time at all.
"""

from __future__ import annotations

from collections import OrderedDict

from punktfunk.client.reassembly import AccessUnit

MAX_WAIT_S = 0.03
MAX_HELD = 8
MAX_SKIPPED = 64
FORGET_S = 10.0
_MARGIN = 1.25
_U32 = 1 << 32


class InOrder:
    """Times in seconds. Holds at most ``MAX_HELD`` frames."""

    def __init__(self) -> None:
        self.wait_s = 0.0
        """How long a frame waits for the ones before it, as learnt."""
        self.stragglers = 0
        """Frames that came after their successor had been handed on."""
        self._expected: int | None = None
        self._held: dict[int, tuple[AccessUnit, float]] = {}
        self._skipped: OrderedDict[int, float] = OrderedDict()
        self._learnt = 0.0

    def push(self, unit: AccessUnit, now: float) -> list[AccessUnit]:
        """One completed frame; those to hand on now."""
        if self._expected is None:
            self._expected = unit.frame_index
        if (unit.frame_index - self._expected) % _U32 >= _U32 // 2:
            self._learn(unit.frame_index, now)
            return []
        self._held[unit.frame_index] = unit, now
        return self.poll(now)

    def poll(self, now: float) -> list[AccessUnit]:
        """Frames that are next, or have waited long enough."""
        if self.wait_s and now - self._learnt > FORGET_S:
            self.wait_s, self._learnt = (self.wait_s / 2 if self.wait_s > 0.002 else 0.0), now
        ready: list[AccessUnit] = []
        while self._held:
            assert self._expected is not None
            following = self._held.pop(self._expected, None)
            if following is not None:
                ready.append(following[0])
                self._expected = (self._expected + 1) % _U32
            elif not self._skip(now):
                break
        return ready

    def next_deadline(self) -> float | None:
        """When ``poll`` hands on a frame that waits."""
        arrivals = [arrived for _, arrived in self._held.values()]
        return min(arrivals) + self.wait_s if arrivals else None

    def _skip(self, now: float) -> bool:
        """Give up on what is missing before the nearest held frame, if its time is over."""
        assert self._expected is not None
        expected = self._expected
        nearest = min(self._held, key=lambda index: (index - expected) % _U32)
        waited = now - min(arrived for _, arrived in self._held.values())
        if waited < self.wait_s and len(self._held) <= MAX_HELD:
            return False
        missing = (nearest - expected) % _U32
        for offset in range(min(missing, MAX_SKIPPED)):
            self._skipped[(expected + offset) % _U32] = now - waited
        while len(self._skipped) > MAX_SKIPPED:
            self._skipped.popitem(last=False)
        self._expected = nearest
        return True

    def _learn(self, frame_index: int, now: float) -> None:
        missed_at = self._skipped.pop(frame_index, None)
        if missed_at is None:
            return
        self.stragglers += 1
        self._learnt = now
        self.wait_s = max(self.wait_s, min(MAX_WAIT_S, _MARGIN * (now - missed_at)))
