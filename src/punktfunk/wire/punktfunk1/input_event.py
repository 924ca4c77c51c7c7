"""Input events: datagram 0xC8, 18 bytes (punktfunk1.md §7.1, §7.3)."""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from punktfunk.wire.punktfunk1.errors import MalformedError

TAG_INPUT = 0xC8
MAX_PADS = 16

_EVENT = struct.Struct("<BBIiiI")
INPUT_EVENT_BYTES = _EVENT.size


class InputKind(enum.IntEnum):
    """What an event says; see §7.1 for the meaning of its four numbers."""

    KEY_DOWN = 0
    KEY_UP = 1
    MOUSE_MOVE = 2
    MOUSE_MOVE_ABS = 3
    MOUSE_BUTTON_DOWN = 4
    MOUSE_BUTTON_UP = 5
    MOUSE_SCROLL = 6
    GAMEPAD_BUTTON = 7
    GAMEPAD_AXIS = 8
    TOUCH_DOWN = 9
    TOUCH_MOVE = 10
    TOUCH_UP = 11
    GAMEPAD_STATE = 12
    GAMEPAD_REMOVE = 13
    GAMEPAD_ARRIVAL = 14
    TEXT_INPUT = 15
    SCROLL = 16


_KINDS = {kind.value: kind for kind in InputKind}


class PadAxis(enum.IntEnum):
    """Axis numbers of GAMEPAD_AXIS; sticks are positive upward, triggers 0..255."""

    LEFT_X = 0
    LEFT_Y = 1
    RIGHT_X = 2
    RIGHT_Y = 3
    LEFT_TRIGGER = 4
    RIGHT_TRIGGER = 5


@dataclass(frozen=True, slots=True)
class InputEvent:
    """One event; ``kind`` None = a kind that nobody here knows, to be dropped."""

    kind: InputKind | None
    code: int = 0
    x: int = 0
    y: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class PadSnapshot:
    """Whole state of one pad, with the wrapping per-pad sequence number that it shares with removals."""

    pad: int
    seq: int
    buttons: int
    left_x: int = 0
    left_y: int = 0
    right_x: int = 0
    right_y: int = 0
    left_trigger: int = 0
    right_trigger: int = 0

    @classmethod
    def of(cls, event: InputEvent) -> PadSnapshot:
        """From a GAMEPAD_STATE event."""
        left_x, left_y = _halves(event.x)
        right_x, right_y = _halves(event.y)
        flags = event.flags
        return cls(
            *(flags & 0xFF, flags >> 24, event.code, left_x, left_y, right_x, right_y),
            *(flags >> 16 & 0xFF, flags >> 8 & 0xFF),
        )

    def event(self) -> InputEvent:
        """As a GAMEPAD_STATE event."""
        flags = self.seq << 24 | self.left_trigger << 16 | self.right_trigger << 8 | self.pad
        x, y = _joined(self.left_x, self.left_y), _joined(self.right_x, self.right_y)
        return InputEvent(InputKind.GAMEPAD_STATE, self.buttons, x, y, flags)


def decode_input(data: bytes) -> InputEvent:
    """One event; longer datagrams are accepted, their tail is ignored."""
    if len(data) < INPUT_EVENT_BYTES:
        raise MalformedError("input", f"{len(data)} bytes, {INPUT_EVENT_BYTES} needed")
    tag, kind, code, x, y, flags = _EVENT.unpack_from(data)
    if tag != TAG_INPUT:
        raise MalformedError("input.tag", f"0x{tag:02x} instead of 0xC8")
    return InputEvent(_KINDS.get(kind), code, x, y, flags)


def encode_input(event: InputEvent) -> bytes:
    """The 18 bytes of a known kind."""
    if event.kind is None:
        raise MalformedError("input.kind", "unknown")
    return _EVENT.pack(TAG_INPUT, event.kind, event.code, event.x, event.y, event.flags)


def _halves(word: int) -> tuple[int, int]:
    low = word & 0xFFFF
    return word >> 16, low - 0x10000 if low & 0x8000 else low


def _joined(high: int, low: int) -> int:
    return high << 16 | (low & 0xFFFF)
