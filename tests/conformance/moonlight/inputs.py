"""Input packets by kind, with the channel and delivery a stock client uses (gamestream.md §7)."""

import struct
from enum import IntEnum, IntFlag
from typing import NamedTuple

CHANNEL_KEYBOARD, CHANNEL_MOUSE, CHANNEL_PEN, CHANNEL_TOUCH, CHANNEL_TEXT = 2, 3, 4, 5, 6
CHANNEL_CONTROLLER, CHANNEL_MOTION = 0x10, 0x20
UNKNOWN_ROTATION = 0xFFFF
UNKNOWN_TILT = 0xFF


class InputPacket(NamedTuple):
    """``payload`` is the body of a control message of type 0x0206."""

    payload: bytes
    channel: int
    reliable: bool = True


class Modifier(IntFlag):
    NONE = 0
    SHIFT = 1
    CTRL = 2
    ALT = 4
    META = 8


class Touch(IntEnum):
    """Event types of touch, pen and controller touch."""

    HOVER = 0
    DOWN = 1
    UP = 2
    MOVE = 3
    CANCEL = 4
    BUTTON_ONLY = 5
    HOVER_LEAVE = 6
    CANCEL_ALL = 7


class Button(IntEnum):
    LEFT = 1
    MIDDLE = 2
    RIGHT = 3
    X1 = 4
    X2 = 5


class Pad(IntFlag):
    NONE = 0
    UP = 0x1
    DOWN = 0x2
    LEFT = 0x4
    RIGHT = 0x8
    START = 0x10
    BACK = 0x20
    LEFT_STICK = 0x40
    RIGHT_STICK = 0x80
    LEFT_SHOULDER = 0x100
    RIGHT_SHOULDER = 0x200
    GUIDE = 0x400
    A = 0x1000
    B = 0x2000
    X = 0x4000
    Y = 0x8000
    PADDLE1 = 0x10000
    PADDLE2 = 0x20000
    PADDLE3 = 0x40000
    PADDLE4 = 0x80000
    TOUCHPAD = 0x100000
    MISC = 0x200000


def _packet(magic: int, body: bytes, channel: int, reliable: bool = True) -> InputPacket:
    return InputPacket(struct.pack("!I", len(body) + 4) + struct.pack("<I", magic) + body, channel, reliable)


def enable_haptics() -> InputPacket:
    return _packet(0x0D, struct.pack("<H", 1), 0)


def key(virtual_key: int, down: bool, modifiers: int = 0, flags: int = 0) -> InputPacket:
    body = struct.pack("<BHBH", flags, 0x8000 | virtual_key, modifiers, 0)
    return _packet(0x03 if down else 0x04, body, CHANNEL_KEYBOARD)


def utf8_text(text: str) -> InputPacket:
    return _packet(0x17, text.encode(), CHANNEL_TEXT)


def mouse_move(dx: int, dy: int) -> InputPacket:
    return _packet(0x07, struct.pack("!hh", dx, dy), CHANNEL_MOUSE)


def mouse_position(x: int, y: int, width: int, height: int) -> InputPacket:
    """``width`` and ``height`` of the reference area; the packet carries them minus one."""
    return _packet(0x05, struct.pack("!hhhhh", x, y, 0, width - 1, height - 1), CHANNEL_MOUSE)


def mouse_button(button: int, down: bool) -> InputPacket:
    return _packet(0x08 if down else 0x09, struct.pack("B", button), CHANNEL_MOUSE)


def scroll(amount: int) -> InputPacket:
    return _packet(0x0A, struct.pack("!hhH", amount, amount, 0), CHANNEL_MOUSE)


def hscroll(amount: int) -> InputPacket:
    return _packet(0x55000001, struct.pack("!h", amount), CHANNEL_MOUSE)


def touch(
    event: int,
    pointer: int,
    x: float,
    y: float,
    pressure: float = 0.0,
    contact: tuple[float, float] = (0.0, 0.0),
    rotation: int = UNKNOWN_ROTATION,
) -> InputPacket:
    body = struct.pack("<BBHIfffff", event, 0, rotation, pointer, x, y, pressure, *contact)
    return _packet(0x55000002, body, CHANNEL_TOUCH, event not in (Touch.HOVER, Touch.MOVE))


def pen(
    event: int,
    x: float,
    y: float,
    pressure: float = 0.0,
    *,
    tool: int = 1,
    buttons: int = 0,
    rotation: int = UNKNOWN_ROTATION,
    tilt: int = UNKNOWN_TILT,
    contact: tuple[float, float] = (0.0, 0.0),
    buttons_changed: bool = False,
) -> InputPacket:
    body = struct.pack("<BBBBfffHBBff", event, tool, buttons, 0, x, y, pressure, rotation, tilt, 0, *contact)
    reliable = buttons_changed or event not in (Touch.HOVER, Touch.MOVE)
    return _packet(0x55000003, body, CHANNEL_PEN, reliable)


def controller_arrival(number: int, kind: int, capabilities: int, buttons: int) -> InputPacket:
    body = struct.pack("<BBHI", number, kind, capabilities, buttons)
    return _packet(0x55000004, body, CHANNEL_CONTROLLER + number)


def controller_state(
    number: int,
    active_mask: int,
    buttons: int = 0,
    left_trigger: int = 0,
    right_trigger: int = 0,
    left_stick: tuple[int, int] = (0, 0),
    right_stick: tuple[int, int] = (0, 0),
) -> InputPacket:
    body = struct.pack(
        "<HHHHHBBhhhhHHH",
        0x1A,
        number,
        active_mask,
        0x14,
        buttons & 0xFFFF,
        left_trigger,
        right_trigger,
        *left_stick,
        *right_stick,
        0x9C,
        buttons >> 16,
        0x55,
    )
    return _packet(0x0C, body, CHANNEL_CONTROLLER + number)


def controller_touch(
    number: int, event: int, pointer: int, x: float, y: float, pressure: float = 0.0, touchpad: int = 0
) -> InputPacket:
    body = struct.pack("<BBBBIfff", number, event, 0, touchpad, pointer, x, y, pressure)
    return _packet(0x55000005, body, CHANNEL_CONTROLLER + number, event not in (Touch.HOVER, Touch.MOVE))


def controller_motion(number: int, sensor: int, x: float, y: float, z: float) -> InputPacket:
    body = struct.pack("<BBHfff", number, sensor, 0, x, y, z)
    still_gyro = sensor == 2 and x == y == z == 0
    return _packet(0x55000006, body, CHANNEL_MOTION + number, still_gyro)


def controller_battery(number: int, state: int, percentage: int) -> InputPacket:
    return _packet(0x55000007, struct.pack("<BBBB", number, state, percentage, 0), CHANNEL_CONTROLLER + number)
