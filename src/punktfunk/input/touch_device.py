"""A touchscreen and a pen tablet of the kernel, for desktops that read input devices. Pure: events in, evdev out."""

from __future__ import annotations

import math

from punktfunk.input.events import ContactPhase, PenMoved, PenTool, Touched
from punktfunk.input.uinput import EV_ABS, EV_KEY, Axis, DeviceDescription

MAX_FINGERS = 16
RANGE = 32767
"""Positions of both devices; the picture is mapped onto them."""
PRESSURE_RANGE, DISTANCE_RANGE = 8191, 1023
VENDOR, TOUCH_PRODUCT, PEN_PRODUCT = 0x1209, 0x5046, 0x5047

BTN_TOUCH, BTN_TOOL_PEN, BTN_TOOL_RUBBER = 0x14A, 0x140, 0x141
BTN_STYLUS, BTN_STYLUS2, BTN_STYLUS3 = 0x14B, 0x14C, 0x149
ABS_X, ABS_Y, ABS_Z, ABS_PRESSURE, ABS_DISTANCE, ABS_TILT_X, ABS_TILT_Y = 0x00, 0x01, 0x02, 0x18, 0x19, 0x1A, 0x1B
ABS_MT_SLOT, ABS_MT_TOUCH_MAJOR, ABS_MT_TOUCH_MINOR, ABS_MT_ORIENTATION = 0x2F, 0x30, 0x31, 0x34
ABS_MT_POSITION_X, ABS_MT_POSITION_Y, ABS_MT_TRACKING_ID, ABS_MT_PRESSURE = 0x35, 0x36, 0x39, 0x3A
_PROP_DIRECT = 0x01
_UNITS_PER_MM = 100
_UNITS_PER_RADIAN = 57
_BARREL = ((1, BTN_STYLUS), (2, BTN_STYLUS2), (4, BTN_STYLUS3))
_TRACKING_IDS = 0x10000

Event = tuple[int, int, int]


def touchscreen(phys: str) -> DeviceDescription:
    """What the touchscreen can do."""
    place = Axis(0, RANGE, resolution=_UNITS_PER_MM)
    size = Axis(0, RANGE)
    return DeviceDescription(
        name="punktfunk touchscreen",
        vendor=VENDOR,
        product=TOUCH_PRODUCT,
        version=1,
        keys=(BTN_TOUCH,),
        axes={
            ABS_X: place,
            ABS_Y: place,
            ABS_MT_SLOT: Axis(0, MAX_FINGERS - 1),
            ABS_MT_TOUCH_MAJOR: size,
            ABS_MT_TOUCH_MINOR: size,
            ABS_MT_ORIENTATION: Axis(-90, 90),
            ABS_MT_POSITION_X: place,
            ABS_MT_POSITION_Y: place,
            ABS_MT_TRACKING_ID: Axis(0, _TRACKING_IDS - 1),
            ABS_MT_PRESSURE: Axis(0, PRESSURE_RANGE),
        },
        phys=phys,
        properties=(_PROP_DIRECT,),
    )


def pen_tablet(phys: str) -> DeviceDescription:
    """What the tablet can do."""
    place = Axis(0, RANGE, resolution=_UNITS_PER_MM)
    tilt = Axis(-90, 90, resolution=_UNITS_PER_RADIAN)
    return DeviceDescription(
        name="punktfunk pen",
        vendor=VENDOR,
        product=PEN_PRODUCT,
        version=1,
        keys=(BTN_TOUCH, BTN_TOOL_PEN, BTN_TOOL_RUBBER, BTN_STYLUS, BTN_STYLUS2, BTN_STYLUS3),
        axes={
            ABS_X: place,
            ABS_Y: place,
            ABS_Z: Axis(-180, 179),
            ABS_PRESSURE: Axis(0, PRESSURE_RANGE),
            ABS_DISTANCE: Axis(0, DISTANCE_RANGE),
            ABS_TILT_X: tilt,
            ABS_TILT_Y: tilt,
        },
        phys=phys,
        properties=(_PROP_DIRECT,),
    )


