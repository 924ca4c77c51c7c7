"""Controllers of one client: which exist, and which of their datagrams are news (punktfunk1.md §7.3, §7.4)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from punktfunk.input import events as e
from punktfunk.input.gamepads.catalogue import substitutes
from punktfunk.wire.punktfunk1.enums import Gamepad
from punktfunk.wire.punktfunk1.input_event import MAX_PADS, InputEvent, InputKind, PadAxis, PadSnapshot
from punktfunk.wire.punktfunk1.rich_input import Motion, Touchpad, TouchpadEx

MAX_FINGERS = 2
"""Fingers that a pad's touch surface reports."""

_GYRO_UNITS_PER_DEGREE = 20
_ACCELERATION_UNITS_PER_G = 10_000
_STANDARD_GRAVITY = 9.80665

_ANALOG, _RUMBLE, _TRIGGER_RUMBLE, _TOUCHPAD, _ACCELEROMETER, _GYRO, _BATTERY, _RGB, _DUAL = (1 << i for i in range(9))
_MOTION = _ACCELEROMETER | _GYRO
_SONY = _ANALOG | _RUMBLE | _TOUCHPAD | _MOTION | _BATTERY | _RGB
_STEAM = _ANALOG | _RUMBLE | _TOUCHPAD | _MOTION | _BATTERY | _DUAL

_KINDS: dict[Gamepad, tuple[e.PadKind, int]] = {
    Gamepad.AUTO: (e.PadKind.AUTO, _ANALOG | _RUMBLE),
    Gamepad.XBOX_360: (e.PadKind.XBOX_360, _ANALOG | _RUMBLE),
    Gamepad.DUALSENSE: (e.PadKind.DUALSENSE, _SONY),
    Gamepad.XBOX_ONE: (e.PadKind.XBOX_ONE, _ANALOG | _RUMBLE | _TRIGGER_RUMBLE),
    Gamepad.DUALSHOCK_4: (e.PadKind.DUALSHOCK_4, _SONY),
    Gamepad.STEAM_CONTROLLER: (e.PadKind.STEAM_CONTROLLER, _STEAM),
    Gamepad.STEAM_DECK: (e.PadKind.STEAM_DECK, _STEAM),
    Gamepad.DUALSENSE_EDGE: (e.PadKind.DUALSENSE_EDGE, _SONY),
    Gamepad.SWITCH_PRO: (e.PadKind.SWITCH_PRO, _RUMBLE | _MOTION | _BATTERY),
    Gamepad.STEAM_CONTROLLER_2: (e.PadKind.STEAM_CONTROLLER_2, _STEAM),
    Gamepad.STEAM_CONTROLLER_2_PUCK: (e.PadKind.STEAM_CONTROLLER_2_PUCK, _STEAM),
    Gamepad.XBOX_ELITE: (e.PadKind.XBOX_ELITE, _ANALOG | _RUMBLE | _TRIGGER_RUMBLE),
}


def nearest(wish: Gamepad, available: Collection[Gamepad]) -> Gamepad:
    """What the host makes of a wish: the kind itself, the next best that can be had, or an Xbox 360 pad."""
    if wish is Gamepad.AUTO:
        return Gamepad.XBOX_360
    wire = {neutral: gamepad for gamepad, (neutral, _) in _KINDS.items()}
    made = (wire[kind] for kind in substitutes(_KINDS[wish][0]))
    return next((gamepad for gamepad in made if gamepad in available), Gamepad.XBOX_360)


def wire_kind(kind: e.PadKind) -> Gamepad:
    """The protocol's name of a kind."""
    return next(gamepad for gamepad, (neutral, _) in _KINDS.items() if neutral is kind)


_AT_REST = PadSnapshot(0, 0, 0)


@dataclass(slots=True)
class _Pad:
    """What is known of one index. ``last_seq`` outlives removal: a straggler must not bring the pad back."""

    present: bool = False
    last_seq: int | None = None
    state: PadSnapshot = _AT_REST


