"""DualSense and DualSense Edge over USB; the kernel binds hid-playstation.

Input report 1 has 64 bytes, output report 2 has 48 (64 on the Edge), ids included.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from punktfunk.input.events import Feedback, LightChanged, PlayerLedsChanged, Rumbled, TriggerEffect
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
from punktfunk.input.gamepads.inputs import Button, PadInputs
from punktfunk.input.uhid import HidIdentity

TOUCH_HEIGHT = 1080
INPUT_ID, OUTPUT_ID = 0x01, 0x02
CALIBRATION_ID, PAIRING_ID, FIRMWARE_ID = 0x05, 0x09, 0x20
LEFT_TRIGGER, RIGHT_TRIGGER = 0, 1

_TIMESTAMP_UNITS_PER_S = 3_000_000
_INPUT = struct.Struct("<B4sBBBBBBB4x6hIx4s4s12xB10x")
_PRODUCT, _EDGE_PRODUCT = 0x0CE6, 0x0DF2
_HARDWARE_VERSION, _FIRMWARE_VERSION, _FEATURE_VERSION = 0x00000413, 0x0110002A, 0x0630

# Report id, usage on the vendor page, size without the id.
_FEATURES = (
    *((0x05, 0x33, 40), (0x08, 0x34, 47), (0x09, 0x24, 19), (0x0A, 0x25, 26)),
    *((0x20, 0x26, 63), (0x21, 0x27, 4), (0x22, 0x40, 63)),
    *((0x80, 0x28, 63), (0x81, 0x29, 63), (0x82, 0x2A, 9), (0x83, 0x2B, 63), (0x84, 0x2C, 63), (0x85, 0x2D, 2)),
    *((0xA0, 0x2E, 1), (0xE0, 0x2F, 63), (0xF0, 0x30, 63), (0xF1, 0x31, 63), (0xF2, 0x32, 15)),
    *((0xF4, 0x35, 63), (0xF5, 0x36, 3)),
)
_EDGE_PROFILE_FEATURES = tuple(
    (number, 0x41 + index, 63) for index, number in enumerate((*range(0x60, 0x66), 0x68, *range(0x70, 0x7C)))
)


def _descriptor(output_bytes: int, features: tuple[tuple[int, int, int], ...]) -> bytes:
    sticks_and_triggers = (Usage.X, Usage.Y, Usage.Z, Usage.RZ, Usage.RX, Usage.RY)
    return (
        hid.usage_page(Page.DESKTOP)
        + hid.usages(Usage.GAME_PAD)
        + hid.collection(
            hid.report_id(INPUT_ID),
            hid.usages(*sticks_and_triggers) + hid.logical(0, 255) + hid.fields(6, 8) + hid.inputs(),
            hid.usage_page(hid.VENDOR_PAGE) + hid.usages(0x20) + hid.fields(1, 8) + hid.inputs(),
            hid.usage_page(Page.DESKTOP) + hid.hat() + hid.no_unit(),
            hid.usage_page(Page.BUTTON) + hid.usage_range(1, 15) + hid.logical(0, 1) + hid.fields(15, 1) + hid.inputs(),
            hid.usage_page(hid.VENDOR_PAGE) + hid.usages(0x21) + hid.fields(13, 1) + hid.inputs(),
            hid.usages(0x22) + hid.logical(0, 255) + hid.fields(52, 8) + hid.inputs(),
            hid.report_id(OUTPUT_ID) + hid.usages(0x23) + hid.fields(output_bytes, 8) + hid.outputs(),
            hid.byte_features(features),
        )
    )


class MuteLight(enum.Enum):
    """The light in the microphone button."""

    OFF = 0
    ON = 1
    PULSE = 2


@dataclass(frozen=True, slots=True)
class DualSenseOutput:
    """What an output report asks for; None for what it leaves alone. Triggers are 11 bytes: mode and parameters."""

    motors: tuple[int, int] | None = None
    """Low- and high-frequency motor, 0..255."""
    light: tuple[int, int, int] | None = None
    player_leds: int | None = None
    left_trigger: bytes | None = None
    right_trigger: bytes | None = None
    mute_light: MuteLight | None = None


def parse_output(data: bytes) -> DualSenseOutput:
    """Output report 2. A shorter one than the device's is taken as far as its flags reach. Raises MalformedReport."""
    if data[:1] != bytes([OUTPUT_ID]):
        raise MalformedReport(f"output: report {data[:1].hex() or 'empty'} is not the DualSense's")
    need(data, 48, "output")
    haptics, lights, more = data[1], data[2], data[39]
    return DualSenseOutput(
        motors=(data[4], data[3]) if haptics & 0x01 or more & 0x04 else None,
        right_trigger=data[11:22] if haptics & 0x04 else None,
        left_trigger=data[22:33] if haptics & 0x08 else None,
        mute_light=_mute_light(data[9]) if lights & 0x01 else None,
        light=(data[45], data[46], data[47]) if lights & 0x04 else None,
        player_leds=data[44] & 0x1F if lights & 0x10 else None,
    )


