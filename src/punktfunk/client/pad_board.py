"""Controllers of one client: sequence numbers, repeats, the old form for old hosts (punktfunk1.md §7.3). Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass, fields

from punktfunk.wire.punktfunk1.enums import Gamepad
from punktfunk.wire.punktfunk1.input_event import MAX_PADS, InputEvent, InputKind, PadAxis, PadSnapshot

REFRESH_S = 0.1
REPEATS = 2
"""How often arrival and removal are sent again."""

_AXES = {
    "left_x": PadAxis.LEFT_X,
    "left_y": PadAxis.LEFT_Y,
    "right_x": PadAxis.RIGHT_X,
    "right_y": PadAxis.RIGHT_Y,
    "left_trigger": PadAxis.LEFT_TRIGGER,
    "right_trigger": PadAxis.RIGHT_TRIGGER,
}
_BUTTONS = tuple(1 << bit for bit in range(22))


@dataclass(frozen=True, slots=True)
class PadState:
    """Buttons as the bit set of §7.3, sticks -32768..32767 with up positive, triggers 0..255."""

    buttons: int = 0
    left_x: int = 0
    left_y: int = 0
    right_x: int = 0
    right_y: int = 0
    left_trigger: int = 0
    right_trigger: int = 0


@dataclass(slots=True)
class _Repeat:
    event: InputEvent
    left: int
    due: float


class PadBoard:
    """Up to ``MAX_PADS`` controllers. ``snapshots``: the host takes whole states, removals and arrivals."""

    def __init__(self, *, snapshots: bool) -> None:
        self._snapshots = snapshots
        self._states: dict[int, PadState] = {}
        self._seqs: dict[int, int] = {}
        self._refresh_at: dict[int, float] = {}
        self._repeats: dict[tuple[int, InputKind], _Repeat] = {}

    def arrive(self, pad: int, kind: Gamepad, now: float, *, haptics: bool, speaker: bool) -> list[InputEvent]:
        """A controller appeared; what to send."""
        _check(pad)
        if not self._snapshots:
            return []
        self._repeats.pop((pad, InputKind.GAMEPAD_REMOVE), None)
        event = InputEvent(InputKind.GAMEPAD_ARRIVAL, kind, flags=pad | haptics << 8 | speaker << 9)
        self._repeats[pad, InputKind.GAMEPAD_ARRIVAL] = _Repeat(event, REPEATS, now + REFRESH_S)
        return [event]

    def change(self, pad: int, state: PadState, now: float) -> list[InputEvent]:
        """A controller's state; what to send."""
        _check(pad)
        before = self._states.get(pad, PadState())
        self._states[pad] = state
        if not self._snapshots:
            return _differences(pad, before, state)
        self._repeats.pop((pad, InputKind.GAMEPAD_REMOVE), None)
        return [self._snapshot(pad, now)]

    def remove(self, pad: int, now: float) -> list[InputEvent]:
        """A controller went away; what to send."""
        _check(pad)
        before = self._states.pop(pad, PadState())
        self._refresh_at.pop(pad, None)
        self._repeats.pop((pad, InputKind.GAMEPAD_ARRIVAL), None)
        if not self._snapshots:
            return _differences(pad, before, PadState())
        event = InputEvent(InputKind.GAMEPAD_REMOVE, flags=self._next_seq(pad) << 24 | pad)
        self._repeats[pad, InputKind.GAMEPAD_REMOVE] = _Repeat(event, REPEATS, now + REFRESH_S)
        return [event]

    def poll(self, now: float) -> list[InputEvent]:
        """Repeats that are due."""
        events: list[InputEvent] = []
        for key, repeat in list(self._repeats.items()):
            if now >= repeat.due:
                events.append(repeat.event)
                repeat.left, repeat.due = repeat.left - 1, now + REFRESH_S
                if not repeat.left:
                    del self._repeats[key]
        events += [self._snapshot(pad, now) for pad, due in list(self._refresh_at.items()) if now >= due]
        return events

    def next_deadline(self) -> float | None:
        """When ``poll`` has something to do."""
        due = [repeat.due for repeat in self._repeats.values()] + list(self._refresh_at.values())
        return min(due, default=None)

    def _snapshot(self, pad: int, now: float) -> InputEvent:
        self._refresh_at[pad] = now + REFRESH_S
        s = self._states[pad]
        values = {field.name: getattr(s, field.name) for field in fields(s)}
        return PadSnapshot(pad=pad, seq=self._next_seq(pad), **values).event()

    def _next_seq(self, pad: int) -> int:
        # It goes on through removal and return: the host compares with the last one it saw.
        seq = self._seqs[pad] = (self._seqs.get(pad, -1) + 1) & 0xFF
        return seq


def _check(pad: int) -> None:
    if not 0 <= pad < MAX_PADS:
        raise ValueError(f"pad {pad} is outside 0..{MAX_PADS - 1}")


def _differences(pad: int, before: PadState, after: PadState) -> list[InputEvent]:
    changed = before.buttons ^ after.buttons
    events = [
        InputEvent(InputKind.GAMEPAD_BUTTON, bit, int(bool(after.buttons & bit)), flags=pad)
        for bit in _BUTTONS
        if changed & bit
    ]
    for name, axis in _AXES.items():
        if getattr(before, name) != getattr(after, name):
            events.append(InputEvent(InputKind.GAMEPAD_AXIS, axis, getattr(after, name), flags=pad))
    return events
