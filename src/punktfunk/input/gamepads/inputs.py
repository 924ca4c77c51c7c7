"""What a player does with one pad: the newest of everything, as a value.

A pad's device is made from this and nothing else, so the newest packet decides and nothing can stick.
"""

from __future__ import annotations

import enum

import msgspec
from msgspec.structs import replace

from punktfunk.input.events import ContactPhase, PadBattery, PadMotion, PadState, PadTouched

MAX_CONTACTS = 2
"""Fingers that the touchpads of real pads follow; further ones are ignored."""
CONTACT_ID_LIMIT = 128
GRAVITY_MPS2 = 9.80665
TRIGGER_PRESSED = 64
"""From here of 255 a trigger counts as pressed on pads whose triggers are switches."""


class Button(enum.IntEnum):
    """The bits of `PadState.buttons` (gamestream.md §7.6, punktfunk1.md §7.3). Letters are positions: A is south."""

    UP = 0x0001
    DOWN = 0x0002
    LEFT = 0x0004
    RIGHT = 0x0008
    START = 0x0010
    BACK = 0x0020
    LEFT_STICK = 0x0040
    RIGHT_STICK = 0x0080
    LEFT_SHOULDER = 0x0100
    RIGHT_SHOULDER = 0x0200
    GUIDE = 0x0400
    A = 0x1000
    B = 0x2000
    X = 0x4000
    Y = 0x8000
    PADDLE_R4 = 0x010000
    PADDLE_L4 = 0x020000
    PADDLE_R5 = 0x040000
    PADDLE_L5 = 0x080000
    TOUCHPAD = 0x100000
    MISC = 0x200000


class Contact(msgspec.Struct, frozen=True):
    """A finger on a touchpad. Position 0..1; ``contact_id`` changes with every new touch, as real pads count."""

    pointer_id: int
    surface: int
    x: float
    y: float
    pressure: float
    contact_id: int


class PadInputs(msgspec.Struct, frozen=True):
    """Everything known of one pad. Contacts keep their slot while they last; None is a free slot."""

    buttons: int = 0
    left_trigger: int = 0
    right_trigger: int = 0
    left_x: int = 0
    left_y: int = 0
    right_x: int = 0
    right_y: int = 0
    contacts: tuple[Contact | None, Contact | None] = (None, None)
    clicked_surfaces: int = 0
    """Bit 0 the left or only touchpad is pressed in, bit 1 the right one."""
    gyro: tuple[float, float, float] = (0.0, 0.0, 0.0)
    acceleration: tuple[float, float, float] = (0.0, GRAVITY_MPS2, 0.0)
    battery_state: int = 0
    battery_percent: int | None = None
    next_contact_id: int = 0

    def edges(self) -> tuple[int, bool, bool]:
        """All that is either pressed or not; no change of it may be lost."""
        return self.buttons, self.left_trigger >= TRIGGER_PRESSED, self.right_trigger >= TRIGGER_PRESSED

    def with_state(self, event: PadState) -> PadInputs:
        """The same with new buttons, sticks and triggers."""
        return PadInputs(
            event.buttons,
            event.left_trigger,
            event.right_trigger,
            event.left_x,
            event.left_y,
            event.right_x,
            event.right_y,
            self.contacts,
            self.clicked_surfaces,
            self.gyro,
            self.acceleration,
            self.battery_state,
            self.battery_percent,
            self.next_contact_id,
        )

    def at_rest(self) -> PadInputs:
        """The same with nothing pressed, turned or touched."""
        return PadInputs(
            gyro=self.gyro,
            acceleration=self.acceleration,
            battery_state=self.battery_state,
            battery_percent=self.battery_percent,
            next_contact_id=self.next_contact_id,
        )

    def with_motion(self, event: PadMotion) -> PadInputs:
        """The same with the sensors that the sample has."""
        return replace(self, gyro=event.gyro or self.gyro, acceleration=event.acceleration or self.acceleration)

    def with_battery(self, event: PadBattery) -> PadInputs:
        """The same with another charge."""
        return replace(self, battery_state=event.state, battery_percent=event.percent)

    def with_touch(self, event: PadTouched) -> PadInputs:
        """The same after a finger came, moved or left."""
        if event.phase is ContactPhase.CANCEL_ALL:
            return replace(self, contacts=(None, None), clicked_surfaces=0)
        bit = 1 << event.surface
        clicked = self.clicked_surfaces | bit if event.clicked else self.clicked_surfaces & ~bit
        inputs = replace(self, clicked_surfaces=clicked)
        if event.phase in (ContactPhase.DOWN, ContactPhase.MOVE):
            return inputs._touched(event)
        if event.phase is ContactPhase.BUTTONS:
            return inputs
        return inputs._left(event)

    def _touched(self, event: PadTouched) -> PadInputs:
        slot = self._slot_of(event)
        fresh = slot is None
        if slot is None:
            slot = next((index for index, contact in enumerate(self.contacts) if contact is None), None)
        if slot is None:
            return self
        known = self.contacts[slot]
        contact_id = self.next_contact_id if known is None else known.contact_id
        contact = Contact(event.pointer_id, event.surface, event.x, event.y, event.pressure, contact_id)
        following = (self.next_contact_id + 1) % CONTACT_ID_LIMIT if fresh else self.next_contact_id
        return replace(self, contacts=self._with_slot(slot, contact), next_contact_id=following)

    def _left(self, event: PadTouched) -> PadInputs:
        slot = self._slot_of(event)
        return self if slot is None else replace(self, contacts=self._with_slot(slot, None))

    def _slot_of(self, event: PadTouched) -> int | None:
        for index, contact in enumerate(self.contacts):
            if contact is not None and (contact.pointer_id, contact.surface) == (event.pointer_id, event.surface):
                return index
        return None

    def _with_slot(self, slot: int, contact: Contact | None) -> tuple[Contact | None, Contact | None]:
        first, second = self.contacts
        return (contact, second) if slot == 0 else (first, contact)


def on_one_touchpad(contact: Contact, dual: bool) -> tuple[float, float]:
    """Where a finger is on a pad with one touchpad; a client with two has the left half and the right half."""
    if not dual:
        return contact.x, contact.y
    return (contact.x + contact.surface) / 2, contact.y