def _mute_light(value: int) -> MuteLight:
    try:
        return MuteLight(value)
    except ValueError:
        raise MalformedReport(f"mute_light: {value}") from None


def feedback_of(output: DualSenseOutput, pad: int) -> Iterator[Feedback]:
    """The parts that a client can be told."""
    if output.motors is not None:
        yield Rumbled(pad, *(motor_level(level) for level in output.motors))
    if output.light is not None:
        yield LightChanged(pad, *output.light)
    if output.player_leds is not None:
        yield PlayerLedsChanged(pad, output.player_leds)
    for side, effect in ((LEFT_TRIGGER, output.left_trigger), (RIGHT_TRIGGER, output.right_trigger)):
        if effect is not None:
            yield TriggerEffect(pad, side, effect[0], effect[1:])


class DualSense:
    """One DualSense. ``serial`` is this pad's only; ``dual`` says that the player has two touchpads."""

    shortest_interval_s = 0.0
    refresh_interval_s = 0.1

    def __init__(self, pad: int, serial: str, phys: str = "", *, dual: bool = False, edge: bool = False) -> None:
        self._pad = pad
        self._dual = dual
        self._edge = edge
        self._address = hardware_address(serial)
        self._sequence = 0
        name = "Sony Interactive Entertainment DualSense Edge Wireless Controller"
        descriptor = _descriptor(63, _FEATURES + _EDGE_PROFILE_FEATURES) if edge else _descriptor(47, _FEATURES)
        self.identity = HidIdentity(
            name if edge else "Sony Interactive Entertainment DualSense Wireless Controller",
            playstation.SONY,
            _EDGE_PRODUCT if edge else _PRODUCT,
            playstation.HID_VERSION,
            descriptor,
            phys,
            self._address.hex(":"),
        )

    def input_report(self, inputs: PadInputs, now: float) -> bytes:
        """Input report 1, 64 bytes."""
        self._sequence = (self._sequence + 1) & 0xFF
        first, second, third = playstation.button_bytes(inputs)
        if inputs.buttons & Button.MISC:
            third |= 0x04
        if self._edge:
            third |= _edge_bits(inputs.buttons)
        return _INPUT.pack(
            INPUT_ID,
            playstation.sticks(inputs),
            inputs.left_trigger,
            inputs.right_trigger,
            self._sequence,
            first,
            second,
            third,
            0,
            *playstation.motion(inputs),
            int(now * _TIMESTAMP_UNITS_PER_S) & 0xFFFFFFFF,
            *(playstation.touch_point(contact, TOUCH_HEIGHT, self._dual) for contact in inputs.contacts),
            _battery(inputs),
        )

    def output_report(self, data: bytes) -> Reaction:
        """Rumble, lights and trigger effects as feedback."""
        return Reaction(tuple(feedback_of(parse_output(data), self._pad)))

    def get_feature(self, report_id: int) -> bytes | None:
        """Calibration, pairing and firmware: what the driver asks for before it makes the pad."""
        if report_id == CALIBRATION_ID:
            return playstation.calibration(CALIBRATION_ID, 41)
        if report_id == PAIRING_ID:
            return playstation.pairing(PAIRING_ID, self._address, 20)
        return _firmware() if report_id == FIRMWARE_ID else None

    def set_feature(self, data: bytes) -> Reaction:
        """Nothing that a game may write changes this pad."""
        return NOTHING


def _edge_bits(buttons: int) -> int:
    upper = (buttons & Button.PADDLE_L4 != 0) << 6 | (buttons & Button.PADDLE_R4 != 0) << 7
    return upper | (buttons & Button.PADDLE_L5 != 0) << 4 | (buttons & Button.PADDLE_R5 != 0) << 5


def _battery(inputs: PadInputs) -> int:
    """Charge in tenths in the low four bits, 0 discharging, 1 charging or 2 full above. Unknown shows as full."""
    tenths = 10 if inputs.battery_percent is None else min(inputs.battery_percent // 10, 10)
    if inputs.battery_state == 3:
        return 0x10 | tenths
    if inputs.battery_state in (2, 4):
        return tenths
    return 0x20 | tenths


def _firmware() -> bytes:
    head = bytes([FIRMWARE_ID]) + b"Jun 19 2023" + b"14:47:34"
    versions = struct.pack("<II12xH", _HARDWARE_VERSION, _FIRMWARE_VERSION, _FEATURE_VERSION)
    return (head.ljust(24, b"\0") + versions).ljust(64, b"\0")
