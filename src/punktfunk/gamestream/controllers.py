"""What a client says about its controllers, and what it means for the virtual ones (gamestream.md §7.6)."""

from __future__ import annotations

import enum

from punktfunk.input.events import PadKind

MAX_CONTROLLERS = 16


class Capability(enum.IntFlag):
    """What a client's controller can do."""

    ANALOG_TRIGGERS = 0x01
    RUMBLE = 0x02
    TRIGGER_RUMBLE = 0x04
    TOUCHPAD = 0x08
    ACCELEROMETER = 0x10
    GYROSCOPE = 0x20
    BATTERY = 0x40
    RGB_LED = 0x80
    DUAL_TOUCHPAD = 0x100


CAPABILITIES_WITHOUT_ARRIVAL = int(Capability.ANALOG_TRIGGERS | Capability.RUMBLE)
"""What a controller is taken to have whose client is too old to tell."""
SUPPORTED_BUTTONS_WITHOUT_ARRIVAL = 0xF7FF

_PADDLES = 0x0F_0000
_XBOX, _PLAYSTATION, _NINTENDO, _STEAM = 1, 2, 3, 4


def pad_kind(kind: int, capabilities: int, supported_buttons: int) -> PadKind:
    """The neutral kind of a controller from its arrival packet.

    The wire has families only. Within one, the kind is the plainest that still has everything the controller
    announced; a family that this host does not know is left to the host's default.
    """
    has_paddles = bool(supported_buttons & _PADDLES)
    if kind == _XBOX:
        if has_paddles:
            return PadKind.XBOX_ELITE
        return PadKind.XBOX_ONE if capabilities & Capability.TRIGGER_RUMBLE else PadKind.XBOX_360
    if kind == _PLAYSTATION:
        if not capabilities & Capability.TOUCHPAD:
            return PadKind.DUALSHOCK_4
        return PadKind.DUALSENSE_EDGE if has_paddles else PadKind.DUALSENSE
    return {_NINTENDO: PadKind.SWITCH_PRO, _STEAM: PadKind.STEAM_DECK}.get(kind, PadKind.AUTO)
