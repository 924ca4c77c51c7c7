"""libinput, through which compositors read input devices: what it makes of a device node."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from ctypes import CFUNCTYPE, Structure, c_char_p, c_double, c_int, c_uint32, c_void_p, pointer

TOUCH_DOWN, TOUCH_UP, TOUCH_MOTION = 500, 501, 502
TABLET_AXIS, TABLET_PROXIMITY, TABLET_TIP, TABLET_BUTTON = 600, 601, 602, 603
PEN, ERASER = 1, 2
_WIDTH, _HEIGHT = 1000, 1000

_OPEN = CFUNCTYPE(c_int, c_char_p, c_int, c_void_p)
_CLOSE = CFUNCTYPE(None, c_int, c_void_p)


class _Interface(Structure):
    _fields_ = [("open", _OPEN), ("close", _CLOSE)]


class Reader:
    """Reads one node. Positions are thousandths of the picture."""

    def __init__(self, node: str) -> None:
        self._x = library = ctypes.CDLL("libinput.so.10")
        pointers = ("path_create_context", "path_add_device", "get_event", "event_get_touch_event")
        for name in (*pointers, "event_get_tablet_tool_event", "event_tablet_tool_get_tool"):
            getattr(library, f"libinput_{name}").restype = c_void_p
        self._interface = _Interface(
            _OPEN(lambda path, flags, _data: os.open(path, flags)), _CLOSE(lambda fd, _d: os.close(fd))
        )
        self._context = c_void_p(library.libinput_path_create_context(pointer(self._interface), None))
        assert library.libinput_path_add_device(self._context, node.encode()), f"libinput does not take {node}"

    def events(self) -> Iterator[tuple[object, ...]]:
        """What has come: kind and values."""
        x = self._x
        x.libinput_dispatch(self._context)
        while found := x.libinput_get_event(self._context):
            event = c_void_p(found)
            kind = x.libinput_event_get_type(event)
            if kind in (TOUCH_DOWN, TOUCH_UP, TOUCH_MOTION):
                yield self._touch(kind, c_void_p(x.libinput_event_get_touch_event(event)))
            elif kind in (TABLET_AXIS, TABLET_PROXIMITY, TABLET_TIP, TABLET_BUTTON):
                yield self._tablet(kind, c_void_p(x.libinput_event_get_tablet_tool_event(event)))
            x.libinput_event_destroy(event)

    def _number(self, name: str, event: c_void_p, *scale: int) -> float:
        function = getattr(self._x, f"libinput_event_{name}")
        function.restype = c_double
        return float(function(event, *map(c_uint32, scale)))

    def _touch(self, kind: int, event: c_void_p) -> tuple[object, ...]:
        slot = self._x.libinput_event_touch_get_seat_slot(event)
        if kind == TOUCH_UP:
            return kind, slot
        place = (
            round(self._number("touch_get_x_transformed", event, _WIDTH)),
            round(self._number("touch_get_y_transformed", event, _HEIGHT)),
        )
        return kind, slot, place

    def _tablet(self, kind: int, event: c_void_p) -> tuple[object, ...]:
        x = self._x
        tool = c_void_p(x.libinput_event_tablet_tool_get_tool(event))
        if kind == TABLET_PROXIMITY:
            kind_of_tool = x.libinput_tablet_tool_get_type(tool)
            return kind, kind_of_tool, x.libinput_event_tablet_tool_get_proximity_state(event)
        if kind == TABLET_TIP:
            return kind, x.libinput_event_tablet_tool_get_tip_state(event), *self._measured(event)
        if kind == TABLET_BUTTON:
            button = x.libinput_event_tablet_tool_get_button(event)
            return kind, button, x.libinput_event_tablet_tool_get_button_state(event)
        return kind, *self._measured(event)

    def _measured(self, event: c_void_p) -> tuple[object, ...]:
        return (
            round(self._number("tablet_tool_get_x_transformed", event, _WIDTH)),
            round(self._number("tablet_tool_get_y_transformed", event, _HEIGHT)),
            round(self._number("tablet_tool_get_pressure", event), 2),
            round(self._number("tablet_tool_get_distance", event), 2),
            round(self._number("tablet_tool_get_tilt_x", event)),
            round(self._number("tablet_tool_get_tilt_y", event)),
        )
