"""Input packets of a client to neutral events (gamestream.md §7)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

from punktfunk.gamestream.controllers import (
    CAPABILITIES_WITHOUT_ARRIVAL,
    MAX_CONTROLLERS,
    SUPPORTED_BUTTONS_WITHOUT_ARRIVAL,
    pad_kind,
)
from punktfunk.input.events import (
    ButtonChanged,
    ContactPhase,
    InputEvent,
    KeyChanged,
    PadArrived,
    PadBattery,
    PadKind,
    PadMotion,
    PadRemoved,
    PadState,
    PadTouched,
    PenMoved,
    PenTool,
    PointerMoved,
    PointerPlaced,
    Scrolled,
    TextTyped,
    Touched,
)
from punktfunk.input.keymap import VIRTUAL_KEY_TO_EVDEV

MAX_TEXT_BYTES = 32
MAX_ROTATION_RATE = 4_000.0
"""Degrees per second; twice what controllers can measure."""
MAX_ACCELERATION = 320.0
"""Metres per second squared; twice what controllers can measure."""

_HEADER = struct.Struct(">I")
_MAGIC = struct.Struct("<I")
_BODY_OFFSET = _HEADER.size + _MAGIC.size

_KEY = struct.Struct("<BhB2x")
_RELATIVE = struct.Struct(">hh")
_ABSOLUTE = struct.Struct(">hh2xhh")
_BUTTON = struct.Struct("B")
_VERTICAL_SCROLL = struct.Struct(">h4x")
_HORIZONTAL_SCROLL = struct.Struct(">h")
_NOT_NORMALISED = 0x01
_HAPTICS = struct.Struct("<2x")
_TOUCH = struct.Struct("<BxHIfffff")
_PEN = struct.Struct("<BBBxfffHBxff")
_PAD_STATE = struct.Struct("<2xHH2xHBBhhhh2xH2x")
_PAD_ARRIVAL = struct.Struct("<BBHI")
_PAD_TOUCH = struct.Struct("<BBxBIfff")
_PAD_MOTION = struct.Struct("<BB2xfff")
_PAD_BATTERY = struct.Struct("<BBB1x")

_BUTTON_CODES = {1: 0x110, 2: 0x112, 3: 0x111, 4: 0x113, 5: 0x114}
_PHASES = (
    ContactPhase.HOVER,
    ContactPhase.DOWN,
    ContactPhase.UP,
    ContactPhase.MOVE,
    ContactPhase.CANCEL,
    ContactPhase.BUTTONS,
    ContactPhase.LEAVE,
    ContactPhase.CANCEL_ALL,
)
_POSITIONLESS = (ContactPhase.CANCEL, ContactPhase.CANCEL_ALL)
_HOVERING = (ContactPhase.HOVER, ContactPhase.LEAVE)
_PEN_TOOLS = {1: PenTool.PEN, 2: PenTool.ERASER}
_PEN_BUTTONS = 0x07
_UNKNOWN_ROTATION = 0xFFFF
_UNKNOWN_BYTE = 0xFF
_ACCELEROMETER, _GYROSCOPE = 1, 2
_MAX_BATTERY_STATE = 5


class InputError(Exception):
    """An input packet that is not what its kind says; the text names the field."""


class InputDecoder:
    """Decodes the input packets of one session, and knows which of its 16 controllers are plugged in.

    A controller arrives with its arrival packet, or with the first state of a client too old to send one; it is gone
    when a state's mask lacks its own number (gamestream.md §7.6). Packets about a controller that is not there mean
    nothing: its channels are not ordered among each other.
    """

    def __init__(self) -> None:
        self._pads: dict[int, PadArrived] = {}

    def decode(self, payload: bytes) -> tuple[InputEvent, ...]:
        """The events of one packet, possibly none. Raises :class:`InputError`; nothing of a bad packet counts."""
        if len(payload) < _BODY_OFFSET or _HEADER.unpack_from(payload)[0] != len(payload) - _HEADER.size:
            raise InputError(f"size field: does not match a packet of {len(payload)} bytes")
        (magic,) = _MAGIC.unpack_from(payload, _HEADER.size)
        body = payload[_BODY_OFFSET:]
        if (decode := _STATELESS.get(magic)) is not None:
            return decode(body)
        if (decode_pad := _PAD_PACKETS.get(magic)) is not None:
            return decode_pad(self, body)
        raise InputError(f"magic: 0x{magic:08x} is no kind of input packet")

    def arrival(self, pad: int) -> PadArrived | None:
        """What is known of a plugged-in controller, None for one that is not there."""
        return self._pads.get(pad)

    def _pad_arrived(self, body: bytes) -> tuple[InputEvent, ...]:
        pad, kind, capabilities, buttons = _unpack("controller arrival", _PAD_ARRIVAL, body)
        _check_pad(pad)
        if pad in self._pads:
            return ()
        arrived = PadArrived(pad, pad_kind(kind, capabilities, buttons), capabilities, buttons)
        self._pads[pad] = arrived
        return (arrived,)

    def _pad_state(self, body: bytes) -> tuple[InputEvent, ...]:
        pad, mask, buttons, left_trigger, right_trigger, left_x, left_y, right_x, right_y, high = _unpack(
            "controller state", _PAD_STATE, body
        )
        _check_pad(pad)
        if not mask >> pad & 1:
            return (PadRemoved(pad),) if self._pads.pop(pad, None) else ()
        state = PadState(pad, high << 16 | buttons, left_trigger, right_trigger, left_x, left_y, right_x, right_y)
        if pad in self._pads:
            return (state,)
        arrived = PadArrived(pad, PadKind.AUTO, CAPABILITIES_WITHOUT_ARRIVAL, SUPPORTED_BUTTONS_WITHOUT_ARRIVAL)
        self._pads[pad] = arrived
        return (arrived, state)

    def _pad_touched(self, body: bytes) -> tuple[InputEvent, ...]:
        pad, event, surface, pointer_id, x, y, pressure = _unpack("controller touch", _PAD_TOUCH, body)
        phase = _phase(event, "controller touch event type")
        if surface > 1:
            raise InputError(f"controller touch touchpad: {surface} is not 0 or 1")
        if pad not in self._pads:
            return ()
        if phase in _POSITIONLESS:
            return (PadTouched(pad, surface, phase, pointer_id),)
        return (
            PadTouched(
                pad,
                surface,
                phase,
                pointer_id,
                x=_fraction("controller touch x", x),
                y=_fraction("controller touch y", y),
                pressure=_fraction("controller touch pressure", pressure),
            ),
        )

    def _pad_moved(self, body: bytes) -> tuple[InputEvent, ...]:
        pad, sensor, x, y, z = _unpack("controller motion", _PAD_MOTION, body)
        if sensor not in (_ACCELEROMETER, _GYROSCOPE):
            raise InputError(f"controller motion sensor: {sensor} is not 1 or 2")
        if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(z)):
            raise InputError("controller motion axes: not a number")
        if pad not in self._pads:
            return ()
        limit = MAX_ROTATION_RATE if sensor == _GYROSCOPE else MAX_ACCELERATION
        axes = (_clamp(x, -limit, limit), _clamp(y, -limit, limit), _clamp(z, -limit, limit))
        return (PadMotion(pad, gyro=axes) if sensor == _GYROSCOPE else PadMotion(pad, acceleration=axes),)

    def _pad_battery(self, body: bytes) -> tuple[InputEvent, ...]:
        pad, state, percent = _unpack("controller battery", _PAD_BATTERY, body)
        if state > _MAX_BATTERY_STATE:
            raise InputError(f"controller battery state: {state} is more than {_MAX_BATTERY_STATE}")
        if pad not in self._pads:
            return ()
        return (PadBattery(pad, state, None if percent == _UNKNOWN_BYTE else min(percent, 100)),)


def _key(body: bytes, *, pressed: bool) -> tuple[InputEvent, ...]:
    flags, code, modifiers = _unpack("key", _KEY, body)
    evdev = VIRTUAL_KEY_TO_EVDEV.get(code & 0xFF)
    by_meaning = bool(flags & _NOT_NORMALISED)
    return () if evdev is None else (KeyChanged(evdev, pressed, modifiers & 0x0F, by_meaning),)


def _text(body: bytes) -> tuple[InputEvent, ...]:
    if not 0 < len(body) <= MAX_TEXT_BYTES:
        raise InputError(f"text: {len(body)} bytes instead of 1 to {MAX_TEXT_BYTES}")
    try:
        return (TextTyped(body.decode()),)
    except UnicodeDecodeError:
        raise InputError("text: not UTF-8") from None


def _relative_mouse(body: bytes) -> tuple[InputEvent, ...]:
    return (PointerMoved(*_unpack("relative mouse", _RELATIVE, body)),)


def _absolute_mouse(body: bytes) -> tuple[InputEvent, ...]:
    x, y, width, height = _unpack("absolute mouse", _ABSOLUTE, body)
    if width <= 0 or height <= 0:
        raise InputError(f"absolute mouse reference: {width} x {height} is no size")
    return (PointerPlaced(_clamp(x / width, 0.0, 1.0), _clamp(y / height, 0.0, 1.0)),)


def _button(body: bytes, *, pressed: bool) -> tuple[InputEvent, ...]:
    (button,) = _unpack("mouse button", _BUTTON, body)
    code = _BUTTON_CODES.get(button)
    if code is None:
        raise InputError(f"mouse button: {button} is not 1 to 5")
    return (ButtonChanged(code, pressed),)


def _vertical_scroll(body: bytes) -> tuple[InputEvent, ...]:
    (amount,) = _unpack("vertical scroll", _VERTICAL_SCROLL, body)
    return (Scrolled(vertical=amount),)


def _horizontal_scroll(body: bytes) -> tuple[InputEvent, ...]:
    (amount,) = _unpack("horizontal scroll", _HORIZONTAL_SCROLL, body)
    return (Scrolled(horizontal=amount),)


def _haptics(body: bytes) -> tuple[InputEvent, ...]:
    _unpack("enable haptics", _HAPTICS, body)
    return ()


def _touch(body: bytes) -> tuple[InputEvent, ...]:
    event, rotation, pointer_id, x, y, pressure, major, minor = _unpack("touch", _TOUCH, body)
    phase = _phase(event, "touch event type")
    if phase in _POSITIONLESS:
        return (Touched(phase, pointer_id),)
    return (
        Touched(
            phase,
            pointer_id,
            x=_fraction("touch x", x),
            y=_fraction("touch y", y),
            pressure=_fraction("touch pressure", pressure),
            major=_fraction("touch major axis", major),
            minor=_fraction("touch minor axis", minor),
            rotation=_rotation(rotation),
        ),
    )


def _pen(body: bytes) -> tuple[InputEvent, ...]:
    event, tool, buttons, x, y, pressure, rotation, tilt, _major, _minor = _unpack("pen", _PEN, body)
    phase = _phase(event, "pen event type", with_buttons=True)
    kind = _PEN_TOOLS.get(tool, PenTool.UNKNOWN)
    if phase in _POSITIONLESS:
        return (PenMoved(phase, kind, 0.0, 0.0),)
    force = _fraction("pen pressure", pressure)
    hovers = phase in _HOVERING
    return (
        PenMoved(
            phase,
            kind,
            x=_fraction("pen x", x),
            y=_fraction("pen y", y),
            pressure=0.0 if hovers else force,
            distance=force if hovers else 0.0,
            tilt=None if tilt == _UNKNOWN_BYTE else min(tilt, 90),
            rotation=_rotation(rotation),
            buttons=buttons & _PEN_BUTTONS,
        ),
    )


_STATELESS: dict[int, Callable[[bytes], tuple[InputEvent, ...]]] = {
    0x00000003: lambda body: _key(body, pressed=True),
    0x00000004: lambda body: _key(body, pressed=False),
    0x00000005: _absolute_mouse,
    0x00000007: _relative_mouse,
    0x00000008: lambda body: _button(body, pressed=True),
    0x00000009: lambda body: _button(body, pressed=False),
    0x0000000A: _vertical_scroll,
    0x0000000D: _haptics,
    0x00000017: _text,
    0x55000001: _horizontal_scroll,
    0x55000002: _touch,
    0x55000003: _pen,
}
_PAD_PACKETS: dict[int, Callable[[InputDecoder, bytes], tuple[InputEvent, ...]]] = {
    0x0000000C: InputDecoder._pad_state,
    0x55000004: InputDecoder._pad_arrived,
    0x55000005: InputDecoder._pad_touched,
    0x55000006: InputDecoder._pad_moved,
    0x55000007: InputDecoder._pad_battery,
}


def _unpack(name: str, fields: struct.Struct, body: bytes) -> tuple[Any, ...]:
    if len(body) != fields.size:
        raise InputError(f"{name}: {len(body)} bytes instead of {fields.size}")
    return fields.unpack(body)


def _check_pad(pad: int) -> None:
    if pad >= MAX_CONTROLLERS:
        raise InputError(f"controller number: {pad} is not below {MAX_CONTROLLERS}")


def _phase(event: int, name: str, *, with_buttons: bool = False) -> ContactPhase:
    if event >= len(_PHASES) or (_PHASES[event] is ContactPhase.BUTTONS and not with_buttons):
        raise InputError(f"{name}: {event} is none")
    return _PHASES[event]


def _fraction(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise InputError(f"{name}: not a number")
    return _clamp(value, 0.0, 1.0)


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _rotation(degrees: int) -> int | None:
    return None if degrees == _UNKNOWN_ROTATION else min(degrees, 360)
