"""A PipeWire connection on which "any size from 1x1 to 16384x16384, best 1920x1080" becomes "1920x1080".

The size and rate of a virtual monitor are what its stream is negotiated to. The capture library offers ranges with what
it wants as their default, the desktop has a default of its own, and PipeWire takes that one; a range that holds nothing
else leaves no choice. Layout: PipeWire's documentation, "Native Protocol" and "SPA POD".
"""

from __future__ import annotations

import struct

from punktfunk.media.portal.relay import RelayError

MAX_MESSAGE_BYTES = 1 << 20
"""One message of the library; the longest real one has 6 kB."""
_HEADER = struct.Struct("<4I")
_SIZE_MASK = 0xFFFFFF
_CHOICE, _RANGE, _DEFAULT_LOW_HIGH = 19, 1, 3
_RECTANGLE, _FRACTION = 10, 11
_VALUE_BYTES = 8
_PROPERTY = struct.Struct("<8I")
"""Key, flags; size and type of the choice; its kind and flags; size and type of each value."""
_WISHES = {0x20003: _RECTANGLE, 0x20005: _FRACTION}
"""Keys of a video format's size and of its highest rate, and the type of their values."""


class WishNarrower:
    """The library's direction, as bytes: only whole messages come out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> bytes:
        """The messages that ``data`` completes, with their ranges narrowed. Raises RelayError."""
        self._buffer += data
        out = bytearray()
        while len(self._buffer) >= _HEADER.size:
            length = _HEADER.size + (_HEADER.unpack_from(self._buffer)[1] & _SIZE_MASK)
            if length > MAX_MESSAGE_BYTES:
                raise RelayError(f"a message of {length} bytes")
            if len(self._buffer) < length:
                break
            out += narrowed(bytes(self._buffer[:length]))
            del self._buffer[:length]
        return bytes(out)


def narrowed(message: bytes) -> bytes:
    """A message whose ranges of sizes and rates are left with their default."""
    out = bytearray(message)
    for key, wanted in _WISHES.items():
        pattern = struct.pack("<I", key)
        at = message.find(pattern, _HEADER.size)
        while at >= 0:
            _narrow(out, at, wanted)
            at = message.find(pattern, at + 4)
    return bytes(out)


def _narrow(message: bytearray, at: int, wanted: int) -> None:
    values = at + _PROPERTY.size
    end = values + _DEFAULT_LOW_HIGH * _VALUE_BYTES
    if (at - _HEADER.size) % 8 or end > len(message):
        return
    _, _, size, kind, choice, _, value_bytes, value_kind = _PROPERTY.unpack_from(message, at)
    if (size, kind, choice) != (end - at - 16, _CHOICE, _RANGE) or (value_bytes, value_kind) != (_VALUE_BYTES, wanted):
        return
    message[values:end] = message[values : values + _VALUE_BYTES] * _DEFAULT_LOW_HIGH