class Pads:
    """Decodes one client's controllers. ``default`` is the session's kind, for pads that never say what they are."""

    def __init__(self, default: Gamepad = Gamepad.AUTO) -> None:
        self._default = default
        self._pads: dict[int, _Pad] = {}
        self._fingers: set[tuple[int, int, int]] = set()

    def decode(self, event: InputEvent) -> list[e.InputEvent]:
        """Kinds 7, 8, 12, 13 and 14; nothing for a pad number or axis that does not exist, or for old news."""
        match event.kind:
            case InputKind.GAMEPAD_STATE:
                return self._snapshot(PadSnapshot.of(event))
            case InputKind.GAMEPAD_REMOVE:
                return self._remove(event.flags & 0xFF, event.flags >> 24)
            case InputKind.GAMEPAD_ARRIVAL:
                return self._arrive(event.flags & 0xFF, Gamepad(event.code & 0xFF))
            case InputKind.GAMEPAD_BUTTON | InputKind.GAMEPAD_AXIS:
                return self._edge(event)
        return []

    def touchpad(self, touch: Touchpad) -> list[e.InputEvent]:
        """A finger on the only touch surface."""
        x, y = touch.x / 0xFFFF, touch.y / 0xFFFF
        return self._touched(touch.pad, 0, touch.finger, touch.active, x, y)

    def touchpad_ex(self, touch: TouchpadEx) -> list[e.InputEvent]:
        """A finger on one of several touch surfaces."""
        surface = 1 if touch.surface == 2 else 0
        x, y = (touch.x + 32768) / 0xFFFF, (touch.y + 32768) / 0xFFFF
        pressure = touch.pressure / 0xFFFF
        return self._touched(touch.pad, surface, touch.finger, touch.touching, x, y, pressure, clicked=touch.clicked)

    def motion(self, motion: Motion) -> list[e.InputEvent]:
        """Gyroscope and accelerometer."""
        if motion.pad >= MAX_PADS:
            return []
        pitch, yaw, roll = (value / _GYRO_UNITS_PER_DEGREE for value in motion.gyro)
        x, y, z = (value / _ACCELERATION_UNITS_PER_G * _STANDARD_GRAVITY for value in motion.acceleration)
        return [*self._appear(motion.pad), e.PadMotion(motion.pad, (pitch, yaw, roll), (x, y, z))]

    def release_all(self) -> list[e.InputEvent]:
        """Unplug every pad."""
        present = [index for index, pad in self._pads.items() if pad.present]
        for index in present:
            self._pads[index].present = False
        self._fingers.clear()
        return [e.PadRemoved(index) for index in present]

    @property
    def in_use(self) -> bool:
        """Whether a button, stick or trigger of a pad is away from rest."""
        return any(pad.present and _in_use(pad.state) for pad in self._pads.values())

    def let_go(self) -> list[e.InputEvent]:
        """Bring every pad to rest; each stays plugged in, and the client's next snapshot says how it really is."""
        moved = [index for index, pad in self._pads.items() if pad.present and _in_use(pad.state)]
        for index in moved:
            self._pads[index].state = PadSnapshot(index, 0, 0)
        return [_state(self._pads[index].state) for index in moved]

    def _snapshot(self, snapshot: PadSnapshot) -> list[e.InputEvent]:
        pad = self._newer(snapshot.pad, snapshot.seq)
        if pad is None:
            return []
        arrived = self._appear(snapshot.pad)
        pad.state = snapshot
        return [*arrived, _state(snapshot)]

    def _remove(self, index: int, seq: int) -> list[e.InputEvent]:
        pad = self._newer(index, seq)
        if pad is None or not pad.present:
            return []
        pad.present = False
        self._fingers = {finger for finger in self._fingers if finger[0] != index}
        return [e.PadRemoved(index)]

    def _arrive(self, index: int, kind: Gamepad) -> list[e.InputEvent]:
        return self._appear(index, kind)

    def _edge(self, event: InputEvent) -> list[e.InputEvent]:
        index = event.flags & 0xFF
        arrived = self._appear(index)
        pad = self._pads.get(index)
        if pad is None:
            return []
        state = _with_edge(pad.state, event)
        if state is None:
            return arrived
        pad.state = state
        return [*arrived, _state(state)]

    def _newer(self, index: int, seq: int) -> _Pad | None:
        """The pad of a sequenced event, if the event is newer than all before."""
        if index >= MAX_PADS:
            return None
        pad = self._pads.setdefault(index, _Pad())
        if pad.last_seq is not None and not 0 < (seq - pad.last_seq) % 256 < 128:
            return None
        pad.last_seq = seq
        return pad

    def _appear(self, index: int, kind: Gamepad | None = None) -> list[e.InputEvent]:
        """The arrival, if the pad was not there."""
        if index >= MAX_PADS:
            return []
        pad = self._pads.setdefault(index, _Pad())
        if pad.present:
            return []
        pad.present, pad.state = True, PadSnapshot(index, 0, 0)
        neutral, capabilities = _KINDS[kind or self._default]
        return [e.PadArrived(index, neutral, capabilities)]

    def _touched(
        self,
        pad: int,
        surface: int,
        finger: int,
        touching: bool,
        x: float,
        y: float,
        pressure: float = 0.0,
        *,
        clicked: bool = False,
    ) -> list[e.InputEvent]:
        if pad >= MAX_PADS or finger >= MAX_FINGERS:
            return []
        key = (pad, surface, finger)
        was_down = key in self._fingers
        if touching:
            phase = e.ContactPhase.MOVE if was_down else e.ContactPhase.DOWN
            self._fingers.add(key)
        elif was_down:
            phase = e.ContactPhase.UP
            self._fingers.discard(key)
        elif clicked:
            phase = e.ContactPhase.BUTTONS
        else:
            return []
        touched = e.PadTouched(pad, surface, phase, finger, x, y, pressure, clicked)
        return [*self._appear(pad), touched]


def _in_use(s: PadSnapshot) -> bool:
    return any((s.buttons, s.left_trigger, s.right_trigger, s.left_x, s.left_y, s.right_x, s.right_y))


def _state(s: PadSnapshot) -> e.PadState:
    return e.PadState(s.pad, s.buttons, s.left_trigger, s.right_trigger, s.left_x, s.left_y, s.right_x, s.right_y)


def _with_edge(state: PadSnapshot, event: InputEvent) -> PadSnapshot | None:
    """The state after one button or axis event; None for an axis that does not exist."""
    values = {name: getattr(state, name) for name in PadSnapshot.__slots__}
    if event.kind is InputKind.GAMEPAD_BUTTON:
        values["buttons"] = state.buttons | event.code if event.x else state.buttons & ~event.code
        return PadSnapshot(**values)
    try:
        axis = PadAxis(event.code)
    except ValueError:
        return None
    low, high = (0, 255) if axis in (PadAxis.LEFT_TRIGGER, PadAxis.RIGHT_TRIGGER) else (-32768, 32767)
    values[axis.name.lower()] = max(low, min(high, event.x))
    return PadSnapshot(**values)
