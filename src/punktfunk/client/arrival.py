"""What the reading thread hands to the session, and where a frame's time went."""

from __future__ import annotations

from dataclasses import dataclass

from punktfunk.client.reassembly import AccessUnit


@dataclass(frozen=True, slots=True)
class Arrival:
    """An access unit that became whole. Times are this machine's wall clock in nanoseconds: when its last packet was
    read, and when it was opened, repaired and put together. ``wire_bytes`` arrived since the arrival before."""

    unit: AccessUnit
    received_ns: int
    whole_ns: int
    wire_bytes: int
