"""SDL, as most games use it, knows every pad: as a game controller, with its buttons in place, and it can rumble."""

from __future__ import annotations

import ctypes
import ctypes.util
import os

import pytest
from tests.vm.guest.conftest import Plug
from tests.vm.guest.pad_session import KNOWS_THE_DECK, eventually

from punktfunk.input.events import PadKind, Rumbled
from punktfunk.input.gamepads.inputs import Button

pytestmark = pytest.mark.vm

GAME_CONTROLLER = 0x2000
KINDS = {
    PadKind.XBOX_360: (0x045E, 0x028E),
    PadKind.XBOX_ONE: (0x045E, 0x0B12),
    PadKind.XBOX_ELITE: (0x045E, 0x0B00),
    PadKind.DUALSHOCK_4: (0x054C, 0x09CC),
    PadKind.DUALSENSE: (0x054C, 0x0CE6),
    PadKind.DUALSENSE_EDGE: (0x054C, 0x0DF2),
    PadKind.SWITCH_PRO: (0x057E, 0x2009),
    PadKind.STEAM_CONTROLLER: (0x28DE, 0x1102),
    PadKind.STEAM_DECK: (0x28DE, 0x1205),
}
BUTTONS = (Button.A, Button.B, Button.X, Button.Y, Button.BACK, Button.GUIDE, Button.START, Button.LEFT_STICK)
"""In the order of SDL_GameControllerButton."""
RUMBLES = KINDS.keys() - {PadKind.STEAM_CONTROLLER, PadKind.STEAM_DECK}
"""Debian builds hid-steam without force feedback; Steam itself uses feature reports."""

GUESSED_BY_OLD_SDL = {PadKind.DUALSENSE_EDGE}
"""Not in the database of SDL 2.26, whose guess swaps X and Y; a real one fares the same there."""
SWAPPED = {2: 3, 3: 2}


@pytest.fixture(scope="module")
def sdl() -> ctypes.CDLL:
    name = ctypes.util.find_library("SDL2-2.0")
    if name is None:
        pytest.skip("libSDL2 is not installed")
    # No udev in the guest; the kernel's drivers, not SDL's own; buttons by position; no window.
    os.environ |= {
        "SDL_JOYSTICK_DISABLE_UDEV": "1",
        "SDL_JOYSTICK_HIDAPI": "0",
        "SDL_GAMECONTROLLER_USE_BUTTON_LABELS": "0",
        "SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS": "1",
        "SDL_VIDEODRIVER": "dummy",
    }
    library = ctypes.CDLL(name)
    library.SDL_GameControllerOpen.restype = ctypes.c_void_p
    library.SDL_GameControllerMapping.restype = ctypes.c_char_p
    return library


@pytest.mark.parametrize("kind", KINDS)
def test_sdl_knows_the_pad(plug: Plug, sdl: ctypes.CDLL, kind: PadKind) -> None:
    if kind is PadKind.STEAM_DECK and not KNOWS_THE_DECK:
        pytest.skip("this kernel's hid-steam does not know the Deck")
    session = plug(kind)
    eventually(session.names)
    assert sdl.SDL_Init(GAME_CONTROLLER) == 0
    try:
        index = eventually(lambda: _index_of(sdl, KINDS[kind]), "SDL does not see it as a game controller")
        pad = ctypes.c_void_p(sdl.SDL_GameControllerOpen(index - 1))
        for number, button in enumerate(BUTTONS):
            session.state(button)
            wanted = SWAPPED.get(number, number) if kind in GUESSED_BY_OLD_SDL else number
            _wait_pressed(sdl, pad, wanted)
        if kind in RUMBLES:
            assert sdl.SDL_GameControllerRumble(pad, 0xFFFF, 0, 5000) == 0
            eventually(lambda: any(isinstance(each, Rumbled) and each.low > 0xF000 for each in session.feedback))
        sdl.SDL_GameControllerClose(pad)
    finally:
        sdl.SDL_Quit()


def _index_of(sdl: ctypes.CDLL, ids: tuple[int, int]) -> int:
    """One more than SDL's index of the game controller with these ids; 0 while there is none."""
    sdl.SDL_JoystickUpdate()
    for index in range(sdl.SDL_NumJoysticks()):
        seen = sdl.SDL_JoystickGetDeviceVendor(index), sdl.SDL_JoystickGetDeviceProduct(index)
        if seen == ids and sdl.SDL_IsGameController(index):
            return index + 1
    return 0


def _wait_pressed(sdl: ctypes.CDLL, pad: ctypes.c_void_p, number: int) -> None:
    eventually(lambda: _pressed(sdl, pad) == [number], f"{_pressed(sdl, pad)}, expected button {number}")


def _pressed(sdl: ctypes.CDLL, pad: ctypes.c_void_p) -> list[int]:
    sdl.SDL_GameControllerUpdate()
    return [number for number in range(len(BUTTONS)) if sdl.SDL_GameControllerGetButton(pad, number)]
