"""What a desktop has to offer so that the portal can be answered: one file for each desktop implements this."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from punktfunk.media.plan import Mode


class BackError(Exception):
    """The desktop cannot do what was asked; the message is one sentence for the user."""


class Cursor(IntEnum):
    """Where the pointer's picture goes; the numbers are the portal's."""

    HIDDEN = 1
    EMBEDDED = 2
    METADATA = 4


@dataclass(frozen=True, slots=True)
class Shown:
    """A screen that is shown: the id of its PipeWire node, and the name by which emulated input knows its region, ""
    where it has none."""

    node: int
    mapping_id: str = ""


class Typist(Protocol):
    """Types characters, whatever way the keys go. All methods are called on one thread."""

    def tap(self, keysym: int) -> None:
        """Type what this keysym means; nothing happens where the desktop has no key for it. Raises BackError."""
        ...

    def close(self) -> None:
        """Give back what it took. Safe to repeat."""
        ...


class PortalBack(Protocol):
    """One screen with its keyboard and pointer. All methods are called on one thread, and may block for a moment.

    Descriptors that are returned belong to the caller.
    """

    def start(self, mode: Mode, cursor: Cursor) -> Shown:
        """Show the screen. Raises BackError."""
        ...

    def open_pipewire(self) -> int:
        """A connection to the PipeWire that has the node. Raises BackError."""
        ...

    def connect_eis(self) -> int | None:
        """A connection to the desktop's emulated input; None where it has none and takes ``notify_*`` instead."""
        ...

    def notify_key(self, code: int, pressed: bool) -> None:
        """A key by its evdev code."""
        ...

    def notify_keysym(self, keysym: int, pressed: bool) -> None:
        """A key by what it types."""
        ...

    def notify_motion(self, dx: float, dy: float) -> None:
        """Move the pointer."""
        ...

    def notify_position(self, x: float, y: float) -> None:
        """Place the pointer on the screen."""
        ...

    def notify_button(self, code: int, pressed: bool) -> None:
        """A mouse button by its evdev code."""
        ...

    def notify_axis(self, dx: float, dy: float, *, finished: bool) -> None:
        """Smooth scrolling; ``finished`` when the fingers were lifted."""
        ...

    def notify_steps(self, axis: int, steps: int) -> None:
        """Notches of a wheel: axis 0 is the vertical one."""
        ...

    def shown(self, mode: Mode) -> None:
        """Pictures in this mode arrive; on the worker's own thread, unlike the rest."""
        ...

    def stop(self) -> None:
        """Take the screen away. Safe to repeat."""
        ...
