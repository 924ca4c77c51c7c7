"""Xbox pads as the kernel's own driver (xpad) presents them over USB: names, ids, axes and force feedback."""

from __future__ import annotations

from punktfunk.input.gamepads.force_feedback import (
    FF_GAIN,
    FF_PERIODIC,
    FF_RUMBLE,
    FF_SINE,
    FF_SQUARE,
    FF_TRIANGLE,
    MAX_EFFECTS,
)
from punktfunk.input.gamepads.inputs import Button, PadInputs
from punktfunk.input.uinput import EV_ABS, EV_KEY, Axis, DeviceDescription

ABS_X, ABS_Y, ABS_Z, ABS_RX, ABS_RY, ABS_RZ, ABS_HAT0X, ABS_HAT0Y = 0, 1, 2, 3, 4, 5, 0x10, 0x11
KEY_RECORD = 167
BTN_A, BTN_B, BTN_X, BTN_Y = 0x130, 0x131, 0x133, 0x134
BTN_TL, BTN_TR, BTN_SELECT, BTN_START, BTN_MODE, BTN_THUMBL, BTN_THUMBR = (0x136, 0x137, *range(0x13A, 0x13F))
BTN_TRIGGER_HAPPY5 = 0x2C4

MICROSOFT = 0x045E
_TRIGGER_MAX = 255

COMMON_KEYS = {
    Button.A: BTN_A,
    Button.B: BTN_B,
    Button.X: BTN_X,
    Button.Y: BTN_Y,
    Button.LEFT_SHOULDER: BTN_TL,
    Button.RIGHT_SHOULDER: BTN_TR,
    Button.BACK: BTN_SELECT,
    Button.START: BTN_START,
    Button.GUIDE: BTN_MODE,
    Button.LEFT_STICK: BTN_THUMBL,
    Button.RIGHT_STICK: BTN_THUMBR,
}
PADDLE_KEYS = {
    Button.PADDLE_R4: BTN_TRIGGER_HAPPY5,
    Button.PADDLE_R5: BTN_TRIGGER_HAPPY5 + 1,
    Button.PADDLE_L4: BTN_TRIGGER_HAPPY5 + 2,
    Button.PADDLE_L5: BTN_TRIGGER_HAPPY5 + 3,
}
SHARE_KEY = {Button.MISC: KEY_RECORD}

_STICK = Axis(-32768, 32767, fuzz=16, flat=128)
_HAT = Axis(-1, 1)
# What the kernel derives from a pad that only rumbles: periodic effects are played as rumble.
_EFFECTS = (FF_RUMBLE, FF_PERIODIC, FF_SQUARE, FF_TRIANGLE, FF_SINE, FF_GAIN)


class XboxPad:
    """One Xbox model; see `XBOX_360`, `XBOX_SERIES`, `XBOX_ELITE_2`."""

    def __init__(
        self, name: str, product: int, version: int, trigger_maximum: int, extra_keys: dict[Button, int]
    ) -> None:
        self.keys = {**COMMON_KEYS, **extra_keys}
        self._trigger_maximum = trigger_maximum
        trigger = Axis(0, trigger_maximum)
        self.description = DeviceDescription(
            name,
            MICROSOFT,
            product,
            version,
            tuple(self.keys.values()),
            {
                **dict.fromkeys((ABS_X, ABS_Y, ABS_RX, ABS_RY), _STICK),
                **dict.fromkeys((ABS_Z, ABS_RZ), trigger),
                **dict.fromkeys((ABS_HAT0X, ABS_HAT0Y), _HAT),
            },
            _EFFECTS,
            MAX_EFFECTS,
        )

    def events(self, inputs: PadInputs) -> list[tuple[int, int, int]]:
        """The whole state as evdev events, down positive; the kernel drops those that change nothing."""
        pressed = inputs.buttons
        events = [(EV_KEY, code, int(pressed & bit != 0)) for bit, code in self.keys.items()]
        horizontal = (pressed & Button.RIGHT != 0) - (pressed & Button.LEFT != 0)
        vertical = (pressed & Button.DOWN != 0) - (pressed & Button.UP != 0)
        events += (
            (EV_ABS, ABS_X, inputs.left_x),
            (EV_ABS, ABS_Y, ~inputs.left_y),
            (EV_ABS, ABS_RX, inputs.right_x),
            (EV_ABS, ABS_RY, ~inputs.right_y),
            (EV_ABS, ABS_Z, self._trigger(inputs.left_trigger)),
            (EV_ABS, ABS_RZ, self._trigger(inputs.right_trigger)),
            (EV_ABS, ABS_HAT0X, horizontal),
            (EV_ABS, ABS_HAT0Y, vertical),
        )
        return events

    def _trigger(self, value: int) -> int:
        return value * self._trigger_maximum // _TRIGGER_MAX


XBOX_360 = XboxPad("Microsoft X-Box 360 pad", 0x028E, 0x0114, 255, {})
XBOX_SERIES = XboxPad("Microsoft Xbox Series S|X Controller", 0x0B12, 0x0509, 1023, SHARE_KEY)
XBOX_ELITE_2 = XboxPad("Microsoft X-Box One Elite 2 pad", 0x0B00, 0x0407, 1023, PADDLE_KEYS)
