"""Types text through an overlay of spare keycodes, slowly enough for programs that look keycodes up late."""

from __future__ import annotations

import time
from collections.abc import Callable

from punktfunk.media.displays.overlay_keymap import OverlayKeymap

MAX_WAIT_S = 1.0
"""For one text. Meanwhile nothing else that the client asks for is done; X11 programs may misread what is longer."""

Tap = Callable[[str, list[tuple[int, int]] | None, list[int]], None]
"""Gets a part of the text, the whole overlay when it changed, and the keycodes to tap: see `OverlayKeymap.assign`."""


class OverlayTypist:
    """Cuts text into parts that the keycodes suffice for, and has ``tap`` type each."""

    def __init__(
        self,
        overlay: OverlayKeymap,
        tap: Tap,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._overlay = overlay
        self._tap = tap
        self._clock, self._sleep = clock, sleep

    def type(self, text: str) -> None:
        """Type it. Waits, up to ``SETTLE_S`` for as many different characters as there are keycodes, when much text
        comes at once; without keycodes there is no text."""
        step, patience_s = self._overlay.capacity, MAX_WAIT_S
        for start in range(0, len(text), step) if step else ():
            part = text[start : start + step]
            wait_s = min(self._overlay.free_at(part) - self._clock(), patience_s)
            if wait_s > 0:
                self._sleep(wait_s)
                patience_s -= wait_s
            overlay, keycodes = self._overlay.assign(part)
            self._tap(part, overlay, keycodes)
            self._overlay.tapped(keycodes, self._clock())
