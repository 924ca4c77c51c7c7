"""The Steam Deck's own controller; the kernel binds hid-steam.

In lizard mode hid-steam shows games nothing until a person holds the menu button. This pad does it for the player as
often as it is told that lizard mode is on (hid-steam's parameter ``lizard_mode=0`` spares the half second).
"""

from __future__ import annotations

import struct

from punktfunk.input.gamepads import hid_descriptor as hid
from punktfunk.input.gamepads import steam
from punktfunk.input.gamepads.hid_model import NOTHING, Reaction, clamp_s16
from punktfunk.input.gamepads.inputs import GRAVITY_MPS2, TRIGGER_PRESSED, Button, Contact, PadInputs
from punktfunk.input.uhid import HidIdentity

LEFT_PAD, RIGHT_PAD = 0, 1
WAKE_RELEASE_S = 0.15
WAKE_HOLD_S = 1.0
"""The driver asks for 0.45 s of holding, and for a release before."""

_PRODUCT = 0x1205
_STATE_TYPE, _STATE_BYTES = 0x09, 56
_STATE = struct.Struct("<BBBBIQ4h6h8xHH4hHH4x")
_GYRO_UNITS_PER_DPS = 32768 / 2000
_UNITS_PER_MPS2 = 16384 / GRAVITY_MPS2
_DESCRIPTOR = (
    hid.usage_page(0xFFFF)
    + hid.usages(1)
    + hid.collection(
        hid.usages(2, 3) + hid.logical(0, 255) + hid.fields(64, 8) + hid.inputs(),
        hid.usages(6, 7) + hid.logical(0, 255) + hid.fields(64, 8) + hid.features(),
    )
)
_MENU = 1 << 14
_RIGHT_TRIGGER, _LEFT_TRIGGER = 1 << 0, 1 << 1
_LEFT_PAD_CLICK, _RIGHT_PAD_CLICK, _LEFT_PAD_TOUCH, _RIGHT_PAD_TOUCH = (1 << bit for bit in (17, 18, 19, 20))
_BUTTON_BITS = {
    Button.RIGHT_SHOULDER: 1 << 2,
    Button.LEFT_SHOULDER: 1 << 3,
    Button.Y: 1 << 4,
    Button.B: 1 << 5,
    Button.X: 1 << 6,
    Button.A: 1 << 7,
    Button.UP: 1 << 8,
    Button.RIGHT: 1 << 9,
    Button.LEFT: 1 << 10,
    Button.DOWN: 1 << 11,
    Button.BACK: 1 << 12,
    Button.GUIDE: 1 << 13,
    Button.START: _MENU,
    Button.PADDLE_L5: 1 << 15,
    Button.PADDLE_R5: 1 << 16,
    Button.LEFT_STICK: 1 << 22,
    Button.RIGHT_STICK: 1 << 26,
    Button.PADDLE_L4: 1 << 41,
    Button.PADDLE_R4: 1 << 42,
    Button.MISC: 1 << 50,
}


class SteamDeck:
    """One Steam Deck. ``serial`` names this pad among all of the machine."""

    shortest_interval_s = 0.0
    refresh_interval_s = 0.05

    def __init__(self, pad: int, serial: str, phys: str = "") -> None:
        self._commands = steam.SteamCommands(pad, serial, _PRODUCT)
        self._sequence = 0
        self._waking_since: float | None = None
        name, version = "Valve Software Steam Deck Controller", steam.HID_VERSION
        self.identity = HidIdentity(name, steam.VALVE, _PRODUCT, version, _DESCRIPTOR, phys, self._commands.serial)

    def input_report(self, inputs: PadInputs, now: float) -> bytes:
        """The state report, 64 bytes."""
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        left, right = (steam.contact_on(inputs, surface) for surface in (LEFT_PAD, RIGHT_PAD))
        return _STATE.pack(
            1,
            0,
            _STATE_TYPE,
            _STATE_BYTES,
            self._sequence,
            self._wake(_bits(inputs, left, right), now),
            *_place(left),
            *_place(right),
            *_motion(inputs),
            *(_trigger(value) for value in (inputs.left_trigger, inputs.right_trigger)),
            *(steam.symmetric(v) for v in (inputs.left_x, inputs.left_y, inputs.right_x, inputs.right_y)),
            _pressure(left),
            _pressure(right),
        )

    def output_report(self, data: bytes) -> Reaction:
        """Commands come as feature reports; this pad ignores others."""
        return NOTHING

    def get_feature(self, report_id: int) -> bytes | None:
        """The answer to the last command."""
        return self._commands.get_feature(report_id)

    def set_feature(self, data: bytes) -> Reaction:
        """A command of the driver or of Steam."""
        return self._commands.set_feature(data)

    def _wake(self, bits: int, now: float) -> int:
        if not self._commands.lizard_mode:
            self._waking_since = None
            return bits
        if self._waking_since is None or now - self._waking_since > WAKE_RELEASE_S + WAKE_HOLD_S:
            self._waking_since = now
        return bits | _MENU if now - self._waking_since >= WAKE_RELEASE_S else bits & ~_MENU


def _place(contact: Contact | None) -> tuple[int, int]:
    return (0, 0) if contact is None else steam.pad_axes(contact.x, contact.y)


def _pressure(contact: Contact | None) -> int:
    return 0 if contact is None else round(min(max(contact.pressure, 0.0), 1.0) * 32767)


def _trigger(value: int) -> int:
    return value * 32767 // 255


def _motion(inputs: PadInputs) -> tuple[int, ...]:
    """Acceleration, then rotation; the Deck's second axis points away from the player, its third up."""
    (right, up, back), (pitch, yaw, roll) = inputs.acceleration, inputs.gyro
    pull = (right * _UNITS_PER_MPS2, -back * _UNITS_PER_MPS2, up * _UNITS_PER_MPS2)
    turn = (pitch * _GYRO_UNITS_PER_DPS, -roll * _GYRO_UNITS_PER_DPS, yaw * _GYRO_UNITS_PER_DPS)
    return tuple(clamp_s16(value) for value in (*pull, *turn))


def _bits(inputs: PadInputs, left: Contact | None, right: Contact | None) -> int:
    bits = sum(bit for button, bit in _BUTTON_BITS.items() if inputs.buttons & button)
    if inputs.clicked_surfaces & 1:
        bits |= _LEFT_PAD_CLICK
    if inputs.clicked_surfaces & 2 or inputs.buttons & Button.TOUCHPAD:
        bits |= _RIGHT_PAD_CLICK
    bits |= (left is not None and _LEFT_PAD_TOUCH) | (right is not None and _RIGHT_PAD_TOUCH)
    if inputs.left_trigger >= TRIGGER_PRESSED:
        bits |= _LEFT_TRIGGER
    if inputs.right_trigger >= TRIGGER_PRESSED:
        bits |= _RIGHT_TRIGGER
    return bits
