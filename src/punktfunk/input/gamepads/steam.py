"""What Steam Controller and Steam Deck share: commands in feature reports, without report ids.

The driver writes a command and reads the answer; what it did not ask for echoes the last command. The pads start as a
mouse and keyboard of their own ("lizard mode"), which the driver or Steam switches off.
"""

from __future__ import annotations

import struct

from punktfunk.input.events import Feedback, Rumbled
from punktfunk.input.gamepads.hid_model import MalformedReport, Reaction, hardware_address, need
from punktfunk.input.gamepads.inputs import Contact, PadInputs

VALVE = 0x28DE
HID_VERSION = 0x0111
REPORT_BYTES = 64
_FEATURE_BYTES = 1 + REPORT_BYTES

_CLEAR_MAPPINGS, _GET_ATTRIBUTES, _DEFAULT_MAPPINGS, _GET_STRING, _RUMBLE = 0x81, 0x83, 0x85, 0xAE, 0xEB
_UNIT_SERIAL = 1
_SERIAL_BYTES = 21
_PRODUCT_ATTRIBUTE, _CAPABILITIES_ATTRIBUTE, _BUILD_TIME_ATTRIBUTE = 1, 2, 4


class SteamCommands:
    """The command side of one pad."""

    def __init__(self, pad: int, serial: str, product: int) -> None:
        self._pad = pad
        self._product = product
        self._answer = bytes(_FEATURE_BYTES)
        self.serial = "FVPF" + hardware_address(serial)[1:].hex().upper()[:8]
        self.lizard_mode: bool | None = None
        """Whether the pad acts as mouse and keyboard; None before anybody said."""

    def get_feature(self, report_id: int) -> bytes | None:
        """The answer to the last command."""
        return self._answer if report_id == 0 else None

    def set_feature(self, data: bytes) -> Reaction:
        """A command: 0 for the missing id, the command, the size of its arguments, the arguments."""
        command, size = need(data, 2, "command")[1], data[2] if len(data) > 2 else 0
        if size > REPORT_BYTES - 2:
            raise MalformedReport(f"command {command:#x}: {size} bytes of arguments")
        arguments = data[3 : 3 + size].ljust(size, b"\0")
        self._answer = _feature(command, arguments)
        if command in (_CLEAR_MAPPINGS, _DEFAULT_MAPPINGS):
            self.lizard_mode = command == _DEFAULT_MAPPINGS
        elif command == _GET_STRING:
            wanted = arguments[:1] or b"\0"
            self._answer = _feature(command, wanted + self.serial.encode().ljust(_SERIAL_BYTES - 1, b"\0"))
        elif command == _GET_ATTRIBUTES:
            self._answer = _feature(command, self._attributes())
        elif command == _RUMBLE:
            return Reaction(self._rumble(need(arguments, 7, "rumble")))
        return Reaction()

    def _attributes(self) -> bytes:
        values = (
            (_PRODUCT_ATTRIBUTE, self._product),
            (_CAPABILITIES_ATTRIBUTE, 0),
            (_BUILD_TIME_ATTRIBUTE, 0x65000000),
        )
        return b"".join(struct.pack("<BI", attribute, value) for attribute, value in values)

    def _rumble(self, arguments: bytes) -> tuple[Feedback, ...]:
        _kind, _intensity, left, right = struct.unpack_from("<BHHH", arguments)
        return (Rumbled(self._pad, left, right),)


def _feature(command: int, arguments: bytes) -> bytes:
    return (bytes((0, command, len(arguments))) + arguments).ljust(_FEATURE_BYTES, b"\0")


def contact_on(inputs: PadInputs, surface: int) -> Contact | None:
    """The first finger on a touchpad."""
    return next((contact for contact in inputs.contacts if contact is not None and contact.surface == surface), None)


def symmetric(value: int) -> int:
    """Without the one value that has no opposite: drivers negate axes."""
    return max(value, -32767)


def pad_axes(x: float, y: float) -> tuple[int, int]:
    """A place on a touchpad as the pad counts: from the middle, up positive."""
    return round((x - 0.5) * 65534), round((0.5 - y) * 65534)
