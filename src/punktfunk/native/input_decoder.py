"""A client's input datagrams into neutral events: bounds, sequence, grants, and what is held (punktfunk1.md §7)."""

from __future__ import annotations

from dataclasses import dataclass

from punktfunk.input import events as e
from punktfunk.input.keymap import VIRTUAL_KEY_TO_EVDEV
from punktfunk.native.access import Access
from punktfunk.native.pads import Pads
from punktfunk.native.pen import Pen
from punktfunk.wire.punktfunk1 import rich_input as r
from punktfunk.wire.punktfunk1.caps import Grants
from punktfunk.wire.punktfunk1.enums import Gamepad
from punktfunk.wire.punktfunk1.input_event import InputEvent, InputKind

MAX_HELD = 256
"""Keys, buttons and fingers down at once."""
MAX_DELTA = 32_767
"""Largest motion or scroll of one event, pixels or 120ths of a notch."""

_BUTTONS = {1: 0x110, 2: 0x112, 3: 0x111, 4: 0x113, 5: 0x114}
_FINE_UNITS = 256
_WHEEL_SOURCES = (0, 1)

_PADS = frozenset(
    {
        InputKind.GAMEPAD_BUTTON,
        InputKind.GAMEPAD_AXIS,
        InputKind.GAMEPAD_STATE,
        InputKind.GAMEPAD_REMOVE,
        InputKind.GAMEPAD_ARRIVAL,
    }
)
_KEYS = frozenset({InputKind.KEY_DOWN, InputKind.KEY_UP, InputKind.TEXT_INPUT})


@dataclass(slots=True)
class InputStatistics:
    """What became of the datagrams. ``undelivered`` counts raw controller reports, which no neutral event carries."""

    events: int = 0
    unknown: int = 0
    forbidden: int = 0
    undelivered: int = 0


