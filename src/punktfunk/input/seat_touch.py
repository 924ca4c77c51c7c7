"""Fingers into a seat that takes touch: each keeps a number from landing to lifting, and none stays behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from punktfunk.input.events import ContactPhase, Touched

MAX_FINGERS = 16
FORGET_AFTER_S = 3.0
"""A finger that said nothing for so long when another one lands has gone: its lift got lost on the way."""


@runtime_checkable
class TouchSeat(Protocol):
    """A display's touchscreen; places are pixels of the picture, fingers have numbers below `MAX_FINGERS`."""

    def touch_down(self, finger: int, x: float, y: float) -> None: ...

    def touch_move(self, finger: int, x: float, y: float) -> None: ...

    def touch_up(self, finger: int) -> None: ...

    def touch_cancel(self) -> None: ...

    def size(self) -> tuple[int, int]: ...


class SeatTouch:
    """One client's fingers. Hovering ones are not there yet; a seventeenth is dropped."""

    def __init__(self, seat: TouchSeat, clock: Callable[[], float] = time.monotonic) -> None:
        self._seat = seat
        self._clock = clock
        self._fingers: dict[int, int] = {}
        self._heard: dict[int, float] = {}

    def change(self, event: Touched) -> None:
        """A finger's event."""
        pointer = event.pointer_id
        finger = self._fingers.get(pointer)
        match event.phase:
            case ContactPhase.DOWN if finger is None:
                self._land(event)
            case ContactPhase.MOVE | ContactPhase.DOWN if finger is not None:
                self._heard[pointer] = self._clock()
                self._seat.touch_move(finger, *self._pixels(event))
            case ContactPhase.UP if finger is not None:
                self._forget(pointer)
                self._seat.touch_up(finger)
            case ContactPhase.CANCEL if finger is not None:
                self.cancel()
            case ContactPhase.CANCEL_ALL:
                self.cancel()

    def cancel(self) -> None:
        """No finger is down any more, and what they were about is not done. Safe to repeat."""
        if self._fingers:
            self._fingers.clear()
            self._heard.clear()
            self._seat.touch_cancel()

    def _land(self, event: Touched) -> None:
        now = self._clock()
        for pointer in [known for known, heard in self._heard.items() if now - heard > FORGET_AFTER_S]:
            self._seat.touch_up(self._fingers[pointer])
            self._forget(pointer)
        taken = set(self._fingers.values())
        free = next((number for number in range(MAX_FINGERS) if number not in taken), None)
        if free is None:
            return
        self._fingers[event.pointer_id] = free
        self._heard[event.pointer_id] = now
        self._seat.touch_down(free, *self._pixels(event))

    def _forget(self, pointer: int) -> None:
        del self._fingers[pointer], self._heard[pointer]

    def _pixels(self, event: Touched) -> tuple[float, float]:
        width, height = self._seat.size()
        return min(max(event.x, 0.0) * width, width - 1), min(max(event.y, 0.0) * height, height - 1)
