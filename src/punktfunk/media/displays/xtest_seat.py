"""Keyboard and mouse of an X server, through its XTEST extension (2.2)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from punktfunk.media.displays.overlay_keymap import OverlayKeymap, keysym
from punktfunk.media.displays.overlay_typist import OverlayTypist
from punktfunk.media.x11 import keyboard
from punktfunk.media.x11.connection import X11Connection
from punktfunk.media.x11.keyboard import fake_input
from punktfunk.media.x11.randr import Region

MAX_NOTCHES = 64
"""Clicks of one wheel event; more are nobody's finger."""
MAX_DISTANCE = 32_767
_XKB_OFFSET = 8
_PRESS, _RELEASE, _BUTTON_PRESS, _BUTTON_RELEASE, _MOTION = 2, 3, 4, 5, 6
_ABSOLUTE, _RELATIVE = 0, 1
_WHEEL_UP, _WHEEL_DOWN, _WHEEL_LEFT, _WHEEL_RIGHT = 4, 5, 6, 7
# Left, right, middle, and as libinput's driver counts the others: side, extra, forward, back, task.
_BUTTONS = {0x110: 1, 0x111: 3, 0x112: 2, 0x113: 8, 0x114: 9, 0x115: 10, 0x116: 11, 0x117: 12}
_KEYCODES = range(8, 256)


class Wheel:
    """Parts of a notch, gathered to whole ones: buttons cannot turn less. Turning back begins anew."""

    def __init__(self) -> None:
        self._gathered = 0.0

    def turn(self, notches: float) -> int:
        """Whole notches that are due now."""
        if self._gathered * notches < 0:
            self._gathered = 0.0
        self._gathered += notches
        whole = math.trunc(self._gathered + math.copysign(1e-6, self._gathered))
        self._gathered -= whole
        return max(-MAX_NOTCHES, min(whole, MAX_NOTCHES))


class XTestSeat:
    """The seat of a desktop that others use too: keys and buttons of a sender before us are released, and the locks are
    off, as those of a fresh keyboard. ``spare`` keycodes are ours for text. Closing the connection is the caller's."""

    def __init__(
        self,
        x: X11Connection,
        spare: tuple[int, ...],
        region: Region,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._x = x
        self._opcode = x.needed("XTEST").opcode
        self._spare = frozenset(spare)
        self._typist = OverlayTypist(OverlayKeymap(spare), self._tap, clock=clock, sleep=sleep)
        self._region = region
        self._right, self._down = Wheel(), Wheel()
        keyboard.release_held(x)
        keyboard.lock_modifiers(x, keyboard.lock_mask(x), 0)

    def resized(self, region: Region) -> None:
        """The picture shows this part of the screen now."""
        self._region = region

    def size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels."""
        return self._region.width, self._region.height

    def key(self, code: int, pressed: bool) -> None:
        """Press or release the key of an evdev code; codes that text is typed with are dropped."""
        keycode = code + _XKB_OFFSET
        if keycode in _KEYCODES and keycode not in self._spare:
            self._fake(_PRESS if pressed else _RELEASE, keycode)

    def text(self, text: str) -> None:
        """Type characters that the layout need not have; ordered with the keys. Waits when much comes at once."""
        self._typist.type(text)

    def move_to(self, x: float, y: float) -> None:
        """Place the pointer, in pixels of the picture."""
        left, top = self._region.x + round(x), self._region.y + round(y)
        self._x.send(fake_input(self._opcode, _MOTION, _ABSOLUTE, self._x.facts.root, left, top))

    def move_by(self, dx: int, dy: int) -> None:
        """Move the pointer, also where a program has locked it."""
        dx, dy = (max(-MAX_DISTANCE, min(distance, MAX_DISTANCE)) for distance in (dx, dy))
        self._x.send(fake_input(self._opcode, _MOTION, _RELATIVE, 0, dx, dy))

    def button(self, code: int, pressed: bool) -> None:
        """Press or release a mouse button of an evdev code."""
        button = _BUTTONS.get(code)
        if button is not None:
            self._fake(_BUTTON_PRESS if pressed else _BUTTON_RELEASE, button)

    def scroll(self, right_notches: float, down_notches: float) -> None:
        """Turn the wheels, which are buttons here: parts of a notch wait for the rest of it."""
        self._click(self._right.turn(right_notches), _WHEEL_RIGHT, _WHEEL_LEFT)
        self._click(self._down.turn(down_notches), _WHEEL_DOWN, _WHEEL_UP)

    def _click(self, notches: int, forward: int, backward: int) -> None:
        button = forward if notches > 0 else backward
        for _ in range(abs(notches)):
            self._x.send(*(fake_input(self._opcode, kind, button) for kind in (_BUTTON_PRESS, _BUTTON_RELEASE)))

    def _fake(self, kind: int, detail: int) -> None:
        self._x.send(fake_input(self._opcode, kind, detail))

    def _tap(self, text: str, _overlay: list[tuple[int, int]] | None, keycodes: list[int]) -> None:
        self._bind(dict(zip(keycodes, filter(None, map(keysym, text)), strict=True)))
        for keycode in keycodes:
            self._x.send(*(fake_input(self._opcode, kind, keycode) for kind in (_PRESS, _RELEASE)))

    def _bind(self, wanted: dict[int, int]) -> None:
        """Give spare keycodes their characters. Those that have them stay as they are, since each change is told to
        every program; that they have cannot be known, because other sessions and a new layout change them too."""
        bound = keyboard.symbols(self._x, min(wanted), max(wanted)) if wanted else {}
        changed = {keycode: symbol for keycode, symbol in wanted.items() if bound[keycode] != symbol}
        keyboard.bind(self._x, changed)
