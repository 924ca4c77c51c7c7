"""Keyboard and mouse through pixelflux, into its own compositor or into the one that it captures."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from punktfunk.media.displays.overlay_keymap import SPARE_KEYCODES, OverlayKeymap
from punktfunk.media.displays.overlay_typist import OverlayTypist

_XKB_OFFSET = 8
_TEXT_KEYCODES = frozenset(SPARE_KEYCODES)
_AXIS_UNITS_PER_NOTCH = 10.0


class PixelfluxSeat:
    """The seat of a running capture. Calls queue in the library and take some microseconds.

    There is no touch: neither virtual-pointer protocol nor library has it. Finger scrolling is not used because its end
    event crashes sway 1.7.
    """

    def __init__(
        self,
        capture: Any,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._capture = capture
        self._typist = OverlayTypist(OverlayKeymap(), self._tap, clock=clock, sleep=sleep)
        self._size = (1, 1)

    def resized(self, width: int, height: int) -> None:
        """The picture has this size now."""
        self._size = (width, height)

    def size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels."""
        return self._size

    def key(self, code: int, pressed: bool) -> None:
        """Press or release the key of an evdev code; codes that text is typed with are dropped."""
        if code + _XKB_OFFSET not in _TEXT_KEYCODES:
            self._capture.inject_key(code + _XKB_OFFSET, int(pressed))

    def text(self, text: str) -> None:
        """Type characters that the layout need not have; ordered with the keys. Waits, up to 0.2 s for every 46
        different characters, when much text comes at once."""
        self._typist.type(text)

    def move_to(self, x: float, y: float) -> None:
        """Place the pointer, in pixels of the picture."""
        self._capture.inject_mouse_move(x, y)

    def move_by(self, dx: int, dy: int) -> None:
        """Move the pointer, also where a program has locked it."""
        self._capture.inject_relative_mouse_move(float(dx), float(dy))

    def button(self, code: int, pressed: bool) -> None:
        """Press or release a mouse button of an evdev code."""
        self._capture.inject_mouse_button(code, int(pressed))

    def scroll_smoothly(self, right: float, down: float) -> None:
        """Scroll as a touchpad does, in units of which a wheel's notch has ten. Not for sway 1.7 (see the class)."""
        self._capture.inject_finger_scroll(right, down)

    def scroll(self, right_notches: float, down_notches: float) -> None:
        """Turn the wheels; fractions of a notch arrive as smooth scrolling."""
        self._capture.inject_mouse_scroll(right_notches * _AXIS_UNITS_PER_NOTCH, down_notches * _AXIS_UNITS_PER_NOTCH)

    def _tap(self, _text: str, overlay: list[tuple[int, int]] | None, keycodes: list[int]) -> None:
        if overlay is not None:
            self._capture.set_keymap_overlay(overlay)
        self._capture.inject_keys([(keycode, state) for keycode in keycodes for state in (1, 0)])
