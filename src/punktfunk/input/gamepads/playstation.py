"""What DualShock 4 and DualSense share: sticks, direction pad, touch points and motion scales."""

from __future__ import annotations

import struct

from punktfunk.input.gamepads.hid_model import clamp_s16
from punktfunk.input.gamepads.inputs import GRAVITY_MPS2, Button, Contact, PadInputs, on_one_touchpad

SONY = 0x054C
HID_VERSION = 0x0111
TOUCH_WIDTH = 1920
NO_TOUCH = b"\x80\0\0\0"
GYRO_UNITS_PER_DPS = 16
ACCELERATION_UNITS_PER_G = 8192
_UNITS_PER_MPS2 = ACCELERATION_UNITS_PER_G / GRAVITY_MPS2
_GYRO_REFERENCE_DPS = 1000
_DIRECTIONS = {
    (0, 1): 0,
    (1, 1): 1,
    (1, 0): 2,
    (1, -1): 3,
    (0, -1): 4,
    (-1, -1): 5,
    (-1, 0): 6,
    (-1, 1): 7,
}
HAT_CENTRE = 8


def sticks(inputs: PadInputs) -> bytes:
    """Four bytes, 0 left or up, 128 in the middle."""
    left = ((inputs.left_x + 32768) >> 8, min((32768 - inputs.left_y) >> 8, 255))
    right = ((inputs.right_x + 32768) >> 8, min((32768 - inputs.right_y) >> 8, 255))
    return bytes(left + right)


def hat_value(buttons: int) -> int:
    """The direction pad as eight directions; opposite directions cancel."""
    right = (buttons & Button.RIGHT != 0) - (buttons & Button.LEFT != 0)
    up = (buttons & Button.UP != 0) - (buttons & Button.DOWN != 0)
    return _DIRECTIONS.get((right, up), HAT_CENTRE)


def button_bytes(inputs: PadInputs) -> tuple[int, int, int]:
    """The three button bytes; triggers count as pressed from their first step."""
    b = inputs.buttons
    first = hat_value(b) | (b & Button.X != 0) << 4 | (b & Button.A != 0) << 5
    first |= (b & Button.B != 0) << 6 | (b & Button.Y != 0) << 7
    second = (b & Button.LEFT_SHOULDER != 0) | (b & Button.RIGHT_SHOULDER != 0) << 1
    second |= (inputs.left_trigger > 0) << 2 | (inputs.right_trigger > 0) << 3
    second |= (b & Button.BACK != 0) << 4 | (b & Button.START != 0) << 5
    second |= (b & Button.LEFT_STICK != 0) << 6 | (b & Button.RIGHT_STICK != 0) << 7
    clicked = b & Button.TOUCHPAD != 0 or inputs.clicked_surfaces != 0
    return first, second, (b & Button.GUIDE != 0) | clicked << 1


def motion(inputs: PadInputs) -> tuple[int, ...]:
    """Gyroscope and accelerometer in the units of `calibration`."""
    turn = (clamp_s16(value * GYRO_UNITS_PER_DPS) for value in inputs.gyro)
    pull = (clamp_s16(value * _UNITS_PER_MPS2) for value in inputs.acceleration)
    return (*turn, *pull)


def touch_point(contact: Contact | None, height: int, dual: bool) -> bytes:
    """Four bytes: the contact's number with the top bit when nothing touches, then 12 bits each of x and y."""
    if contact is None:
        return NO_TOUCH
    across, down = on_one_touchpad(contact, dual)
    x, y = min(int(across * TOUCH_WIDTH), TOUCH_WIDTH - 1), min(int(down * height), height - 1)
    return bytes((contact.contact_id, x & 0xFF, x >> 8 | (y & 0xF) << 4, y >> 4))


def calibration(report_id: int, size: int) -> bytes:
    """The feature report that makes one unit exactly 1/16 °/s and 1/8192 g, without any bias."""
    gyro = _GYRO_REFERENCE_DPS * GYRO_UNITS_PER_DPS
    accel = ACCELERATION_UNITS_PER_G
    biases = (0, 0, 0)
    ranges = (gyro, -gyro) * 3
    speeds = (_GYRO_REFERENCE_DPS, _GYRO_REFERENCE_DPS)
    packed = struct.pack("<17h", *biases, *ranges, *speeds, *(accel, -accel) * 3)
    return (bytes([report_id]) + packed).ljust(size, b"\0")


def pairing(report_id: int, address: bytes, size: int) -> bytes:
    """The feature report with the pad's own address (lowest byte first) and no paired console."""
    return (bytes([report_id]) + address[::-1] + b"\x08\x25\x00").ljust(size, b"\0")
