"""Properties of the root window: notes that live exactly as long as the X server."""

from __future__ import annotations

import struct

from punktfunk.media.x11.connection import X11Connection, request

MAX_PROPERTY_BYTES = 64 * 1024
_INTERN_ATOM, _CHANGE_PROPERTY, _DELETE_PROPERTY, _GET_PROPERTY = 16, 18, 19, 20
_STRING, _ANY = 31, 0
_FACTS = struct.Struct("<III")


def atom(x: X11Connection, name: str) -> int:
    """The atom of a name."""
    data = name.encode()
    reply = x.call(request(_INTERN_ATOM, 0, struct.pack("<H2x", len(data)) + data))
    (found,) = struct.unpack_from("<I", reply, 8)
    return int(found)


def read_property(x: X11Connection, name: str) -> bytes:
    """A property of the root window, in bytes; b"" when it is not set."""
    units = MAX_PROPERTY_BYTES // 4
    reply = x.call(request(_GET_PROPERTY, 0, struct.pack("<IIIII", x.facts.root, atom(x, name), _ANY, 0, units)))
    width = reply[1] // 8
    kind, _, count = _FACTS.unpack_from(reply, 8)
    return reply[32 : 32 + width * count] if kind else b""


def write_property(x: X11Connection, name: str, value: bytes) -> None:
    """Set a property of the root window."""
    header = struct.pack("<IIIB3xI", x.facts.root, atom(x, name), _STRING, 8, len(value))
    x.checked(request(_CHANGE_PROPERTY, 0, header + value))


def delete_property(x: X11Connection, name: str) -> None:
    """Remove it."""
    x.checked(request(_DELETE_PROPERTY, 0, struct.pack("<II", x.facts.root, atom(x, name))))
