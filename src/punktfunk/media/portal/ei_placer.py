"""Emulated input with the pointer placed in pixels of the picture, wherever the desktop has the monitor.

An absolute pointer's coordinates are those of the whole desktop, of which a device says its region; the capture library
counts from the picture's corner. Layout: libei's protocol documentation (ei_handshake, ei_connection, ei_seat,
ei_device, ei_pointer_absolute); numbers are in the machine's byte order.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from punktfunk.media.portal.relay import RelayError

MAX_MESSAGE_BYTES = 4096
"""The longest real one has 130."""
MAX_OBJECTS = 256
_HEADER = struct.Struct("=QII")
_OBJECT = struct.Struct("=Q")
_REGION = struct.Struct("=4I")
_POSITION = struct.Struct("=2f")
_HANDSHAKE = 0
_HANDSHAKE_CONNECTION, _CONNECTION_SEAT, _SEAT_DEVICE, _DEVICE_REGION, _DEVICE_INTERFACE = 2, 1, 4, 4, 5
_DESTROYED = 0
_MOTION_ABSOLUTE = 1
_POINTER_ABSOLUTE = b"ei_pointer_absolute\0"


@dataclass(slots=True)
class Device:
    """The region of a device's pointer: left, top, width and height; nothing before it was told."""

    region: tuple[int, int, int, int] | None = None


class EiPlacer:
    """Both directions of one connection, as bytes. ``size`` is that of the picture at this moment."""

    def __init__(self, size: Callable[[], tuple[int, int]]) -> None:
        self._size = size
        self._up, self._down = bytearray(), bytearray()
        self._connection = -1
        self._seats: set[int] = set()
        self._devices: dict[int, Device] = {}
        self._pointers: dict[int, Device] = {}

    def up(self, data: bytes) -> bytes:
        """The library's requests, whole ones, with their positions on the desktop. Raises RelayError."""
        return b"".join(self._placed(message) for message in _messages(self._up, data))

    def down(self, data: bytes) -> bytes:
        """The desktop's events, as they are. Raises RelayError."""
        for message in _messages(self._down, data):
            try:
                self._learn(message)
            except struct.error as error:
                raise RelayError(f"an event that is too short: {error}") from error
        return data

    def _placed(self, message: bytes) -> bytes:
        target, length, opcode = _HEADER.unpack_from(message)
        device = self._pointers.get(target)
        if device is None or device.region is None or opcode != _MOTION_ABSOLUTE:
            return message
        if length != _HEADER.size + _POSITION.size:
            raise RelayError(f"a position of {length} bytes")
        x, y = _POSITION.unpack_from(message, _HEADER.size)
        left, top, width, height = device.region
        picture_width, picture_height = self._size()
        return message[: _HEADER.size] + _POSITION.pack(
            left + x * width / max(1, picture_width), top + y * height / max(1, picture_height)
        )

    def _learn(self, message: bytes) -> None:
        source, _, opcode = _HEADER.unpack_from(message)
        if source == _HANDSHAKE and opcode == _HANDSHAKE_CONNECTION:
            (self._connection,) = _OBJECT.unpack_from(message, _HEADER.size + 4)
        elif source == self._connection and opcode == _CONNECTION_SEAT:
            self._bound()
            self._seats.add(_OBJECT.unpack_from(message, _HEADER.size)[0])
        elif source in self._seats and opcode == _SEAT_DEVICE:
            self._bound()
            self._devices[_OBJECT.unpack_from(message, _HEADER.size)[0]] = Device()
        elif source in self._devices:
            self._learn_of_device(source, opcode, message)
        elif source in self._pointers and opcode == _DESTROYED:
            del self._pointers[source]

    def _learn_of_device(self, source: int, opcode: int, message: bytes) -> None:
        device = self._devices[source]
        if opcode == _DEVICE_REGION and device.region is None:
            left, top, width, height = _REGION.unpack_from(message, _HEADER.size)
            device.region = left, top, width, height
        elif opcode == _DEVICE_INTERFACE and _POINTER_ABSOLUTE in message:
            self._bound()
            self._pointers[_OBJECT.unpack_from(message, _HEADER.size)[0]] = device
        elif opcode == _DESTROYED:
            del self._devices[source]

    def _bound(self) -> None:
        if len(self._seats) + len(self._devices) + len(self._pointers) >= MAX_OBJECTS:
            raise RelayError(f"more than {MAX_OBJECTS} objects")


def _messages(buffer: bytearray, data: bytes) -> list[bytes]:
    """The whole messages that ``data`` completes; the rest stays in ``buffer``."""
    buffer += data
    found = []
    while len(buffer) >= _HEADER.size:
        length = _HEADER.unpack_from(buffer)[1]
        if not _HEADER.size <= length <= MAX_MESSAGE_BYTES:
            raise RelayError(f"a message of {length} bytes")
        if len(buffer) < length:
            break
        found.append(bytes(buffer[:length]))
        del buffer[:length]
    return found
