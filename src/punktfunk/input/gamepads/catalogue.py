"""Which pad stands for which kind, and which comes next when it cannot be had."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from punktfunk.input.events import PadArrived, PadKind
from punktfunk.input.gamepads.device import UhidPad, UinputPad, VirtualPad
from punktfunk.input.gamepads.dualsense import DualSense
from punktfunk.input.gamepads.dualshock4 import DualShock4
from punktfunk.input.gamepads.hid_model import HidModel
from punktfunk.input.gamepads.steam_controller import SteamController
from punktfunk.input.gamepads.steam_deck import SteamDeck
from punktfunk.input.gamepads.switch_pro import SwitchPro
from punktfunk.input.gamepads.xbox import XBOX_360, XBOX_ELITE_2, XBOX_SERIES

CAPABILITY_TOUCHPAD, CAPABILITY_ACCELEROMETER, CAPABILITY_GYROSCOPE, CAPABILITY_DUAL_TOUCHPAD = 0x08, 0x10, 0x20, 0x100
_LIKE_A_DUALSENSE = CAPABILITY_TOUCHPAD | CAPABILITY_ACCELEROMETER | CAPABILITY_GYROSCOPE


class Node(enum.Enum):
    """The kernel's two ways of making an input device."""

    UINPUT = "/dev/uinput"
    UHID = "/dev/uhid"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a pad belongs: its number in the session, a serial that is the machine's only, and where it hangs."""

    pad: int
    serial: str
    phys: str
    dual_touchpad: bool = False


_XBOX = {PadKind.XBOX_360: XBOX_360, PadKind.XBOX_ONE: XBOX_SERIES, PadKind.XBOX_ELITE: XBOX_ELITE_2}
_NEAREST = {
    PadKind.XBOX_ONE: PadKind.XBOX_360,
    PadKind.XBOX_ELITE: PadKind.XBOX_ONE,
    PadKind.DUALSHOCK_4: PadKind.XBOX_360,
    PadKind.DUALSENSE: PadKind.DUALSHOCK_4,
    PadKind.DUALSENSE_EDGE: PadKind.DUALSENSE,
    PadKind.SWITCH_PRO: PadKind.XBOX_360,
    PadKind.STEAM_CONTROLLER: PadKind.XBOX_360,
    PadKind.STEAM_DECK: PadKind.DUALSENSE,
    # No kernel driver knows these two; the Deck has the same sticks, touchpads and back buttons.
    PadKind.STEAM_CONTROLLER_2: PadKind.STEAM_DECK,
    PadKind.STEAM_CONTROLLER_2_PUCK: PadKind.STEAM_DECK,
}


def choose(arrival: PadArrived | None, session_default: PadKind, setting: PadKind) -> PadKind:
    """The setting decides, then what the client said of this pad, then of the session; else what the pad can do."""
    declared = PadKind.AUTO if arrival is None else arrival.kind
    for kind in (setting, declared, session_default):
        if kind is not PadKind.AUTO:
            return kind
    if arrival is not None and arrival.capabilities & _LIKE_A_DUALSENSE:
        return PadKind.DUALSENSE
    return PadKind.XBOX_360


def substitutes(kind: PadKind) -> Iterator[PadKind]:
    """The kind itself if it can be made at all, then the next best, down to the Xbox 360 pad."""
    wanted: PadKind | None = kind
    while wanted is not None:
        if wanted not in (PadKind.STEAM_CONTROLLER_2, PadKind.STEAM_CONTROLLER_2_PUCK):
            yield wanted
        wanted = _NEAREST.get(wanted)


def node_of(kind: PadKind) -> Node:
    """What has to be open for this kind."""
    return Node.UINPUT if kind in _XBOX else Node.UHID


def taken_care_of(kind: PadKind, driver: str | None) -> bool:
    """Whether the driver that a pad got makes it what it should be. Unknown, or a kind without need, counts as yes."""
    return node_of(kind) is Node.UINPUT or driver not in ("", "hid-generic")


def has_motion(kind: PadKind) -> bool:
    """Whether games can read motion from this kind."""
    return kind not in _XBOX and kind is not PadKind.STEAM_CONTROLLER


def make(kind: PadKind, fd: int, placement: Placement, now: float) -> VirtualPad:
    """Plug the pad in on an open node, which it takes over. Raises OSError; the descriptor is the caller's then."""
    if xbox := _XBOX.get(kind):
        return UinputPad(fd, placement.pad, xbox, placement.phys)
    return UhidPad(fd, _hid_model(kind, placement), now)


def _hid_model(kind: PadKind, at: Placement) -> HidModel:
    match kind:
        case PadKind.DUALSHOCK_4:
            return DualShock4(at.pad, at.serial, at.phys, dual=at.dual_touchpad)
        case PadKind.DUALSENSE | PadKind.DUALSENSE_EDGE:
            edge = kind is PadKind.DUALSENSE_EDGE
            return DualSense(at.pad, at.serial, at.phys, dual=at.dual_touchpad, edge=edge)
        case PadKind.SWITCH_PRO:
            return SwitchPro(at.pad, at.serial, at.phys)
        case PadKind.STEAM_CONTROLLER:
            return SteamController(at.pad, at.serial, at.phys)
        case PadKind.STEAM_DECK:
            return SteamDeck(at.pad, at.serial, at.phys)
    raise ValueError(f"{kind} is made of another kind")
