"""Switch Pro Controller over USB; the kernel binds hid-nintendo after a handshake.

Driver and pad talk in subcommands: report 1 asks, report 0x21 answers and carries the pad's state as well. Stick and
motion calibration is read out of the pad's flash memory.
"""

from __future__ import annotations

import struct

from punktfunk.input.events import Feedback, PlayerLedsChanged, Rumbled
from punktfunk.input.gamepads import hid_descriptor as hid
from punktfunk.input.gamepads.hid_descriptor import Page, Usage
from punktfunk.input.gamepads.hid_model import NOTHING, MalformedReport, Reaction, clamp_s16, hardware_address, need
from punktfunk.input.gamepads.inputs import GRAVITY_MPS2, TRIGGER_PRESSED, Button, PadInputs
from punktfunk.input.gamepads.switch_flash import read_flash
from punktfunk.input.gamepads.switch_rumble import decode_rumble
from punktfunk.input.uhid import HidIdentity

REPORT_BYTES = 64
ASK_ID, RUMBLE_ID, USB_ID = 0x01, 0x10, 0x80
STATE_ID, ANSWER_ID, USB_ANSWER_ID = 0x30, 0x21, 0x81
MAX_FLASH_READ_BYTES = 0x1D

_NINTENDO, _PRODUCT, _HID_VERSION = 0x057E, 0x2009, 0x0111
_PRO_CONTROLLER_TYPE = 0x03
_USB_STATUS, _USB_NO_TIMEOUT, _USB_ALLOW_TIMEOUT = 0x01, 0x04, 0x05
_DEVICE_INFO, _READ_FLASH, _PLAYER_LIGHTS, _TRIGGERS_ELAPSED, _MCU_CONFIG = 0x02, 0x10, 0x30, 0x04, 0x21
_VIBRATION_READY = 0x09
_TICKS_PER_S = 200
_GYRO_UNITS_PER_DPS = 14.247
_UNITS_PER_MPS2 = 4096 / GRAVITY_MPS2
_STATE = struct.Struct("<BBB3s3s3sB")
_SAMPLE = struct.Struct("<6h")

# Report byte and bit; letters are positions here as on the wire, so the driver's A is our B.
_BUTTON_BITS = {
    Button.X: 0x000001,
    Button.Y: 0x000002,
    Button.A: 0x000004,
    Button.B: 0x000008,
    Button.RIGHT_SHOULDER: 0x000040,
    Button.BACK: 0x000100,
    Button.START: 0x000200,
    Button.RIGHT_STICK: 0x000400,
    Button.LEFT_STICK: 0x000800,
    Button.GUIDE: 0x001000,
    Button.MISC: 0x002000,
    Button.DOWN: 0x010000,
    Button.UP: 0x020000,
    Button.RIGHT: 0x040000,
    Button.LEFT: 0x080000,
    Button.LEFT_SHOULDER: 0x400000,
}
_ZR_BIT, _ZL_BIT = 0x000080, 0x800000


def _vendor_report(number: int, usage: int, kind: bytes) -> bytes:
    return hid.report_id(number) + hid.usages(usage) + hid.fields(63, 8) + kind


_VOLATILE_OUTPUT = hid.outputs(hid.CONSTANT | hid.VARIABLE | hid.VOLATILE)
_FILLER = hid.inputs(hid.CONSTANT | hid.VARIABLE)
_DESCRIPTOR = (
    hid.usage_page(Page.DESKTOP)
    + hid.usages(Usage.JOYSTICK)
    + hid.collection(
        hid.report_id(STATE_ID),
        hid.usage_page(Page.BUTTON) + hid.usage_range(1, 10) + hid.logical(0, 1) + hid.fields(10, 1) + hid.inputs(),
        hid.usage_range(11, 14) + hid.fields(4, 1) + hid.inputs(),
        hid.fields(2, 1) + _FILLER,
        hid.usage_page(Page.DESKTOP) + hid.usages(Usage.POINTER),
        hid.collection(
            hid.usages(Usage.X, Usage.Y, Usage.Z, Usage.RZ) + hid.logical(0, 65535) + hid.fields(4, 16) + hid.inputs(),
            kind=0,
        ),
        hid.hat() + hid.no_unit(),
        hid.usage_page(Page.BUTTON) + hid.usage_range(15, 18) + hid.logical(0, 1) + hid.fields(4, 1) + hid.inputs(),
        hid.fields(52, 8) + _FILLER,
        hid.usage_page(hid.VENDOR_PAGE),
        _vendor_report(ANSWER_ID, 1, _FILLER),
        _vendor_report(USB_ANSWER_ID, 2, _FILLER),
        *(_vendor_report(number, 3 + index, _VOLATILE_OUTPUT) for index, number in enumerate((0x01, 0x10, 0x80, 0x82))),
    )
)


