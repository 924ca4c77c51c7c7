"""/dev/uinput: an evdev device made of a description (linux/uinput.h), on a file descriptor that the caller opened.

Written here and not by python-evdev because the node may travel to the worker as a descriptor, and because an ioctl
that waits for the other side must not hold the interpreter's lock.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass

EV_SYN, EV_KEY, EV_ABS, EV_FF, EV_UINPUT = 0x00, 0x01, 0x03, 0x15, 0x0101
UI_FF_UPLOAD, UI_FF_ERASE = 1, 2
MAX_NAME_BYTES = 79

EVENT = struct.Struct("@llHHi")
"""struct input_event: seconds, microseconds, type, code, value."""
MAX_EVENTS_PER_READ = 64

_ID_AND_NAME = struct.Struct("@4H80sI")
_ABS = struct.Struct("@H6i")
EFFECT_BYTES = 16 + (32 if struct.calcsize("P") == 8 else 28)
_UPLOAD_BYTES = 8 + 2 * EFFECT_BYTES
_REQUEST = struct.Struct("@Ii")
_ERASE = struct.Struct("@IiI")


def _ioctl_number(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("U") << 8 | number


_WRITE, _READ = 1, 2
_DEV_CREATE = _ioctl_number(0, 1, 0)
_DEV_DESTROY = _ioctl_number(0, 2, 0)
_DEV_SETUP = _ioctl_number(_WRITE, 3, _ID_AND_NAME.size)
_ABS_SETUP = _ioctl_number(_WRITE, 4, _ABS.size)
_SET_EVBIT, _SET_KEYBIT, _SET_FFBIT = (_ioctl_number(_WRITE, number, 4) for number in (100, 101, 107))
_SET_PROPBIT = _ioctl_number(_WRITE, 110, 4)
_SET_PHYS = _ioctl_number(_WRITE, 108, struct.calcsize("P"))
_BEGIN_FF_UPLOAD = _ioctl_number(_READ | _WRITE, 200, _UPLOAD_BYTES)
_END_FF_UPLOAD = _ioctl_number(_WRITE, 201, _UPLOAD_BYTES)
_BEGIN_FF_ERASE = _ioctl_number(_READ | _WRITE, 202, _ERASE.size)
_END_FF_ERASE = _ioctl_number(_WRITE, 203, _ERASE.size)


@dataclass(frozen=True, slots=True)
class Axis:
    """Range of one absolute axis."""

    minimum: int
    maximum: int
    fuzz: int = 0
    flat: int = 0
    resolution: int = 0


@dataclass(frozen=True, slots=True)
class DeviceDescription:
    """All that a uinput device can do; codes as in linux/input-event-codes.h."""

    name: str
    vendor: int
    product: int
    version: int
    keys: tuple[int, ...]
    axes: dict[int, Axis]
    effects: tuple[int, ...] = ()
    max_effects: int = 0
    bus: int = 0x03
    phys: str = ""
    properties: tuple[int, ...] = ()
    """INPUT_PROP_*, which tell a touchscreen from a touchpad."""


@dataclass(frozen=True, slots=True)
class InputEvent:
    """One event, as read from or written to a device."""

    type: int
    code: int
    value: int


def create(fd: int, device: DeviceDescription) -> None:
    """Make the device on an open /dev/uinput. Raises OSError when the kernel refuses, ValueError for a long name."""
    name = device.name.encode()
    if len(name) > MAX_NAME_BYTES:
        raise ValueError(f"{device.name!r} is longer than {MAX_NAME_BYTES} bytes")
    _set_bits(fd, _SET_KEYBIT, EV_KEY, device.keys)
    _set_bits(fd, _SET_FFBIT, EV_FF, device.effects)
    for number in device.properties:
        fcntl.ioctl(fd, _SET_PROPBIT, number)
    if device.axes:
        fcntl.ioctl(fd, _SET_EVBIT, EV_ABS)
    for code, axis in device.axes.items():
        values = (code, 0, axis.minimum, axis.maximum, axis.fuzz, axis.flat, axis.resolution)
        fcntl.ioctl(fd, _ABS_SETUP, _ABS.pack(*values))
    if device.phys:
        fcntl.ioctl(fd, _SET_PHYS, device.phys.encode() + b"\0")
    identity = (device.bus, device.vendor, device.product, device.version, name, device.max_effects)
    fcntl.ioctl(fd, _DEV_SETUP, _ID_AND_NAME.pack(*identity))
    fcntl.ioctl(fd, _DEV_CREATE)


def destroy(fd: int) -> None:
    """Unplug the device; harmless when it was never made."""
    fcntl.ioctl(fd, _DEV_DESTROY)


def encode_events(events: Iterable[tuple[int, int, int]]) -> bytes:
    """``(type, code, value)`` triples and the end of the frame, as one write. The kernel stamps the time."""
    packed = [EVENT.pack(0, 0, *event) for event in events]
    packed.append(EVENT.pack(0, 0, EV_SYN, 0, 0))
    return b"".join(packed)


def read_events(fd: int) -> list[InputEvent]:
    """What games wrote to the device; empty when there is nothing (non-blocking descriptor)."""
    try:
        data = os.read(fd, EVENT.size * MAX_EVENTS_PER_READ)
    except BlockingIOError:
        return []
    return [InputEvent(*fields[2:]) for fields in EVENT.iter_unpack(data[: len(data) // EVENT.size * EVENT.size])]


def begin_upload(fd: int, request: int) -> bytes:
    """The ``struct ff_effect`` that a game uploads; it waits until `end_upload`."""
    buffer = bytearray(_UPLOAD_BYTES)
    _REQUEST.pack_into(buffer, 0, request, 0)
    fcntl.ioctl(fd, _BEGIN_FF_UPLOAD, buffer)
    return bytes(buffer[_REQUEST.size : _REQUEST.size + EFFECT_BYTES])


def end_upload(fd: int, request: int, error: int = 0) -> None:
    """Let the game go on; ``error`` is a positive errno that it gets."""
    buffer = bytearray(_UPLOAD_BYTES)
    _REQUEST.pack_into(buffer, 0, request, -error)
    fcntl.ioctl(fd, _END_FF_UPLOAD, buffer)


def erase(fd: int, request: int) -> int:
    """The id of the effect that a game erases, acknowledged."""
    buffer = bytearray(_ERASE.pack(request, 0, 0))
    fcntl.ioctl(fd, _BEGIN_FF_ERASE, buffer)
    effect_id: int = _ERASE.unpack(buffer)[2]
    fcntl.ioctl(fd, _END_FF_ERASE, bytearray(_ERASE.pack(request, 0, effect_id)))
    return effect_id


def _set_bits(fd: int, request: int, event_type: int, codes: tuple[int, ...]) -> None:
    if codes:
        fcntl.ioctl(fd, _SET_EVBIT, event_type)
    for code in codes:
        fcntl.ioctl(fd, request, code)