class InputDecoder:
    """Decodes one client's input. Everything that it reported as held can be released again."""

    def __init__(self, access: Access, gamepad: Gamepad = Gamepad.AUTO) -> None:
        self.statistics = InputStatistics()
        self._access = access
        self._pads = Pads(gamepad)
        self._pen = Pen()
        self._keys: set[int] = set()
        self._buttons: set[int] = set()
        self._touches: set[int] = set()
        self._scroll_rest = [0, 0]

    @property
    def deadline(self) -> float | None:
        """When ``expire`` has something to do."""
        return self._pen.deadline

    def event(self, event: InputEvent) -> list[e.InputEvent]:
        """One event of datagram 0xC8."""
        if event.kind is None:
            self.statistics.unknown += 1
            return []
        if not self._granted(_grant(event.kind)):
            return []
        if event.kind in _PADS:
            return self._count(self._pads.decode(event))
        if event.kind in _KEYS:
            return self._count(self._keyboard(event))
        return self._count(self._pointer(event))

    def rich(self, value: r.RichInput, now: float) -> list[e.InputEvent]:
        """One datagram of tag 0xCC."""
        if isinstance(value, r.UnknownRich):
            self.statistics.unknown += 1
            return []
        if not self._granted(Grants.POINTER if isinstance(value, r.PenBatch) else Grants.GAMEPAD):
            return []
        match value:
            case r.Touchpad():
                return self._count(self._pads.touchpad(value))
            case r.TouchpadEx():
                return self._count(self._pads.touchpad_ex(value))
            case r.Motion():
                return self._count(self._pads.motion(value))
            case r.PenBatch():
                return self._count([*self._pen.batch(value, now)])
            case r.RawReport():
                self.statistics.undelivered += 1
        return []

    def expire(self, now: float) -> list[e.InputEvent]:
        """What time alone releases: a pen that fell silent."""
        return [*self._pen.expire(now)]

    @property
    def holding(self) -> bool:
        """Whether the client has something pressed."""
        return bool(self._keys or self._buttons or self._touches) or self._pads.in_use

    def let_go(self) -> list[e.InputEvent]:
        """Release everything that is pressed; pads stay plugged in."""
        return [*self.release(Grants.KEYBOARD | Grants.POINTER), *self._pads.let_go()]

    def release(self, lost: Grants) -> list[e.InputEvent]:
        """Let go of everything held under these grants."""
        released: list[e.InputEvent] = []
        if Grants.KEYBOARD in lost:
            released += [e.KeyChanged(code, False) for code in sorted(self._keys)]
            self._keys.clear()
        if Grants.POINTER in lost:
            released += [e.ButtonChanged(code, False) for code in sorted(self._buttons)]
            released += [e.Touched(e.ContactPhase.CANCEL, finger) for finger in sorted(self._touches)]
            released += self._pen.release()
            self._buttons.clear()
            self._touches.clear()
        if Grants.GAMEPAD in lost:
            released += self._pads.release_all()
        return released

    def _keyboard(self, event: InputEvent) -> list[e.InputEvent]:
        if event.kind is InputKind.TEXT_INPUT:
            return _text(event.code)
        code = VIRTUAL_KEY_TO_EVDEV.get(event.code & 0xFF)
        pressed = event.kind is InputKind.KEY_DOWN
        if code is None or not _hold(self._keys, code, pressed):
            return []
        return [e.KeyChanged(code, pressed)]

    def _pointer(self, event: InputEvent) -> list[e.InputEvent]:
        match event.kind:
            case InputKind.MOUSE_MOVE:
                return [e.PointerMoved(_clamp(event.x), _clamp(event.y))]
            case InputKind.MOUSE_MOVE_ABS:
                place = _place(event)
                return [e.PointerPlaced(*place)] if place else []
            case InputKind.MOUSE_BUTTON_DOWN | InputKind.MOUSE_BUTTON_UP:
                code, pressed = _BUTTONS.get(event.code), event.kind is InputKind.MOUSE_BUTTON_DOWN
                return [e.ButtonChanged(code, pressed)] if code and _hold(self._buttons, code, pressed) else []
            case InputKind.MOUSE_SCROLL:
                return _scrolled(event.code, _clamp(event.x))
            case InputKind.SCROLL:
                return self._fine_scroll(event)
        return self._touch(event)

    def _touch(self, event: InputEvent) -> list[e.InputEvent]:
        finger = event.code
        was_down = finger in self._touches
        if event.kind is InputKind.TOUCH_UP:
            self._touches.discard(finger)
            return [e.Touched(e.ContactPhase.UP, finger)] if was_down else []
        place = _place(event)
        if place is None or not _hold(self._touches, finger, True):
            return []
        # A move of a finger that never came down: the datagram with its arrival is lost, the move takes its place.
        phase = e.ContactPhase.MOVE if was_down else e.ContactPhase.DOWN
        return [e.Touched(phase, finger, *place)]

    def _fine_scroll(self, event: InputEvent) -> list[e.InputEvent]:
        """Kind 16: 24.8 fixed point, in 120ths of a notch from wheels, in pixels (60 a notch) from everything else."""
        if event.code > 1:
            return []
        scale = 1 if event.flags & 0xFF in _WHEEL_SOURCES else 2
        total = self._scroll_rest[event.code] + _clamp(event.x, MAX_DELTA * _FINE_UNITS) * scale
        whole = int(total / _FINE_UNITS)
        self._scroll_rest[event.code] = total - whole * _FINE_UNITS
        return _scrolled(event.code, _clamp(whole)) if whole else []

    def _granted(self, grant: Grants) -> bool:
        if self._access.allows(grant):
            return True
        self.statistics.forbidden += 1
        return False

    def _count(self, events: list[e.InputEvent]) -> list[e.InputEvent]:
        self.statistics.events += len(events)
        return events


def _grant(kind: InputKind) -> Grants:
    if kind in _PADS:
        return Grants.GAMEPAD
    return Grants.KEYBOARD if kind in _KEYS else Grants.POINTER


def _hold(held: set[int], code: int, pressed: bool) -> bool:
    """Note a press or release; False for a press beyond ``MAX_HELD``."""
    if not pressed:
        held.discard(code)
    elif code not in held and len(held) >= MAX_HELD:
        return False
    else:
        held.add(code)
    return True


def _text(scalar: int) -> list[e.InputEvent]:
    printable = 0x20 <= scalar <= 0x10FFFF and not 0x7F <= scalar <= 0x9F and not 0xD800 <= scalar <= 0xDFFF
    return [e.TextTyped(chr(scalar))] if printable else []


def _place(event: InputEvent) -> tuple[float, float] | None:
    """A position on the client's reference surface as fractions; None for a surface without an area."""
    width, height = event.flags >> 16, event.flags & 0xFFFF
    if not width or not height:
        return None
    return min(max(event.x / width, 0.0), 1.0), min(max(event.y / height, 0.0), 1.0)


def _scrolled(axis: int, delta: int) -> list[e.InputEvent]:
    if axis > 1 or not delta:
        return []
    return [e.Scrolled(horizontal=delta)] if axis else [e.Scrolled(vertical=delta)]


def _clamp(value: int, limit: int = MAX_DELTA) -> int:
    return max(-limit, min(limit, value))
