"""What the kernel shows of the real controllers on their cables: the tables that the virtual ones are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evdev import ecodes as e
from tests.vm.guest.pad_session import KERNEL, STEAM_FF

from punktfunk.input.events import PadKind
from punktfunk.input.gamepads.inputs import Button

Range = tuple[int, int, int, int, int]
"""Minimum, maximum, fuzz, flat, resolution."""
Places = Mapping[tuple[int, int], int]
"""Event types and codes, with their values."""
Stick = Callable[[int, int], tuple[int, int]]
"""What games see of a stick that the wire puts at x, y (up positive)."""


@dataclass(frozen=True)
class Node:
    """One input device: its name, what it can press and turn, its force feedback, its properties."""

    name: str
    axes: Mapping[int, Range]
    keys: frozenset[int] = frozenset()
    effects: frozenset[int] = frozenset()
    properties: frozenset[int] = frozenset()


@dataclass(frozen=True)
class RealPad:
    """One kind. ``nodes`` starts with the gamepad. ``directions`` are what each does: types, codes and values."""

    driver: str | None
    ids: tuple[int, int, int]
    nodes: tuple[Node, ...]
    buttons: Mapping[Button, int]
    directions: Mapping[Button, Places]
    stick: Stick
    trigger_axes: tuple[int, int] | None
    trigger_maximum: int = 255
    trigger_keys: tuple[int, int] | None = None
    trigger_key_from: int = 64
    leds: frozenset[str] = frozenset()
    battery: bool = False
    stick_tolerance: int = 0
    right_stick_key: int | None = None
    """Down while the right stick is away from its middle, where that stick is a touchpad."""


RUMBLE = frozenset((e.FF_RUMBLE, e.FF_PERIODIC, e.FF_SQUARE, e.FF_TRIANGLE, e.FF_SINE, e.FF_GAIN))
"""A driver that says FF_RUMBLE is given the others by the kernel."""
HAT = (-1, 1, 0, 0, 0)
HATS = {e.ABS_HAT0X: HAT, e.ABS_HAT0Y: HAT}
HAT_DIRECTIONS = {
    Button.UP: {(e.EV_ABS, e.ABS_HAT0Y): -1},
    Button.DOWN: {(e.EV_ABS, e.ABS_HAT0Y): 1},
    Button.LEFT: {(e.EV_ABS, e.ABS_HAT0X): -1},
    Button.RIGHT: {(e.EV_ABS, e.ABS_HAT0X): 1},
}
STICKS = (e.ABS_X, e.ABS_Y, e.ABS_RX, e.ABS_RY)
ACCELERATION, ROTATION = (e.ABS_X, e.ABS_Y, e.ABS_Z), (e.ABS_RX, e.ABS_RY, e.ABS_RZ)
COMMON = {
    Button.A: e.BTN_SOUTH,
    Button.B: e.BTN_EAST,
    Button.LEFT_SHOULDER: e.BTN_TL,
    Button.RIGHT_SHOULDER: e.BTN_TR,
    Button.BACK: e.BTN_SELECT,
    Button.START: e.BTN_START,
    Button.GUIDE: e.BTN_MODE,
    Button.LEFT_STICK: e.BTN_THUMBL,
    Button.RIGHT_STICK: e.BTN_THUMBR,
}
BY_LETTER = {Button.X: e.BTN_X, Button.Y: e.BTN_Y}
"""Microsoft's and Valve's drivers name the key after the letter on it, which is what BTN_X was for."""
BY_POSITION = {Button.X: e.BTN_WEST, Button.Y: e.BTN_NORTH}


def axes(codes: tuple[int, ...], values: Range) -> dict[int, Range]:
    return dict.fromkeys(codes, values)


def motion(name: str, acceleration: Range, rotation: Range) -> Node:
    both = {**axes(ACCELERATION, acceleration), **axes(ROTATION, rotation)}
    return Node(name, both, properties=frozenset({e.INPUT_PROP_ACCELEROMETER}))


# --- Xbox ------------------------------------------------------------------------------------------------------------


def xbox(name: str, product: int, version: int, trigger_maximum: int, buttons: Mapping[Button, int]) -> RealPad:
    keys = {**COMMON, **BY_LETTER, **buttons}
    ranges: dict[int, Range] = {
        **axes(STICKS, (-32768, 32767, 16, 128, 0)),
        **axes((e.ABS_Z, e.ABS_RZ), (0, trigger_maximum, 0, 0, 0)),
        **HATS,
    }
    return RealPad(
        driver=None,
        ids=(0x045E, product, version),
        nodes=(Node(name, ranges, frozenset(keys.values()), RUMBLE),),
        buttons=keys,
        directions=HAT_DIRECTIONS,
        stick=lambda x, y: (x, ~y),
        trigger_axes=(e.ABS_Z, e.ABS_RZ),
        trigger_maximum=trigger_maximum,
    )


ELITE_PADDLES = {
    Button.PADDLE_R4: e.BTN_TRIGGER_HAPPY5,
    Button.PADDLE_R5: e.BTN_TRIGGER_HAPPY6,
    Button.PADDLE_L4: e.BTN_TRIGGER_HAPPY7,
    Button.PADDLE_L5: e.BTN_TRIGGER_HAPPY8,
}

# --- PlayStation -----------------------------------------------------------------------------------------------------

TOUCHPAD_KEYS = frozenset((e.BTN_LEFT, e.BTN_TOOL_FINGER, e.BTN_TOUCH, e.BTN_TOOL_DOUBLETAP))
SONY_IS_OLD = KERNEL < (6, 2)
"""hid-sony has the DualShock 4 there, and counts a touchpad's places one further than hid-playstation."""


