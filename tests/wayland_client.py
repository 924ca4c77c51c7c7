"""A full-screen Wayland window that says what input it gets, one JSON array a line.

``python -m tests.wayland_client [lock]`` with WAYLAND_DISPLAY set; ``lock`` grabs the pointer as a game does.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from typing import Any

from pywayland.client import Display
from pywayland.protocol.pointer_constraints_unstable_v1 import ZwpPointerConstraintsV1
from pywayland.protocol.relative_pointer_unstable_v1 import ZwpRelativePointerManagerV1
from pywayland.protocol.tablet_unstable_v2 import ZwpTabletManagerV2
from pywayland.protocol.wayland import WlCompositor, WlSeat, WlShm
from pywayland.protocol.xdg_shell import XdgWmBase

WIDTH, HEIGHT = 640, 360
WANTED = {
    "wl_compositor": (WlCompositor, 4),
    "wl_shm": (WlShm, 1),
    "wl_seat": (WlSeat, 8),
    "xdg_wm_base": (XdgWmBase, 1),
    "zwp_pointer_constraints_v1": (ZwpPointerConstraintsV1, 1),
    "zwp_relative_pointer_manager_v1": (ZwpRelativePointerManagerV1, 1),
    "zwp_tablet_manager_v2": (ZwpTabletManagerV2, 1),
}
PERSISTENT = 2
POINTER, KEYBOARD, TOUCH = 1, 2, 4
_BUFFER_FORMAT = 1  # XRGB8888


def say(*what: object) -> None:
    print(json.dumps(what), flush=True)


class Window:
    """Keeps what it made: proxies that are collected end the process."""

    def __init__(self, lock: bool) -> None:
        self._lock = lock
        self._kept: list[Any] = []
        self.globals: dict[str, Any] = {}
        self._devices: dict[int, Any] = {}
        self.display = Display()
        self.display.connect()
        registry = self.display.get_registry()
        registry.dispatcher["global"] = self._announced
        self._kept.append(registry)
        self.display.roundtrip()
        self._open()

    def _announced(self, registry: Any, name: int, interface: str, version: int) -> None:
        if interface in WANTED and interface not in self.globals:
            kind, newest = WANTED[interface]
            self.globals[interface] = registry.bind(name, kind, min(version, newest))

    def _open(self) -> None:
        self.surface = self.globals["wl_compositor"].create_surface()
        base = self.globals["xdg_wm_base"]
        base.dispatcher["ping"] = lambda base, serial: base.pong(serial)
        shell = base.get_xdg_surface(self.surface)
        top = shell.get_toplevel()
        top.set_title("input probe")
        top.set_app_id("probe")
        top.set_fullscreen(None)
        size = [WIDTH, HEIGHT]

        def configured(_top: Any, width: int, height: int, _states: Any) -> None:
            if width and height:
                size[:] = width, height

        top.dispatcher["configure"] = configured

        def drawn(shell: Any, serial: int) -> None:
            shell.ack_configure(serial)
            self.surface.attach(self._buffer(*size), 0, 0)
            self.surface.commit()
            say("size", *size)

        shell.dispatcher["configure"] = drawn
        self._kept += [shell, top]
        self.surface.commit()
        seat = self.globals["wl_seat"]
        seat.dispatcher["capabilities"] = self._capabilities
        if "zwp_tablet_manager_v2" in self.globals:
            tablets = self.globals["zwp_tablet_manager_v2"].get_tablet_seat(seat)
            tablets.dispatcher["tool_added"] = self._tool
            tablets.dispatcher["tablet_added"] = lambda _seat, tablet: self._kept.append(tablet)
            tablets.dispatcher["pad_added"] = lambda _seat, pad: self._kept.append(pad)
            self._kept.append(tablets)
        self.display.roundtrip()

    def _buffer(self, width: int, height: int) -> Any:
        bytes_ = width * height * 4
        fd = os.memfd_create("probe")
        os.ftruncate(fd, bytes_)
        with mmap.mmap(fd, bytes_) as picture:
            picture[:] = b"\x40\x60\x80\x00" * (width * height)
        pool = self.globals["wl_shm"].create_pool(fd, bytes_)
        buffer = pool.create_buffer(0, width, height, width * 4, _BUFFER_FORMAT)
        self._kept += [pool, buffer]
        os.close(fd)
        return buffer

    def _capabilities(self, seat: Any, bits: int) -> None:
        say("capabilities", bits)
        if bits & POINTER and POINTER not in self._devices:
            self._pointer(seat.get_pointer())
        if bits & KEYBOARD and KEYBOARD not in self._devices:
            keyboard = self._devices[KEYBOARD] = seat.get_keyboard()
            keyboard.dispatcher["keymap"] = lambda _k, _format, fd, _size: os.close(fd)
            keyboard.dispatcher["key"] = lambda _k, _serial, _time, key, state: say("key", key, state)
        if bits & TOUCH and TOUCH not in self._devices:
            touch = self._devices[TOUCH] = seat.get_touch()
            touch.dispatcher["down"] = lambda _t, _s, _ms, _surface, finger, x, y: say(
                "down", finger, float(x), float(y)
            )
            touch.dispatcher["motion"] = lambda _t, _ms, finger, x, y: say("motion", finger, float(x), float(y))
            touch.dispatcher["up"] = lambda _t, _s, _ms, finger: say("up", finger)
            touch.dispatcher["cancel"] = lambda _t: say("cancel")

    def _pointer(self, pointer: Any) -> None:
        self._devices[POINTER] = pointer
        pointer.dispatcher["enter"] = self._entered
        pointer.dispatcher["motion"] = lambda _p, _ms, x, y: say("pointer", float(x), float(y))
        pointer.dispatcher["button"] = lambda _p, _serial, _ms, button, state: say("button", button, state)
        pointer.dispatcher["axis"] = lambda _p, _ms, axis, value: say("axis", axis, float(value))
        pointer.dispatcher["axis_source"] = lambda _p, source: say("axis_source", source)
        pointer.dispatcher["axis_discrete"] = lambda _p, axis, steps: say("axis_discrete", axis, steps)
        pointer.dispatcher["axis_value120"] = lambda _p, axis, units: say("axis_value120", axis, units)
        if "zwp_relative_pointer_manager_v1" in self.globals:
            relative = self.globals["zwp_relative_pointer_manager_v1"].get_relative_pointer(pointer)
            relative.dispatcher["relative_motion"] = lambda _r, _high, _low, dx, dy, _dx, _dy: say(
                "relative", float(dx), float(dy)
            )
            self._kept.append(relative)

    def _entered(self, pointer: Any, _serial: int, _surface: Any, x: Any, y: Any) -> None:
        say("enter", float(x), float(y))
        if self._lock:
            self._lock = False
            constraints = self.globals["zwp_pointer_constraints_v1"]
            locked = constraints.lock_pointer(self.surface, pointer, None, PERSISTENT)
            locked.dispatcher["locked"] = lambda _l: say("locked")
            locked.dispatcher["unlocked"] = lambda _l: say("unlocked")
            self._kept.append(locked)
            self.surface.commit()

    def _tool(self, _seat: Any, tool: Any) -> None:
        self._kept.append(tool)
        for event, read in {
            "type": lambda _t, kind: say("tool", int(kind)),
            "proximity_in": lambda _t, _serial, _tablet, _surface: say("proximity_in"),
            "proximity_out": lambda _t: say("proximity_out"),
            "down": lambda _t, _serial: say("tip_down"),
            "up": lambda _t: say("tip_up"),
            "motion": lambda _t, x, y: say("pen", float(x), float(y)),
            "pressure": lambda _t, value: say("pressure", value),
            "distance": lambda _t, value: say("distance", value),
            "tilt": lambda _t, x, y: say("tilt", float(x), float(y)),
            "rotation": lambda _t, degrees: say("rotation", float(degrees)),
            "button": lambda _t, _serial, button, state: say("pen_button", button, int(state)),
        }.items():
            tool.dispatcher[event] = read


def main() -> None:
    window = Window("lock" in sys.argv[1:])
    say("globals", sorted(window.globals))
    while window.display.dispatch(block=True) != -1:
        pass


if __name__ == "__main__":
    main()