class SwitchPro:
    """One Switch Pro Controller. ``serial`` names this pad among all of the machine."""

    # The driver asks nothing of a pad whose reports do not come 8 to 17 ms apart, counted in ticks of 4 ms.
    shortest_interval_s = 0.012
    refresh_interval_s = 0.012

    def __init__(self, pad: int, serial: str, phys: str = "") -> None:
        self._pad = pad
        self._address = hardware_address(serial)
        self._newest = PadInputs()
        self._now = 0.0
        self._reporting = False
        self.identity = HidIdentity(
            "Nintendo Co., Ltd. Pro Controller",
            _NINTENDO,
            _PRODUCT,
            _HID_VERSION,
            _DESCRIPTOR,
            phys,
            self._address.hex(":"),
        )

    def input_report(self, inputs: PadInputs, now: float) -> bytes | None:
        """Report 0x30 with three equal motion samples; None until the driver asked for reports."""
        self._newest, self._now = inputs, now
        if not self._reporting:
            return None
        return (self._state(STATE_ID) + _motion(inputs) * 3).ljust(REPORT_BYTES, b"\0")

    def output_report(self, data: bytes) -> Reaction:
        """The handshake, subcommands and rumble."""
        report_id = need(data, 1, "output")[0]
        if report_id == USB_ID:
            return self._usb(need(data, 2, "usb command")[1])
        if report_id == RUMBLE_ID:
            return Reaction(self._rumble(data))
        if report_id == ASK_ID:
            return self._subcommand(need(data, 11, "subcommand")[10], data[11:], self._rumble(data))
        raise MalformedReport(f"output: report {report_id:#x}")

    def get_feature(self, report_id: int) -> bytes | None:
        """This pad has none."""
        return None

    def set_feature(self, data: bytes) -> Reaction:
        """This pad has none."""
        return NOTHING

    def _usb(self, command: int) -> Reaction:
        if command in (_USB_NO_TIMEOUT, _USB_ALLOW_TIMEOUT):
            return NOTHING
        answer = bytes([USB_ANSWER_ID, command])
        if command == _USB_STATUS:
            answer += bytes([0, _PRO_CONTROLLER_TYPE]) + self._address[::-1]
        return Reaction(replies=(answer.ljust(REPORT_BYTES, b"\0"),))

    def _rumble(self, data: bytes) -> tuple[Feedback, ...]:
        left, right = decode_rumble(need(data, 10, "rumble")[2:10])
        return (Rumbled(self._pad, left, right),)

    def _subcommand(self, command: int, arguments: bytes, feedback: tuple[Feedback, ...]) -> Reaction:
        acknowledge, content = 0x80, b""
        if command == _DEVICE_INFO:
            acknowledge, content = 0x82, b"\x04\x21" + bytes([_PRO_CONTROLLER_TYPE, 2]) + self._address + b"\x01\x01"
        elif command == _READ_FLASH:
            acknowledge, content = 0x90, _flash(arguments)
        elif command == _PLAYER_LIGHTS:
            lights = need(arguments, 1, "player lights")[0]
            # The high half blinks; a client can only be told on or off.
            feedback = (*feedback, PlayerLedsChanged(self._pad, (lights | lights >> 4) & 0x0F))
        elif command == _TRIGGERS_ELAPSED:
            acknowledge, content = 0x83, bytes(14)
        elif command == _MCU_CONFIG:
            acknowledge, content = 0xA0, b"\x01\x00\xff\x00\x03\x00\x05\x01"
        self._reporting = self._reporting or command == 0x03
        answer = self._state(ANSWER_ID) + bytes([acknowledge, command]) + content
        return Reaction(feedback, (answer.ljust(REPORT_BYTES, b"\0"),))

    def _state(self, report_id: int) -> bytes:
        inputs = self._newest
        return _STATE.pack(
            report_id,
            int(self._now * _TICKS_PER_S) & 0xFF,
            _battery(inputs),
            _buttons(inputs).to_bytes(3, "little"),
            _stick(inputs.left_x, inputs.left_y),
            _stick(inputs.right_x, inputs.right_y),
            _VIBRATION_READY,
        )


def _flash(arguments: bytes) -> bytes:
    address, size = struct.unpack_from("<IB", need(arguments, 5, "flash read"))
    if size > MAX_FLASH_READ_BYTES:
        raise MalformedReport(f"flash read: {size} bytes")
    return arguments[:5] + read_flash(address, size)


def _buttons(inputs: PadInputs) -> int:
    bits = _ZL_BIT if inputs.left_trigger >= TRIGGER_PRESSED else 0
    if inputs.right_trigger >= TRIGGER_PRESSED:
        bits |= _ZR_BIT
    for button, bit in _BUTTON_BITS.items():
        if inputs.buttons & button:
            bits |= bit
    return bits


def _stick(x: int, y: int) -> bytes:
    across, up = (x + 32768) >> 4, (y + 32768) >> 4
    return (across | up << 12).to_bytes(3, "little")


def _battery(inputs: PadInputs) -> int:
    """Charge 0 to 4 in the top three bits, then charging; the lowest bit says that the cable gives power."""
    percent = 100 if inputs.battery_percent is None else inputs.battery_percent
    level = min((percent + 12) // 25, 4)
    powered = inputs.battery_state != 2
    return level << 5 | (inputs.battery_state == 3) << 4 | powered


def _motion(inputs: PadInputs) -> bytes:
    """One sample: acceleration, then rotation, on the pad's axes (towards the triggers, left, up)."""
    pull = _on_pad_axes(inputs.acceleration, _UNITS_PER_MPS2)
    return _SAMPLE.pack(*pull, *_on_pad_axes(inputs.gyro, _GYRO_UNITS_PER_DPS))


def _on_pad_axes(vector: tuple[float, float, float], scale: float) -> tuple[int, int, int]:
    right, up, back = vector
    return clamp_s16(-back * scale), clamp_s16(-right * scale), clamp_s16(up * scale)
