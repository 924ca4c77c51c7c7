"""SDL, as most games use it, knows every pad by ids and name, with buttons and axes in place, and it rumbles."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from collections.abc import Iterator

import pytest
from tests.vm.guest.conftest import Plug
from tests.vm.guest.pad_session import PadSession, eventually
from tests.vm.guest.real_pads import REAL
from tests.vm.guest.test_capabilities import KINDS

from punktfunk.input.events import PadKind, Rumbled
from punktfunk.input.gamepads.inputs import Button

pytestmark = pytest.mark.vm

GAME_CONTROLLER = 0x2000
BUTTONS = (
    *(Button.A, Button.B, Button.X, Button.Y, Button.BACK, Button.GUIDE, Button.START),
    *(Button.LEFT_STICK, Button.RIGHT_STICK, Button.LEFT_SHOULDER, Button.RIGHT_SHOULDER),
    *(Button.UP, Button.DOWN, Button.LEFT, Button.RIGHT),
)
"""In the order of SDL_GameControllerButton."""
AXES = ("left_x", "left_y", "right_x", "right_y", "left_trigger", "right_trigger")
"""In the order of SDL_GameControllerAxis."""
MAPPED = (
    *("a", "b", "x", "y", "back", "guide", "start", "leftstick", "rightstick", "leftshoulder", "rightshoulder"),
    *("dpup", "dpdown", "dpleft", "dpright", "leftx", "lefty", "rightx", "righty", "lefttrigger", "righttrigger"),
)
# SDL_GameControllerType of those that it has a type for.
TYPES = {
    PadKind.XBOX_360: 1,
    PadKind.XBOX_ONE: 2,
    PadKind.XBOX_ELITE: 2,
    PadKind.DUALSHOCK_4: 4,
    PadKind.DUALSENSE: 7,
    PadKind.SWITCH_PRO: 5,
}
RUMBLES = {kind for kind, real in REAL.items() if real.nodes[0].effects}
"""Not Steam's pads in Debian's kernel: Steam itself uses feature reports."""
IN_SDLS_TABLE = REAL.keys() - {PadKind.XBOX_ONE, PadKind.XBOX_ELITE}
"""SDL 2.26 has these two by radio only; on a cable it goes by what the kernel shows, as for a real one."""
FULL, NEARLY_FULL = 32767, 32000

GUESSED_BY_OLD_SDL = {PadKind.DUALSENSE_EDGE}
"""Not in the database of SDL 2.26, whose guess swaps X and Y; a real one fares the same there."""
SWAPPED = {2: 3, 3: 2}


class Guid(ctypes.Structure):
    _fields_ = [("data", ctypes.c_uint8 * 16)]


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
    library.SDL_GameControllerMappingForDeviceIndex.restype = ctypes.c_char_p
    library.SDL_GameControllerMappingForGUID.restype = ctypes.c_char_p
    library.SDL_GameControllerMappingForGUID.argtypes = [Guid]
    library.SDL_JoystickNameForIndex.restype = ctypes.c_char_p
    library.SDL_JoystickGetDeviceGUID.restype = Guid
    library.SDL_GameControllerGetAxis.restype = ctypes.c_int16
    return library


@pytest.fixture
def library(sdl: ctypes.CDLL) -> Iterator[ctypes.CDLL]:
    assert sdl.SDL_Init(GAME_CONTROLLER) == 0
    yield sdl
    sdl.SDL_Quit()


@pytest.mark.parametrize("kind", KINDS)
def test_sdl_knows_the_pad(plug: Plug, library: ctypes.CDLL, kind: PadKind) -> None:
    session = plug(kind)
    eventually(session.names)
    index = eventually(lambda: _index_of(library, kind), "SDL does not see it as a game controller") - 1
    _check_identity(library, kind, index)
    pad = ctypes.c_void_p(library.SDL_GameControllerOpen(index))
    try:
        _check_buttons(library, session, pad)
        _check_axes(library, session, pad)
        if kind in RUMBLES:
            assert library.SDL_GameControllerRumble(pad, 0xFFFF, 0, 5000) == 0
            eventually(lambda: any(isinstance(each, Rumbled) and each.low > 0xF000 for each in session.feedback))
    finally:
        library.SDL_GameControllerClose(pad)


def _index_of(sdl: ctypes.CDLL, kind: PadKind) -> int:
    """One more than SDL's index of the game controller with this kind's ids; 0 while there is none."""
    sdl.SDL_JoystickUpdate()
    for index in range(sdl.SDL_NumJoysticks()):
        seen = sdl.SDL_JoystickGetDeviceVendor(index), sdl.SDL_JoystickGetDeviceProduct(index)
        if seen == REAL[kind].ids[:2] and sdl.SDL_IsGameController(index):
            return index + 1
    return 0


def _check_identity(sdl: ctypes.CDLL, kind: PadKind, index: int) -> None:
    """The name of SDL's own table or the kernel's; an id made of bus, vendor, product, version; a whole mapping."""
    assert sdl.SDL_JoystickNameForIndex(index)
    guid = sdl.SDL_JoystickGetDeviceGUID(index)
    data = bytes(guid.data)
    parts = tuple(int.from_bytes(data[at : at + 2], "little") for at in (0, 4, 8, 12))
    assert parts == (3, *REAL[kind].ids)
    name, mapped = _mapping(sdl.SDL_GameControllerMappingForDeviceIndex(index))
    assert name
    assert mapped.keys() == set(MAPPED), f"SDL's mapping has {mapped}"
    if kind in IN_SDLS_TABLE:
        assert _mapping(sdl.SDL_GameControllerMappingForGUID(guid)) == (name, mapped)
    if kind in TYPES:
        assert sdl.SDL_GameControllerTypeForIndex(index) == TYPES[kind]


def _mapping(text: bytes) -> tuple[str, dict[str, str]]:
    """The name and where each of `MAPPED` comes from; without hints and what is the platform's."""
    _, name, *entries = text.decode().strip(",").split(",")
    return name, {key: source for key, source in (entry.split(":", 1) for entry in entries) if key in MAPPED}


