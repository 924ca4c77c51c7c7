"""Keyboard and mouse of a desktop that is captured through a portal, and that its owner may be using too."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from punktfunk.media.displays.overlay_keymap import keysym
from punktfunk.media.displays.pixelflux_seat import PixelfluxSeat
from punktfunk.media.portal.back import BackError, Typist

_AXIS_UNITS_PER_NOTCH = 10.0

log = logging.getLogger(__name__)


SETTLE_S = 0.02
"""How long text waits after a key or a button: the two go different ways, and the library's takes some milliseconds."""


class PortalSeat:
    """The capture library's seat, but for what emulated input cannot do: its keymap is the desktop's own, so that text
    goes by ``typist``, and a wheel's part of a notch would become a whole one. ``emulated`` is False where the desktop
    takes calls instead, which say what is typed."""

    locks_untouched = True

    def __init__(
        self,
        seat: PixelfluxSeat,
        typist: Typist,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seat, self._typist = seat, typist
        self._clock, self._sleep = clock, sleep
        self._pressed_at = -SETTLE_S
        self.emulated = True

    def size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels."""
        return self._seat.size()

    def key(self, code: int, pressed: bool) -> None:
        """Press or release the key of an evdev code."""
        self._pressed_at = self._clock()
        self._seat.key(code, pressed)

    def text(self, text: str) -> None:
        """Type the characters for which the desktop's layout has keys; others are left out."""
        if not self.emulated:
            self._seat.text(text)
            return
        if (wait_s := self._pressed_at + SETTLE_S - self._clock()) > 0:
            self._sleep(wait_s)
        for symbol in map(keysym, text):
            if symbol is None:
                continue
            try:
                self._typist.tap(symbol)
            except BackError as error:
                log.warning("text cannot be typed: %s", error)
                return

    def move_to(self, x: float, y: float) -> None:
        """Place the pointer, in pixels of the picture."""
        self._seat.move_to(x, y)

    def move_by(self, dx: int, dy: int) -> None:
        """Move the pointer, also where a program has locked it."""
        self._seat.move_by(dx, dy)

    def button(self, code: int, pressed: bool) -> None:
        """Press or release a mouse button of an evdev code."""
        self._pressed_at = self._clock()
        self._seat.button(code, pressed)

    def scroll(self, right_notches: float, down_notches: float) -> None:
        """Turn the wheels; fractions of a notch arrive as smooth scrolling."""
        if right_notches == int(right_notches) and down_notches == int(down_notches):
            self._seat.scroll(right_notches, down_notches)
        else:
            self._seat.scroll_smoothly(right_notches * _AXIS_UNITS_PER_NOTCH, down_notches * _AXIS_UNITS_PER_NOTCH)

    def close(self) -> None:
        """No more text."""
        self._typist.close()
