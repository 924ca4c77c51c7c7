"""Mouse buttons that a virtual device left down when it vanished: sway 1.7 then goes on dragging until they are up."""

from __future__ import annotations

from punktfunk.media.displays.kwin.connection import WaylandConnection
from punktfunk.media.displays.kwin.wire import WaylandError, uint

_BUTTONS = (0x110, 0x111, 0x112)
_MANAGER = "zwlr_virtual_pointer_manager_v1"
_CREATE, _BUTTON, _FRAME = 0, 2, 4
_RELEASED = 0


def release_buttons(display: str) -> None:
    """Release left, right and middle on the first seat of the compositor at ``display``. Raises WaylandError."""
    connection = WaylandConnection(display)
    try:
        connection.roundtrip()
        client = connection.client
        manager, seat = client.find(_MANAGER), client.find("wl_seat")
        if manager is None or seat is None:
            raise WaylandError("the compositor takes no virtual pointers")
        seat_object, manager_object = client.bind(seat, 1), client.bind(manager, 1)
        pointer = client.add(lambda _opcode, _arguments: None)
        client.send(manager_object, _CREATE, uint(seat_object), uint(pointer))
        for button in _BUTTONS:
            client.send(pointer, _BUTTON, uint(0), uint(button), uint(_RELEASED))
            client.send(pointer, _FRAME)
        connection.roundtrip()
    finally:
        connection.close()
