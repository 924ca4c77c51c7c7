"""Steam Controller on its cable; the kernel binds hid-steam, which games see only while somebody reads the pad.

The right stick of the wire is the right touchpad; the left stick and the left touchpad share two bytes of the report.
The direction pad is the left touchpad, pressed in at an edge: games look at the place as well as at the buttons.
"""

from __future__ import annotations

import struct

from punktfunk.input.gamepads import hid_descriptor as hid
from punktfunk.input.gamepads import steam
from punktfunk.input.gamepads.hid_model import NOTHING, Reaction
from punktfunk.input.gamepads.inputs import TRIGGER_PRESSED, Button, Contact, PadInputs
from punktfunk.input.uhid import HidIdentity

LEFT_PAD, RIGHT_PAD = 0, 1
REFRESH_S, TURN_S = 0.1, 0.008
"""Two turns tell all that there is."""
_PRODUCT = 0x1102
_STATE_TYPE, _STATE_BYTES = 0x01, 60
_STATE = struct.Struct("<BBBBI3sBBxxx4h")
_DESCRIPTOR = (
    hid.usage_page(hid.VENDOR_PAGE)
    + hid.usages(1)
    + hid.collection(
        hid.logical(0, 255) + hid.fields(64, 8),
        hid.usages(1) + hid.inputs(),
        hid.fields(64, 8) + hid.usages(1) + hid.outputs(),
        hid.fields(64, 8) + hid.usages(1) + hid.features(),
    )
)
_RIGHT_TRIGGER, _LEFT_TRIGGER = 1 << 0, 1 << 1
_LEFT_PAD_CLICK, _RIGHT_PAD_CLICK, _LEFT_PAD_TOUCH, _RIGHT_PAD_TOUCH = 1 << 17, 1 << 18, 1 << 19, 1 << 20
_STICK_AND_PAD = 1 << 23
_EDGE = 32767
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
    Button.START: 1 << 14,
    Button.PADDLE_L4: 1 << 15,
    Button.PADDLE_R4: 1 << 16,
    Button.LEFT_STICK: 1 << 22,
}


class SteamController:
    """One Steam Controller. ``serial`` names this pad among all of the machine."""

    shortest_interval_s = 0.0

    def __init__(self, pad: int, serial: str, phys: str = "") -> None:
        self._taking_turns = False
        self._commands = steam.SteamCommands(pad, serial, _PRODUCT)
        self._sequence = 0
        name = "Valve Software Steam Controller"
        version = steam.HID_VERSION
        self.identity = HidIdentity(name, steam.VALVE, _PRODUCT, version, _DESCRIPTOR, phys, self._commands.serial)

    @property
    def refresh_interval_s(self) -> float:
        """Short while each report tells one half, so that the other does not wait."""
        return TURN_S if self._taking_turns else REFRESH_S

    def input_report(self, inputs: PadInputs, now: float) -> bytes:
        """The state report, 64 bytes. Stick and left touchpad take turns while both are in use."""
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        left, right = (steam.contact_on(inputs, surface) for surface in (LEFT_PAD, RIGHT_PAD))
        bits = _bits(inputs, left, right)
        stick = inputs.left_x, inputs.left_y
        place = _direction(inputs.buttons) if left is None else steam.pad_axes(left.x, left.y)
        both = self._taking_turns = place is not None and stick != (0, 0)
        if both:
            bits |= _STICK_AND_PAD
        if place is not None and not (both and self._sequence & 1):
            bits |= _LEFT_PAD_TOUCH
            stick = place
        aim = (inputs.right_x, inputs.right_y) if right is None else steam.pad_axes(right.x, right.y)
        return _STATE.pack(
            1,
            0,
            _STATE_TYPE,
            _STATE_BYTES,
            self._sequence,
            bits.to_bytes(3, "little"),
            inputs.left_trigger,
            inputs.right_trigger,
            *(steam.symmetric(value) for value in (*stick, *aim)),
        ).ljust(steam.REPORT_BYTES, b"\0")

    def output_report(self, data: bytes) -> Reaction:
        """Commands come as feature reports; this pad ignores others."""
        return NOTHING

    def get_feature(self, report_id: int) -> bytes | None:
        """The answer to the last command."""
        return self._commands.get_feature(report_id)

    def set_feature(self, data: bytes) -> Reaction:
        """A command of the driver or of Steam."""
        return self._commands.set_feature(data)


def _direction(buttons: int) -> tuple[int, int] | None:
    """Where the thumb presses for these directions, up positive; None for none."""
    across = (buttons & Button.RIGHT != 0) - (buttons & Button.LEFT != 0)
    up = (buttons & Button.UP != 0) - (buttons & Button.DOWN != 0)
    return (across * _EDGE, up * _EDGE) if across or up else None


def _bits(inputs: PadInputs, left: Contact | None, right: Contact | None) -> int:
    bits = sum(bit for button, bit in _BUTTON_BITS.items() if inputs.buttons & button)
    if inputs.buttons & (Button.RIGHT_STICK | Button.TOUCHPAD) or inputs.clicked_surfaces & 2:
        bits |= _RIGHT_PAD_CLICK
    if inputs.clicked_surfaces & 1 or _direction(inputs.buttons) is not None:
        bits |= _LEFT_PAD_CLICK
    if right is not None or (inputs.right_x, inputs.right_y) != (0, 0):
        bits |= _RIGHT_PAD_TOUCH
    if inputs.left_trigger >= TRIGGER_PRESSED:
        bits |= _LEFT_TRIGGER
    if inputs.right_trigger >= TRIGGER_PRESSED:
        bits |= _RIGHT_TRIGGER
    return bits
