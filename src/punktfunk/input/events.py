"""Neutral input events and feedback: what both protocols decode to, and what every injector takes.

Positions are fractions of the streamed picture, 0.0 (left, top) to 1.0 (right, bottom). Keys and buttons are Linux
evdev codes, in the US-positional sense: the code names the physical key. A decoder has already checked every bound.
"""

from __future__ import annotations

import enum

import msgspec


class _Event(msgspec.Struct, frozen=True, tag=True):
    """Base of all events; the tag is the class name."""


class KeyChanged(_Event, frozen=True, tag=True):
    """One physical key. ``code`` is an evdev key code, ``modifiers`` the bits the client believes are held
    (1 shift, 2 ctrl, 4 alt, 8 meta), for clients whose on-screen keyboards send only the bits. ``by_meaning``: the
    client means the letter that a US keyboard has there, wherever the session's layout has it."""

    code: int
    pressed: bool
    modifiers: int = 0
    by_meaning: bool = False


class TextTyped(_Event, frozen=True, tag=True):
    """Text to insert as text, whatever the keyboard layout."""

    text: str


class PointerMoved(_Event, frozen=True, tag=True):
    """Relative motion in pixels, right and down positive."""

    dx: int
    dy: int


class PointerPlaced(_Event, frozen=True, tag=True):
    """Absolute position as fractions of the picture."""

    x: float
    y: float


class ButtonChanged(_Event, frozen=True, tag=True):
    """A mouse button; ``code`` is an evdev BTN_* code: 0x110 left, 0x111 right, 0x112 middle, 0x113 back, 0x114
    forward."""

    code: int
    pressed: bool


class Scrolled(_Event, frozen=True, tag=True):
    """Scroll distance, 120 units a notch; ``vertical`` positive is up (away from the user), ``horizontal`` right."""

    horizontal: int = 0
    vertical: int = 0


class ContactPhase(enum.Enum):
    """What a finger or a pen did."""

    HOVER = "hover"
    DOWN = "down"
    MOVE = "move"
    UP = "up"
    CANCEL = "cancel"
    CANCEL_ALL = "cancel_all"
    BUTTONS = "buttons"
    LEAVE = "leave"


class Touched(_Event, frozen=True, tag=True):
    """One finger. ``pressure`` 0..1 (0 unknown; a distance while hovering), ``rotation`` degrees or None."""

    phase: ContactPhase
    pointer_id: int
    x: float = 0.0
    y: float = 0.0
    pressure: float = 0.0
    major: float = 0.0
    minor: float = 0.0
    rotation: int | None = None


class PenTool(enum.Enum):
    """Which end of the pen."""

    UNKNOWN = "unknown"
    PEN = "pen"
    ERASER = "eraser"


class PenMoved(_Event, frozen=True, tag=True):
    """One pen sample. ``pressure`` 0..1 in contact, ``distance`` 0..1 hovering, ``tilt`` 0..90 degrees from vertical,
    ``rotation`` 0..360 degrees clockwise from the top, where the tilted end points, ``roll`` 0..360 degrees around the
    pen's own axis, ``buttons`` bits 1 primary, 2 secondary, 4 tertiary."""

    phase: ContactPhase
    tool: PenTool
    x: float
    y: float
    pressure: float = 0.0
    distance: float = 0.0
    tilt: int | None = None
    rotation: int | None = None
    buttons: int = 0
    roll: int | None = None


class PadKind(enum.Enum):
    """Kinds of controller, neutral between both protocols."""

    AUTO = "auto"
    XBOX_360 = "xbox_360"
    XBOX_ONE = "xbox_one"
    XBOX_ELITE = "xbox_elite"
    DUALSHOCK_4 = "dualshock_4"
    DUALSENSE = "dualsense"
    DUALSENSE_EDGE = "dualsense_edge"
    SWITCH_PRO = "switch_pro"
    STEAM_CONTROLLER = "steam_controller"
    STEAM_CONTROLLER_2 = "steam_controller_2"
    STEAM_CONTROLLER_2_PUCK = "steam_controller_2_puck"
    STEAM_DECK = "steam_deck"


