"""Injectors: neutral input events into a display, with everything that is held known and releasable."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from punktfunk.input.events import (
    ButtonChanged,
    ContactPhase,
    InputEvent,
    KeyChanged,
    PenMoved,
    PointerMoved,
    PointerPlaced,
    Scrolled,
    TextTyped,
    Touched,
)
from punktfunk.input.keyboard import Keyboard, KeySeat, LayoutFacts
from punktfunk.input.layout_text import DesktopKeys, LayoutTyping
from punktfunk.input.seat_touch import SeatTouch, TouchSeat
from punktfunk.input.touch_pointer import TouchPointer
from punktfunk.input.xkb import Keymap, LayoutError

log = logging.getLogger(__name__)

MAX_HELD_BUTTONS = 8
SCROLL_UNITS_PER_NOTCH = 120

_BTN_LEFT, _BTN_RIGHT, _BTN_MIDDLE = 0x110, 0x111, 0x112
_BUTTONS = range(_BTN_LEFT, _BTN_LEFT + MAX_HELD_BUTTONS)
_PEN_BUTTONS = ((1, _BTN_RIGHT), (2, _BTN_MIDDLE))


class Injector(Protocol):
    """Takes neutral events; called from one thread."""

    def inject(self, event: InputEvent) -> None:
        """Inject one event; kinds that the display cannot take are dropped."""
        ...

    def release_all(self) -> None:
        """Release every key, button and contact that is held. Safe to repeat."""
        ...


class PointingSeat(Protocol):
    """Mouse and wheels of one display, in pixels of the picture."""

    def move_to(self, x: float, y: float) -> None: ...

    def move_by(self, dx: int, dy: int) -> None: ...

    def button(self, code: int, pressed: bool) -> None: ...

    def scroll(self, right_notches: float, down_notches: float) -> None: ...

    def size(self) -> tuple[int, int]: ...


class Seat(KeySeat, PointingSeat, Protocol):
    """The devices of one display: what a capture library or a virtual device offers."""


class DesktopSeat(DesktopKeys, PointingSeat, Protocol):
    """The devices of somebody's own desktop, whose keymap and lock keys are not ours. It may be a `TouchSeat` too."""


@runtime_checkable
class SharedSeat(Protocol):
    """A seat that types text by itself, and whose lock keys are somebody else's."""

    locks_untouched: bool


@runtime_checkable
class HasSeat(Protocol):
    """A source that also takes input."""

    @property
    def seat(self) -> Seat | DesktopSeat: ...


class SeatInjector:
    """Neutral events into a seat with keyboard and mouse.

    Fingers touch where the seat has touch, else they drive the mouse by gestures (`TouchPointer`), and so does the pen:
    its tip is the left button, its buttons are right and middle. Pad events are not for a seat and are dropped.
    """

    def __init__(
        self, seat: Seat | DesktopSeat, layout: LayoutFacts | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seat = seat
        self._keyboard = Keyboard(LayoutTyping(seat) if isinstance(seat, DesktopKeys) else seat, layout)
        self._buttons: set[int] = set()
        self._touch = SeatTouch(seat, clock) if isinstance(seat, TouchSeat) else TouchPointer(self, clock)

    def inject(self, event: InputEvent) -> None:
        """Inject one event."""
        match event:
            case KeyChanged():
                self._keyboard.change(event)
            case TextTyped(text=text):
                self._keyboard.type(text)
            case PointerMoved(dx=dx, dy=dy):
                self._seat.move_by(dx, dy)
            case PointerPlaced(x=x, y=y):
                self.place(x, y)
            case ButtonChanged(code=code, pressed=pressed):
                self.press(code, pressed)
            case Scrolled(horizontal=right, vertical=up):
                self.scroll(right / SCROLL_UNITS_PER_NOTCH, -up / SCROLL_UNITS_PER_NOTCH)
            case Touched():
                self._touch.change(event)
            case PenMoved():
                self._pen(event)
            case _:
                pass

    def switch_num_lock_on(self) -> None:
        """Once, on a fresh seat."""
        self._keyboard.switch_num_lock_on()

    def release_strays(self) -> None:
        """Release buttons that somebody before this injector may have left down: sway goes on dragging when a device
        vanishes with its button, and keys it releases by itself."""
        for code in (_BTN_LEFT, _BTN_RIGHT, _BTN_MIDDLE):
            if code not in self._buttons:
                self._seat.button(code, False)

    def release_all(self) -> None:
        """Release every key and button that is held."""
        self._touch.cancel()
        self._keyboard.release_all()
        for code in sorted(self._buttons):
            self._seat.button(code, False)
        self._buttons.clear()

    def size(self) -> tuple[int, int]:
        """Pixels of the picture."""
        return self._seat.size()

    def scroll(self, right_notches: float, down_notches: float) -> None:
        """Turn the wheels."""
        self._seat.scroll(right_notches, down_notches)

    def press(self, code: int, pressed: bool) -> None:
        """A mouse button; repeats and buttons that no mouse has are dropped."""
        if code not in _BUTTONS or pressed == (code in self._buttons):
            return
        (self._buttons.add if pressed else self._buttons.discard)(code)
        self._seat.button(code, pressed)

    def place(self, x: float, y: float) -> None:
        """The pointer, as fractions of the picture."""
        width, height = self._seat.size()
        self._seat.move_to(min(max(x, 0.0) * width, width - 1), min(max(y, 0.0) * height, height - 1))

    def _pen(self, event: PenMoved) -> None:
        if event.phase in (ContactPhase.CANCEL, ContactPhase.CANCEL_ALL, ContactPhase.LEAVE):
            for code in (_BTN_LEFT, _BTN_RIGHT, _BTN_MIDDLE):
                self.press(code, False)
            return
        if event.phase is not ContactPhase.BUTTONS:
            self.place(event.x, event.y)
        for bit, code in _PEN_BUTTONS:
            self.press(code, bool(event.buttons & bit))
        if event.phase in (ContactPhase.DOWN, ContactPhase.UP):
            self.press(_BTN_LEFT, event.phase is ContactPhase.DOWN)


class DeafInjector:
    """For displays without input, such as the test pattern."""

    def inject(self, event: InputEvent) -> None:
        """Drop the event."""

    def release_all(self) -> None:
        """Nothing is held."""


def open_injector(source: object, layout: LayoutFacts | None = None) -> Injector:
    """The injector for what is captured: through its seat where it has one. A keyboard of our own gets Num Lock on; a
    desktop's own keymap is asked for its layout, and its locks are left as they are."""
    if not isinstance(source, HasSeat):
        return DeafInjector()
    seat = source.seat
    if isinstance(seat, DesktopKeys):
        return SeatInjector(seat, _facts_of_desktop(seat))
    injector = SeatInjector(seat, layout)
    if not isinstance(seat, SharedSeat):
        injector.switch_num_lock_on()
    return injector


def _facts_of_desktop(keys: DesktopKeys) -> LayoutFacts:
    try:
        return LayoutFacts.of_keymap(Keymap.of_text(keymap)) if (keymap := keys.keymap()) else LayoutFacts()
    except (LayoutError, OSError) as error:
        log.warning("keys are taken by their position alone: %s", error)
        return LayoutFacts()
