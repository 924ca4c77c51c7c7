"""Game controllers through SDL: states to the host, rumble back."""

from __future__ import annotations

from typing import Any

import sdl2

from punktfunk.client.inputs import InputSender
from punktfunk.client.pad_board import PadState
from punktfunk.client.rumble import RumbleLevel
from punktfunk.wire.punktfunk1.enums import Gamepad
from punktfunk.wire.punktfunk1.input_event import MAX_PADS

RUMBLE_MS = 5000
"""SDL's own limit; the host's time to live ends a rumble much sooner."""

_BUTTONS = {
    sdl2.SDL_CONTROLLER_BUTTON_DPAD_UP: 0x0001,
    sdl2.SDL_CONTROLLER_BUTTON_DPAD_DOWN: 0x0002,
    sdl2.SDL_CONTROLLER_BUTTON_DPAD_LEFT: 0x0004,
    sdl2.SDL_CONTROLLER_BUTTON_DPAD_RIGHT: 0x0008,
    sdl2.SDL_CONTROLLER_BUTTON_START: 0x0010,
    sdl2.SDL_CONTROLLER_BUTTON_BACK: 0x0020,
    sdl2.SDL_CONTROLLER_BUTTON_LEFTSTICK: 0x0040,
    sdl2.SDL_CONTROLLER_BUTTON_RIGHTSTICK: 0x0080,
    sdl2.SDL_CONTROLLER_BUTTON_LEFTSHOULDER: 0x0100,
    sdl2.SDL_CONTROLLER_BUTTON_RIGHTSHOULDER: 0x0200,
    sdl2.SDL_CONTROLLER_BUTTON_GUIDE: 0x0400,
    sdl2.SDL_CONTROLLER_BUTTON_A: 0x1000,
    sdl2.SDL_CONTROLLER_BUTTON_B: 0x2000,
    sdl2.SDL_CONTROLLER_BUTTON_X: 0x4000,
    sdl2.SDL_CONTROLLER_BUTTON_Y: 0x8000,
    sdl2.SDL_CONTROLLER_BUTTON_PADDLE1: 0x01_0000,
    sdl2.SDL_CONTROLLER_BUTTON_PADDLE3: 0x02_0000,
    sdl2.SDL_CONTROLLER_BUTTON_PADDLE2: 0x04_0000,
    sdl2.SDL_CONTROLLER_BUTTON_PADDLE4: 0x08_0000,
    sdl2.SDL_CONTROLLER_BUTTON_TOUCHPAD: 0x10_0000,
    sdl2.SDL_CONTROLLER_BUTTON_MISC1: 0x20_0000,
}
_KINDS = {
    sdl2.SDL_CONTROLLER_TYPE_PS4: Gamepad.DUALSHOCK_4,
    sdl2.SDL_CONTROLLER_TYPE_PS5: Gamepad.DUALSENSE,
    sdl2.SDL_CONTROLLER_TYPE_XBOXONE: Gamepad.XBOX_ONE,
    sdl2.SDL_CONTROLLER_TYPE_NINTENDO_SWITCH_PRO: Gamepad.SWITCH_PRO,
}


class WindowPads:
    """Controllers that SDL knows, up to the protocol's number."""

    def __init__(self, sender: InputSender) -> None:
        self._sender = sender
        self._open: dict[int, tuple[int, Any]] = {}

    def added(self, device_index: int, now: float) -> None:
        """SDL found a controller."""
        taken = {pad for pad, _ in self._open.values()}
        free = next((pad for pad in range(MAX_PADS) if pad not in taken), None)
        controller = sdl2.SDL_GameControllerOpen(device_index) if free is not None else None
        if not controller or free is None:
            return
        instance = sdl2.SDL_JoystickInstanceID(sdl2.SDL_GameControllerGetJoystick(controller))
        if instance in self._open:
            return
        self._open[instance] = free, controller
        kind = _KINDS.get(sdl2.SDL_GameControllerGetType(controller), Gamepad.XBOX_360)
        self._sender.pad_arrived(free, kind, now)
        self.changed(instance, now)

    def removed(self, instance: int, now: float) -> None:
        """A controller is gone."""
        entry = self._open.pop(instance, None)
        if entry is not None:
            sdl2.SDL_GameControllerClose(entry[1])
            self._sender.pad_removed(entry[0], now)

    def changed(self, instance: int, now: float) -> None:
        """A button or an axis of a controller."""
        entry = self._open.get(instance)
        if entry is not None:
            self._sender.pad(entry[0], _state(entry[1]), now)

    def rumble(self, level: RumbleLevel) -> None:
        """Shake a controller, or stop."""
        for pad, controller in self._open.values():
            if pad == level.pad:
                sdl2.SDL_GameControllerRumble(controller, level.low, level.high, RUMBLE_MS)
                sdl2.SDL_GameControllerRumbleTriggers(controller, level.left_trigger, level.right_trigger, RUMBLE_MS)

    def close(self) -> None:
        """Forget all controllers."""
        for _, controller in self._open.values():
            sdl2.SDL_GameControllerClose(controller)
        self._open.clear()


def _state(controller: Any) -> PadState:
    def axis(number: int) -> int:
        return int(sdl2.SDL_GameControllerGetAxis(controller, number))

    pressed = (bit for button, bit in _BUTTONS.items() if sdl2.SDL_GameControllerGetButton(controller, button))
    return PadState(
        buttons=sum(pressed),
        left_x=axis(sdl2.SDL_CONTROLLER_AXIS_LEFTX),
        # SDL counts down as positive; -32768 has no positive counterpart.
        left_y=min(32767, -axis(sdl2.SDL_CONTROLLER_AXIS_LEFTY)),
        right_x=axis(sdl2.SDL_CONTROLLER_AXIS_RIGHTX),
        right_y=min(32767, -axis(sdl2.SDL_CONTROLLER_AXIS_RIGHTY)),
        left_trigger=axis(sdl2.SDL_CONTROLLER_AXIS_TRIGGERLEFT) >> 7,
        right_trigger=axis(sdl2.SDL_CONTROLLER_AXIS_TRIGGERRIGHT) >> 7,
    )
