"""What every HID pad is: functions between `PadInputs` and the bytes of its reports, without a device."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from punktfunk.input.events import Feedback
from punktfunk.input.gamepads.inputs import PadInputs
from punktfunk.input.uhid import HidIdentity


class MalformedReport(Exception):
    """A report that this pad would not understand; the message names the field. It is dropped."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a pad does about a report: tell the player, and answer with reports of its own."""

    feedback: tuple[Feedback, ...] = ()
    replies: tuple[bytes, ...] = ()


NOTHING = Reaction()


class HidModel(Protocol):
    """One pad's protocol. Called from one thread at a time; ``now`` is seconds of a steady clock."""

    @property
    def identity(self) -> HidIdentity:
        """What the kernel's driver binds to."""
        ...

    @property
    def shortest_interval_s(self) -> float:
        """Reports never come faster; 0 for as fast as the player."""
        ...

    @property
    def refresh_interval_s(self) -> float:
        """The newest state is sent again after this: drivers miss what comes while they start."""
        ...

    def input_report(self, inputs: PadInputs, now: float) -> bytes | None:
        """The pad's report of this state; None while the pad must not send any."""
        ...

    def output_report(self, data: bytes) -> Reaction:
        """An output report, id first. Raises MalformedReport."""
        ...

    def get_feature(self, report_id: int) -> bytes | None:
        """A feature report, id first, at its exact size; None when the pad has none."""
        ...

    def set_feature(self, data: bytes) -> Reaction:
        """A feature report from a driver or a game, id first. Raises MalformedReport."""
        ...


def hardware_address(serial: str) -> bytes:
    """Six bytes that are this pad's alone: drivers refuse a second pad with the same. Locally administered."""
    return b"\x02" + hashlib.blake2s(serial.encode(), digest_size=5).digest()


def need(data: bytes, size: int, field: str) -> bytes:
    """``data`` when it has ``size`` bytes, else MalformedReport."""
    if len(data) < size:
        raise MalformedReport(f"{field}: {len(data)} bytes, {size} needed")
    return data


def clamp_s16(value: float) -> int:
    """The nearest signed 16-bit number."""
    return min(max(round(value), -32768), 32767)


def motor_level(value: int) -> int:
    """An 8-bit motor level as 16 bits."""
    return value * 257