def sony(name: str, product: int, touch_height: int, leds: frozenset[str], *, old: bool = False) -> RealPad:
    keys = {**COMMON, **BY_POSITION}
    gamepad = Node(
        name,
        # hid-sony leaves the axes to the kernel's general part, which gives each a flat middle.
        {**axes((*STICKS, e.ABS_Z, e.ABS_RZ), (0, 255, 0, 15 if old else 0, 0)), **HATS},
        frozenset({*keys.values(), e.BTN_TL2, e.BTN_TR2}),
        RUMBLE,
    )
    width, height = (1920, touch_height) if old else (1919, touch_height - 1)
    across, down = (0, width, 0, 0, 0), (0, height, 0, 0, 0)
    touchpad = Node(
        f"{name} Touchpad",
        {
            **{e.ABS_X: across, e.ABS_Y: down, e.ABS_MT_POSITION_X: across, e.ABS_MT_POSITION_Y: down},
            **{e.ABS_MT_SLOT: (0, 1, 0, 0, 0), e.ABS_MT_TRACKING_ID: (0, 65535, 0, 0, 0)},
        },
        TOUCHPAD_KEYS,
        properties=frozenset({e.INPUT_PROP_POINTER, e.INPUT_PROP_BUTTONPAD}),
    )
    sensors = motion(f"{name} Motion Sensors", (-32768, 32768, 16, 0, 8192), (-2097152, 2097152, 16, 0, 1024))
    return RealPad(
        driver="sony" if old else "playstation",
        ids=(0x054C, product, 0x8111),
        nodes=(gamepad, sensors, touchpad),
        buttons=keys,
        directions=HAT_DIRECTIONS,
        stick=lambda x, y: ((x + 32768) >> 8, min((32768 - y) >> 8, 255)),
        trigger_axes=(e.ABS_Z, e.ABS_RZ),
        trigger_keys=(e.BTN_TL2, e.BTN_TR2),
        trigger_key_from=1,
        leds=leds,
        battery=True,
    )


SONY_NAME = "Sony Interactive Entertainment"
DUALSENSE_LEDS = frozenset({"rgb:indicator", *(f"white:player-{number}" for number in range(1, 6))})
DUALSHOCK_LEDS = frozenset({"red", "green", "blue", "global"})

# --- Nintendo --------------------------------------------------------------------------------------------------------

SWITCH_KEYS = {**COMMON, **BY_POSITION, Button.MISC: e.BTN_Z}
SWITCH_NAME = "Nintendo Co., Ltd. Pro Controller" if KERNEL >= (6, 8) else "Nintendo Switch Pro Controller"
SWITCH_IMU = f"{SWITCH_NAME} (IMU)" if KERNEL >= (6, 8) else f"{SWITCH_NAME} IMU"
SWITCH_PRO = RealPad(
    driver="nintendo",
    ids=(0x057E, 0x2009, 0x8111),
    nodes=(
        Node(
            SWITCH_NAME,
            {**axes(STICKS, (-32767, 32767, 250, 500, 0)), **HATS},
            frozenset({*SWITCH_KEYS.values(), e.BTN_TL2, e.BTN_TR2}),
            RUMBLE,
        ),
        motion(SWITCH_IMU, (-32767, 32767, 10, 0, 4096), (-32767000, 32767000, 10, 0, 14247)),
    ),
    buttons=SWITCH_KEYS,
    directions=HAT_DIRECTIONS,
    stick=lambda x, y: (max(x, -32767), -max(y, -32767)),
    stick_tolerance=16,
    trigger_axes=None,
    trigger_keys=(e.BTN_TL2, e.BTN_TR2),
    leds=frozenset({*(f"green:player-{number}" for number in range(1, 5)), "blue:player-5"}),
    battery=True,
)

# --- Valve -----------------------------------------------------------------------------------------------------------