class Fingers:
    """Gives each finger a slot, by the multitouch protocol B of the kernel."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._next_id = 0

    @property
    def count(self) -> int:
        """How many fingers are down."""
        return len(self._slots)

    def change(self, event: Touched) -> list[Event]:
        """The events of one frame; none for what a touchscreen does not tell: hovering, fingers beyond the last."""
        match event.phase:
            case ContactPhase.DOWN | ContactPhase.MOVE if event.pointer_id in self._slots:
                return self._place(event)
            case ContactPhase.DOWN:
                return self._land(event)
            case ContactPhase.UP | ContactPhase.CANCEL if event.pointer_id in self._slots:
                return self._lift(event.pointer_id)
            case ContactPhase.CANCEL_ALL:
                return self.release_all()
            case _:
                return []

    def release_all(self) -> list[Event]:
        """Lift every finger."""
        return [event for finger in list(self._slots) for event in self._lift(finger)]

    def _land(self, event: Touched) -> list[Event]:
        slot = next((slot for slot in range(MAX_FINGERS) if slot not in self._slots.values()), None)
        if slot is None:
            return []
        first = not self._slots
        self._slots[event.pointer_id] = slot
        self._next_id = (self._next_id + 1) % _TRACKING_IDS
        landed = [(EV_ABS, ABS_MT_SLOT, slot), (EV_ABS, ABS_MT_TRACKING_ID, self._next_id), *self._shape(event)]
        return [*landed, (EV_KEY, BTN_TOUCH, 1), *_single(event)] if first else landed

    def _place(self, event: Touched) -> list[Event]:
        slot = self._slots[event.pointer_id]
        moved = [(EV_ABS, ABS_MT_SLOT, slot), *self._shape(event)]
        return [*moved, *_single(event)] if event.pointer_id == next(iter(self._slots)) else moved

    def _lift(self, finger: int) -> list[Event]:
        slot = self._slots.pop(finger)
        lifted = [(EV_ABS, ABS_MT_SLOT, slot), (EV_ABS, ABS_MT_TRACKING_ID, -1)]
        return lifted if self._slots else [*lifted, (EV_KEY, BTN_TOUCH, 0)]

    @staticmethod
    def _shape(event: Touched) -> list[Event]:
        angle = event.rotation
        return [
            (EV_ABS, ABS_MT_POSITION_X, _scaled(event.x, RANGE)),
            (EV_ABS, ABS_MT_POSITION_Y, _scaled(event.y, RANGE)),
            (EV_ABS, ABS_MT_PRESSURE, _scaled(event.pressure, PRESSURE_RANGE)),
            (EV_ABS, ABS_MT_TOUCH_MAJOR, _scaled(event.major, RANGE)),
            (EV_ABS, ABS_MT_TOUCH_MINOR, _scaled(event.minor, RANGE)),
            # An ellipse is the same after half a turn.
            (EV_ABS, ABS_MT_ORIENTATION, 0 if angle is None else (angle + 90) % 180 - 90),
        ]


class Pen:
    """One pen: in range, touching, its buttons, and all that it measures."""

    def __init__(self) -> None:
        self._tool: int | None = None
        self._touching = False
        self._buttons = 0

    @property
    def in_range(self) -> bool:
        """Whether the tablet sees it."""
        return self._tool is not None

    def change(self, event: PenMoved) -> list[list[Event]]:
        """Frames to write one after the other; the tool's other end has to leave before this one comes."""
        if event.phase in (ContactPhase.LEAVE, ContactPhase.CANCEL, ContactPhase.CANCEL_ALL):
            return self.release_all()
        tool = BTN_TOOL_RUBBER if event.tool is PenTool.ERASER else BTN_TOOL_PEN
        frames = self.release_all() if self._tool not in (None, tool) else []
        frame: list[Event] = []
        if self._tool is None:
            self._tool = tool
            frame.append((EV_KEY, tool, 1))
        if event.phase is not ContactPhase.BUTTONS:
            frame += _measured(event)
            self._touching, before = event.phase in (ContactPhase.DOWN, ContactPhase.MOVE), self._touching
            if self._touching != before:
                frame.append((EV_KEY, BTN_TOUCH, int(self._touching)))
        frame += self._barrel(event.buttons)
        return [*frames, frame] if frame else frames

    def release_all(self) -> list[list[Event]]:
        """Take the pen away."""
        if self._tool is None:
            return []
        frame = self._barrel(0)
        if self._touching:
            frame += [(EV_ABS, ABS_PRESSURE, 0), (EV_KEY, BTN_TOUCH, 0)]
        frame.append((EV_KEY, self._tool, 0))
        self._tool, self._touching = None, False
        return [frame]

    def _barrel(self, buttons: int) -> list[Event]:
        changed, self._buttons = self._buttons ^ buttons, buttons
        return [(EV_KEY, code, int(bool(buttons & bit))) for bit, code in _BARREL if changed & bit]


def tilt_axes(tilt: int, azimuth: int) -> tuple[int, int]:
    """Degrees of tilt to the right and towards the person, from the angle to the vertical and the direction (clockwise
    from the picture's top) in which the pen's other end points."""
    slope, direction = math.tan(math.radians(min(tilt, 89))), math.radians(azimuth)
    right, down = math.sin(direction) * slope, -math.cos(direction) * slope
    return round(math.degrees(math.atan(right))), round(math.degrees(math.atan(down)))


def _measured(event: PenMoved) -> list[Event]:
    touching = event.phase in (ContactPhase.DOWN, ContactPhase.MOVE)
    tilt_x, tilt_y = tilt_axes(event.tilt, event.rotation or 0) if event.tilt is not None else (0, 0)
    return [
        (EV_ABS, ABS_X, _scaled(event.x, RANGE)),
        (EV_ABS, ABS_Y, _scaled(event.y, RANGE)),
        # A pen that touches and does not measure its pressure presses half.
        (EV_ABS, ABS_PRESSURE, _scaled(event.pressure or 0.5, PRESSURE_RANGE) if touching else 0),
        (EV_ABS, ABS_DISTANCE, 0 if touching else _scaled(event.distance, DISTANCE_RANGE)),
        (EV_ABS, ABS_TILT_X, tilt_x),
        (EV_ABS, ABS_TILT_Y, tilt_y),
        (EV_ABS, ABS_Z, 0 if event.roll is None else (event.roll + 180) % 360 - 180),
    ]


def _single(event: Touched) -> list[Event]:
    return [(EV_ABS, ABS_X, _scaled(event.x, RANGE)), (EV_ABS, ABS_Y, _scaled(event.y, RANGE))]


def _scaled(fraction: float, top: int) -> int:
    return round(min(max(fraction, 0.0), 1.0) * top)
