"""A page's input messages to neutral events, within the rights of its ticket. Sans-IO; one per connection."""

from __future__ import annotations

from punktfunk.browser import wire as w
from punktfunk.input import events as e
from punktfunk.input.text import is_text
from punktfunk.trust.devices import Grants

MAX_PADS = 4
MAX_POINTER_ID = 31
MAX_KEY_CODE = 0x2FF
BUTTONS = range(0x110, 0x115)
PHASES = (e.ContactPhase.DOWN, e.ContactPhase.MOVE, e.ContactPhase.UP, e.ContactPhase.CANCEL)
_FRACTION = 65535.0
_HALF = 1 << 31

_NEEDED: dict[type, Grants] = {
    w.Key: Grants.KEYBOARD,
    w.Text: Grants.KEYBOARD,
    w.Move: Grants.POINTER,
    w.Place: Grants.POINTER,
    w.Button: Grants.POINTER,
    w.Wheel: Grants.POINTER,
    w.Touch: Grants.POINTER,
    w.PadPlugged: Grants.GAMEPAD,
    w.PadUnplugged: Grants.GAMEPAD,
    w.Pad: Grants.GAMEPAD,
}


class PageInput:
    """Decides what each message does. What the page may not do, what makes no sense and what comes late does nothing:
    input is never a reason to end a session."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants
        self._placed: int | None = None
        self._pads: dict[int, int | None] = {}

    def event(self, message: w.FromPage) -> e.InputEvent | None:
        """The event of an input message."""
        needed = _NEEDED.get(type(message))
        if needed is None or not needed & self._grants:
            return None
        match message:
            case w.Key(code, pressed, modifiers):
                return e.KeyChanged(code, pressed, modifiers & 0xF) if 0 < code <= MAX_KEY_CODE else None
            case w.Text(text):
                kept = "".join(c for c in text if is_text(c) or c in "\n\t")
                return e.TextTyped(kept) if kept else None
            case w.Move(dx, dy):
                return e.PointerMoved(dx, dy)
            case w.Place(seq, x, y):
                if not _newer(seq, self._placed):
                    return None
                self._placed = seq
                return e.PointerPlaced(x / _FRACTION, y / _FRACTION)
            case w.Button(code, pressed):
                return e.ButtonChanged(code, pressed) if code in BUTTONS else None
            case w.Wheel(horizontal, vertical):
                return e.Scrolled(horizontal, vertical)
            case w.Touch(phase, pointer_id, x, y, pressure):
                if phase >= len(PHASES) or pointer_id > MAX_POINTER_ID:
                    return None
                return e.Touched(PHASES[phase], pointer_id, x / _FRACTION, y / _FRACTION, pressure / _FRACTION)
            case _:
                return self._pad(message)

    def _pad(self, message: w.FromPage) -> e.InputEvent | None:
        match message:
            case w.PadPlugged(pad, capabilities) if pad < MAX_PADS and pad not in self._pads:
                self._pads[pad] = None
                return e.PadArrived(pad, e.PadKind.AUTO, capabilities & 0x1FF)
            case w.PadUnplugged(pad) if pad in self._pads:
                del self._pads[pad]
                return e.PadRemoved(pad)
            case w.Pad(seq, pad, buttons, left, right, lx, ly, rx, ry) if pad in self._pads:
                if not _newer(seq, self._pads[pad]):
                    return None
                self._pads[pad] = seq
                return e.PadState(pad, buttons, left, right, lx, ly, rx, ry)
            case _:
                return None


def _newer(seq: int, last: int | None) -> bool:
    return last is None or 0 < (seq - last) % (2 * _HALF) < _HALF
