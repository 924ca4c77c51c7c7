"""Fingers that drive a pointer, for desktops without touch: tap, drag, long press, two fingers scroll.

Nothing is pressed before it is clear what the finger is about, so that a scroll never starts with a click.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from punktfunk.input.events import ContactPhase, Touched

LEFT, RIGHT = 0x110, 0x111
LONG_PRESS_S = 0.5
SLOP_PIXELS = 12.0
"""A finger that moved less than this rests."""
PIXELS_PER_NOTCH = 30.0
FORGET_AFTER_S = 3.0
"""A finger that said nothing for so long when another one lands has gone: its lift got lost on the way."""
MAX_FINGERS = 16
"""Fingers that are followed; more than two change nothing but how long the gesture lasts."""


class PointerSeat(Protocol):
    """What a gesture becomes."""

    def place(self, x: float, y: float) -> None:
        """The pointer, as fractions of the picture."""
        ...

    def press(self, code: int, pressed: bool) -> None:
        """A mouse button."""
        ...

    def scroll(self, right_notches: float, down_notches: float) -> None:
        """The wheels."""
        ...

    def size(self) -> tuple[int, int]:
        """Pixels of the picture."""
        ...


@dataclass(slots=True)
class _Finger:
    """Where a finger came down and where it is, in pixels."""

    start: tuple[float, float]
    now: tuple[float, float]
    heard: float

    @property
    def travel(self) -> float:
        return math.dist(self.start, self.now)


class TouchPointer:
    """One person's fingers. One finger taps (left click), drags, or rests for half a second (right click when it
    lifts); two scroll, or click right when they tap."""

    def __init__(self, seat: PointerSeat, clock: Callable[[], float] = time.monotonic) -> None:
        self._seat = seat
        self._clock = clock
        self._fingers: dict[int, _Finger] = {}
        self._began = 0.0
        self._dragging = False
        self._pair = False
        """Two fingers were down: whatever follows is no click of one, until all are up."""
        self._scrolled = False

    def change(self, event: Touched) -> None:
        """A finger's event."""
        match event.phase:
            case ContactPhase.HOVER if not self._fingers:
                self._seat.place(event.x, event.y)
            case ContactPhase.DOWN if event.pointer_id not in self._fingers:
                self._land(event)
            case ContactPhase.MOVE | ContactPhase.DOWN if event.pointer_id in self._fingers:
                self._move(event)
            case ContactPhase.UP if event.pointer_id in self._fingers:
                self._lift(event.pointer_id)
            case ContactPhase.CANCEL if event.pointer_id in self._fingers:
                self.cancel()
            case ContactPhase.CANCEL_ALL:
                self.cancel()

    def cancel(self) -> None:
        """The gesture is over and does nothing more."""
        if self._dragging:
            self._seat.press(LEFT, False)
        self._fingers.clear()
        self._dragging = self._pair = self._scrolled = False

    def _land(self, event: Touched) -> None:
        now = self._clock()
        if any(now - finger.heard > FORGET_AFTER_S for finger in self._fingers.values()):
            self.cancel()
        if len(self._fingers) >= MAX_FINGERS:
            return
        if not self._fingers:
            self._began = now
            self._seat.place(event.x, event.y)
        elif not self._dragging:
            self._pair = True
        at = self._pixels(event)
        self._fingers[event.pointer_id] = _Finger(at, at, now)

    def _move(self, event: Touched) -> None:
        finger = self._fingers[event.pointer_id]
        before, finger.now, finger.heard = finger.now, self._pixels(event), self._clock()
        first = event.pointer_id == next(iter(self._fingers))
        if self._pair:
            self._scroll(finger, before)
        elif self._dragging and first:
            self._seat.place(event.x, event.y)
        elif first and finger.travel > SLOP_PIXELS:
            self._seat.press(LEFT, True)
            self._dragging = True
            self._seat.place(event.x, event.y)

    def _scroll(self, finger: _Finger, before: tuple[float, float]) -> None:
        if not self._scrolled and finger.travel <= SLOP_PIXELS:
            return
        before = before if self._scrolled else finger.start
        self._scrolled = True
        # What is under the fingers follows them, each by its share.
        share = PIXELS_PER_NOTCH * len(self._fingers)
        self._seat.scroll((before[0] - finger.now[0]) / share, (before[1] - finger.now[1]) / share)

    def _lift(self, pointer_id: int) -> None:
        del self._fingers[pointer_id]
        if self._dragging:
            # The first finger holds the button; others came along by accident.
            self.cancel()
        elif not self._fingers:
            if not self._scrolled:
                rested = self._clock() - self._began >= LONG_PRESS_S
                button = RIGHT if rested or self._pair else LEFT
                self._seat.press(button, True)
                self._seat.press(button, False)
            self.cancel()

    def _pixels(self, event: Touched) -> tuple[float, float]:
        width, height = self._seat.size()
        return event.x * width, event.y * height