def _check_buttons(sdl: ctypes.CDLL, session: PadSession, pad: ctypes.c_void_p) -> None:
    for number, button in enumerate(BUTTONS):
        session.client.state(button)
        wanted = SWAPPED.get(number, number) if session.kind in GUESSED_BY_OLD_SDL else number
        eventually(lambda wanted=wanted: _pressed(sdl, pad) == [wanted], f"button {number}: {_pressed(sdl, pad)}")  # type: ignore[misc]


def _check_axes(sdl: ctypes.CDLL, session: PadSession, pad: ctypes.c_void_p) -> None:
    for number, axis in enumerate(AXES):
        trigger = axis.endswith("trigger")
        session.client.state(**{axis: 255 if trigger else FULL})
        # Up is positive on the wire, down in SDL.
        sign = -1 if axis.endswith("_y") else 1

        def only_this(number: int = number, sign: int = sign) -> bool:
            values = _axes(sdl, pad)
            others = values[:number] + values[number + 1 :]
            return sign * values[number] >= NEARLY_FULL and all(abs(value) < 600 for value in others)

        eventually(only_this, f"{axis}: {_axes(sdl, pad)}")


def _pressed(sdl: ctypes.CDLL, pad: ctypes.c_void_p) -> list[int]:
    sdl.SDL_GameControllerUpdate()
    return [number for number in range(len(BUTTONS)) if sdl.SDL_GameControllerGetButton(pad, number)]


def _axes(sdl: ctypes.CDLL, pad: ctypes.c_void_p) -> list[int]:
    sdl.SDL_GameControllerUpdate()
    return [sdl.SDL_GameControllerGetAxis(pad, number) for number in range(len(AXES))]