DPAD_KEYS = {
    Button.UP: e.BTN_DPAD_UP,
    Button.DOWN: e.BTN_DPAD_DOWN,
    Button.LEFT: e.BTN_DPAD_LEFT,
    Button.RIGHT: e.BTN_DPAD_RIGHT,
}
DECK_DIRECTIONS = {button: {(e.EV_KEY, key): 1} for button, key in DPAD_KEYS.items()}
# On the Steam Controller they are places of the left touchpad, which is touched there.
CONTROLLER_DIRECTIONS = {
    button: {(e.EV_KEY, key): 1, (e.EV_KEY, e.BTN_THUMB): 1, (e.EV_ABS, axis): value}
    for (button, key), (axis, value) in zip(
        DPAD_KEYS.items(),
        ((e.ABS_HAT0Y, -32767), (e.ABS_HAT0Y, 32767), (e.ABS_HAT0X, -32767), (e.ABS_HAT0X, 32767)),
        strict=True,
    )
}
STEAM_PAD = (-32767, 32767, 256, 0, 1638)


def steam(
    name: str,
    product: int,
    axes_of_it: Mapping[int, Range],
    buttons: Mapping[Button, int],
    directions: Mapping[Button, Places],
    further: frozenset[int],
    *others: Node,
    trigger_maximum: int = 255,
    right_stick_key: int | None = None,
    effects: frozenset[int] = frozenset(),
) -> RealPad:
    keys = {**COMMON, **BY_LETTER, **buttons}
    pressable = frozenset({*keys.values(), *DPAD_KEYS.values(), e.BTN_TL2, e.BTN_TR2, *further})
    return RealPad(
        driver="hid-steam",
        ids=(0x28DE, product, 0x0111),
        nodes=(Node(name, axes_of_it, pressable, effects), *others),
        buttons=keys,
        directions=directions,
        stick=lambda x, y: (max(x, -32767), -max(y, -32767)),
        trigger_axes=(e.ABS_HAT2Y, e.ABS_HAT2X),
        trigger_maximum=trigger_maximum,
        trigger_keys=(e.BTN_TL2, e.BTN_TR2),
        right_stick_key=right_stick_key,
    )


STEAM_CONTROLLER = steam(
    "Steam Controller",
    0x1102,
    {
        **axes((e.ABS_X, e.ABS_Y), (-32767, 32767, 0, 0, 51)),
        **axes((e.ABS_RX, e.ABS_RY, e.ABS_HAT0X, e.ABS_HAT0Y), STEAM_PAD),
        **axes((e.ABS_HAT2X, e.ABS_HAT2Y), (0, 255, 0, 0, 51)),
    },
    {Button.PADDLE_L4: e.BTN_GEAR_DOWN, Button.PADDLE_R4: e.BTN_GEAR_UP},
    CONTROLLER_DIRECTIONS,
    frozenset({e.BTN_THUMB, e.BTN_THUMB2}),
    right_stick_key=e.BTN_THUMB2,
)
STEAM_DECK = steam(
    "Steam Deck",
    0x1205,
    {
        **axes(STICKS, (-32767, 32767, 0, 0, 6553)),
        **axes((e.ABS_HAT0X, e.ABS_HAT0Y, e.ABS_HAT1X, e.ABS_HAT1Y), STEAM_PAD),
        **axes((e.ABS_HAT2X, e.ABS_HAT2Y), (0, 32767, 0, 0, 5461)),
    },
    {
        Button.PADDLE_L4: e.BTN_TRIGGER_HAPPY1,
        Button.PADDLE_R4: e.BTN_TRIGGER_HAPPY2,
        Button.PADDLE_L5: e.BTN_TRIGGER_HAPPY3,
        Button.PADDLE_R5: e.BTN_TRIGGER_HAPPY4,
        Button.MISC: e.BTN_BASE,
        Button.TOUCHPAD: e.BTN_THUMB2,
    },
    DECK_DIRECTIONS,
    frozenset({e.BTN_THUMB}),
    motion("Steam Deck Motion Sensors", (-32768, 32768, 32, 0, 16384), (-32768, 32768, 1, 0, 16)),
    trigger_maximum=32767,
    effects=RUMBLE if STEAM_FF else frozenset(),
)

REAL = {
    PadKind.XBOX_360: xbox("Microsoft X-Box 360 pad", 0x028E, 0x0114, 255, {}),
    PadKind.XBOX_ONE: xbox("Microsoft Xbox Series S|X Controller", 0x0B12, 0x0509, 1023, {Button.MISC: e.KEY_RECORD}),
    PadKind.XBOX_ELITE: xbox("Microsoft X-Box One Elite 2 pad", 0x0B00, 0x0407, 1023, ELITE_PADDLES),
    PadKind.DUALSHOCK_4: sony(f"{SONY_NAME} Wireless Controller", 0x09CC, 942, DUALSHOCK_LEDS, old=SONY_IS_OLD),
    PadKind.DUALSENSE: sony(f"{SONY_NAME} DualSense Wireless Controller", 0x0CE6, 1080, DUALSENSE_LEDS),
    PadKind.DUALSENSE_EDGE: sony(f"{SONY_NAME} DualSense Edge Wireless Controller", 0x0DF2, 1080, DUALSENSE_LEDS),
    PadKind.SWITCH_PRO: SWITCH_PRO,
    PadKind.STEAM_CONTROLLER: STEAM_CONTROLLER,
    PadKind.STEAM_DECK: STEAM_DECK,
}