class PadArrived(_Event, frozen=True, tag=True):
    """A controller was plugged in. ``capabilities`` as in GameStream's arrival packet (gamestream.md 7.6):
    1 analog triggers, 2 rumble, 4 trigger rumble, 8 touchpad, 0x10 accelerometer, 0x20 gyroscope, 0x40 battery,
    0x80 RGB LED, 0x100 dual touchpad."""

    pad: int
    kind: PadKind
    capabilities: int = 0
    supported_buttons: int = 0


class PadRemoved(_Event, frozen=True, tag=True):
    """A controller was unplugged."""

    pad: int


class PadState(_Event, frozen=True, tag=True):
    """Whole state of one controller. ``buttons`` bits as both protocols define them (gamestream.md 7.6, punktfunk1.md
    7.3); sticks -32768..32767 with positive Y up; triggers 0..255."""

    pad: int
    buttons: int
    left_trigger: int = 0
    right_trigger: int = 0
    left_x: int = 0
    left_y: int = 0
    right_x: int = 0
    right_y: int = 0


class PadTouched(_Event, frozen=True, tag=True):
    """A finger on a controller's touchpad, position as fractions of the pad; ``surface`` 0 is the only or left one."""

    pad: int
    surface: int
    phase: ContactPhase
    pointer_id: int
    x: float = 0.0
    y: float = 0.0
    pressure: float = 0.0
    clicked: bool = False


class PadMotion(_Event, frozen=True, tag=True):
    """Motion of one controller; None = no new sample. ``gyro`` in degrees/s, ``acceleration`` in m/s² with gravity."""

    pad: int
    gyro: tuple[float, float, float] | None = None
    acceleration: tuple[float, float, float] | None = None


class PadBattery(_Event, frozen=True, tag=True):
    """``state``: 0 unknown, 1 absent, 2 discharging, 3 charging, 4 not charging, 5 full; ``percent`` 0..100 or None."""

    pad: int
    state: int
    percent: int | None = None


PadEvent = PadArrived | PadRemoved | PadState | PadTouched | PadMotion | PadBattery
"""What is about a controller."""

InputEvent = (
    KeyChanged
    | TextTyped
    | PointerMoved
    | PointerPlaced
    | ButtonChanged
    | Scrolled
    | Touched
    | PenMoved
    | PadArrived
    | PadRemoved
    | PadState
    | PadTouched
    | PadMotion
    | PadBattery
)


class Rumbled(_Event, frozen=True, tag=True):
    """Main motors of one pad, 0..65535."""

    pad: int
    low: int
    high: int


class TriggersRumbled(_Event, frozen=True, tag=True):
    """Trigger motors of one pad, 0..65535."""

    pad: int
    left: int
    right: int


class MotionRequested(_Event, frozen=True, tag=True):
    """The game wants motion samples: ``rate_hz`` 0 = stop; ``sensor`` 1 accelerometer, 2 gyroscope."""

    pad: int
    sensor: int
    rate_hz: int


class LightChanged(_Event, frozen=True, tag=True):
    """RGB light of one pad."""

    pad: int
    red: int
    green: int
    blue: int


class PlayerLedsChanged(_Event, frozen=True, tag=True):
    """Player LEDs of one pad, low five bits."""

    pad: int
    bits: int


class TriggerEffect(_Event, frozen=True, tag=True):
    """Adaptive-trigger effect in DualSense form: mode byte and ten parameter bytes; ``side`` 0 left, 1 right."""

    pad: int
    side: int
    mode: int
    parameters: bytes


Feedback = Rumbled | TriggersRumbled | MotionRequested | LightChanged | PlayerLedsChanged | TriggerEffect
