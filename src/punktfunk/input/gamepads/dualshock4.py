"""DualShock 4 (second model) over USB; the kernel binds hid-playstation, before 6.2 hid-sony.

Input report 1 has 64 bytes, output report 5 has 32, ids included.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from punktfunk.input.events import Feedback, LightChanged, Rumbled
from punktfunk.input.gamepads import hid_descriptor as hid
from punktfunk.input.gamepads import playstation
from punktfunk.input.gamepads.hid_descriptor import Page, Usage
from punktfunk.input.gamepads.hid_model import (
    NOTHING,
    MalformedReport,
    Reaction,
    hardware_address,
    motor_level,
    need,
)
from punktfunk.input.gamepads.inputs import PadInputs
from punktfunk.input.uhid import HidIdentity

TOUCH_HEIGHT = 942
INPUT_ID, OUTPUT_ID = 0x01, 0x05
CALIBRATION_ID, PAIRING_ID, ADDRESS_ID, FIRMWARE_ID = 0x02, 0x12, 0x81, 0xA3

_PRODUCT = 0x09CC
_HARDWARE_VERSION, _FIRMWARE_VERSION = 0xB400, 0xA00B
_TIMESTAMP_UNITS_PER_S = 187_500
_INPUT = struct.Struct("<B4s5BHB6h5xBxxBB4s4s18x3x")

# Vendor page, then report id, usage and size without the id.
_FEATURE_GROUPS = (
    (0xFF00, ((0x04, 0x23, 36), (0x02, 0x24, 36), (0x08, 0x25, 3), (0x10, 0x26, 4), (0x11, 0x27, 2))),
    (0xFF02, ((0x12, 0x21, 15), (0x13, 0x22, 22))),
    (0xFF05, ((0x14, 0x20, 16), (0x15, 0x21, 44))),
    (
        0xFF80,
        (
            *((0x80, 0x20, 6), (0x81, 0x21, 6), (0x82, 0x22, 5), (0x83, 0x23, 1), (0x84, 0x24, 4), (0x85, 0x25, 6)),
            *((0x86, 0x26, 6), (0x87, 0x27, 35), (0x88, 0x28, 34), (0x89, 0x29, 2)),
            *((0x90, 0x30, 5), (0x91, 0x31, 3), (0x92, 0x32, 3), (0x93, 0x33, 12)),
            *((0xA0, 0x40, 6), (0xA1, 0x41, 1), (0xA2, 0x42, 1), (0xA3, 0x43, 48), (0xA4, 0x44, 13)),
        ),
    ),
)
_DESCRIPTOR = (
    hid.usage_page(Page.DESKTOP)
    + hid.usages(Usage.GAME_PAD)
    + hid.collection(
        hid.report_id(INPUT_ID),
        hid.usages(Usage.X, Usage.Y, Usage.Z, Usage.RZ) + hid.logical(0, 255) + hid.fields(4, 8) + hid.inputs(),
        hid.hat() + hid.no_unit(),
        hid.usage_page(Page.BUTTON) + hid.usage_range(1, 14) + hid.logical(0, 1) + hid.fields(14, 1) + hid.inputs(),
        hid.usage_page(hid.VENDOR_PAGE) + hid.usages(0x20) + hid.fields(1, 6) + hid.logical(0, 127) + hid.inputs(),
        hid.usage_page(Page.DESKTOP) + hid.usages(Usage.RX, Usage.RY),
        hid.logical(0, 255) + hid.fields(2, 8) + hid.inputs(),
        hid.usage_page(hid.VENDOR_PAGE) + hid.usages(0x21) + hid.fields(54, 8) + hid.inputs(),
        hid.report_id(OUTPUT_ID) + hid.usages(0x22) + hid.fields(31, 8) + hid.outputs(),
        *(hid.usage_page(page) + hid.byte_features(reports) for page, reports in _FEATURE_GROUPS),
    )
)


@dataclass(frozen=True, slots=True)
class DualShock4Output:
    """What an output report asks for; None for what it leaves alone."""

    motors: tuple[int, int] | None
    """Low- and high-frequency motor, 0..255."""
    light: tuple[int, int, int] | None


def parse_output(data: bytes) -> DualShock4Output:
    """Output report 5. Raises MalformedReport."""
    if data[:1] != bytes([OUTPUT_ID]):
        raise MalformedReport(f"output: report {data[:1].hex() or 'empty'} is not the DualShock 4's")
    need(data, 11, "output")
    return DualShock4Output(
        motors=(data[5], data[4]) if data[1] & 0x01 else None,
        light=(data[6], data[7], data[8]) if data[1] & 0x02 else None,
    )


class DualShock4:
    """One DualShock 4. ``serial`` is this pad's only; ``dual`` says that the player has two touchpads."""

    shortest_interval_s = 0.0
    refresh_interval_s = 0.1

    def __init__(self, pad: int, serial: str, phys: str = "", *, dual: bool = False) -> None:
        self._pad = pad
        self._dual = dual
        self._address = hardware_address(serial)
        self._counter = 0
        self.identity = HidIdentity(
            "Sony Interactive Entertainment Wireless Controller",
            playstation.SONY,
            _PRODUCT,
            playstation.HID_VERSION,
            _DESCRIPTOR,
            phys,
            self._address.hex(":"),
        )

    def input_report(self, inputs: PadInputs, now: float) -> bytes:
        """Input report 1, 64 bytes, with one frame of touch."""
        self._counter = (self._counter + 1) & 0x3F
        first, second, third = playstation.button_bytes(inputs)
        return _INPUT.pack(
            INPUT_ID,
            playstation.sticks(inputs),
            first,
            second,
            third | self._counter << 2,
            inputs.left_trigger,
            inputs.right_trigger,
            int(now * _TIMESTAMP_UNITS_PER_S) & 0xFFFF,
            0,
            *playstation.motion(inputs),
            _battery(inputs),
            1,
            self._counter,
            *(playstation.touch_point(contact, TOUCH_HEIGHT, self._dual) for contact in inputs.contacts),
        )

    def output_report(self, data: bytes) -> Reaction:
        """Rumble and the light bar as feedback."""
        output = parse_output(data)
        feedback: list[Feedback] = []
        if output.motors is not None:
            feedback.append(Rumbled(self._pad, *(motor_level(level) for level in output.motors)))
        if output.light is not None:
            feedback.append(LightChanged(self._pad, *output.light))
        return Reaction(tuple(feedback))

    def get_feature(self, report_id: int) -> bytes | None:
        """Calibration, pairing and firmware: what the driver asks for before it makes the pad."""
        if report_id == CALIBRATION_ID:
            return playstation.calibration(CALIBRATION_ID, 37)
        if report_id == PAIRING_ID:
            return playstation.pairing(PAIRING_ID, self._address, 16)
        if report_id == ADDRESS_ID:
            return bytes([ADDRESS_ID]) + self._address[::-1]
        return _firmware() if report_id == FIRMWARE_ID else None

    def set_feature(self, data: bytes) -> Reaction:
        """Nothing that a game may write changes this pad."""
        return NOTHING


def _battery(inputs: PadInputs) -> int:
    """Charge in tenths; bit 4 says that a cable is in, with which 11 is full. Unknown shows as full."""
    tenths = 10 if inputs.battery_percent is None else min(inputs.battery_percent // 10, 10)
    if inputs.battery_state == 3:
        return 0x10 | tenths
    return tenths if inputs.battery_state in (2, 4) else 0x1B


def _firmware() -> bytes:
    head = bytes([FIRMWARE_ID]) + b"Sep 21 2018".ljust(16, b"\0") + b"04:50:51"
    versions = struct.pack("<H4xH", _HARDWARE_VERSION, _FIRMWARE_VERSION)
    return (head.ljust(35, b"\0") + versions).ljust(49, b"\0")
