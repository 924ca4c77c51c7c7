"""A PipeWire connection on which "any size from 1x1 to 16384x16384, best 1920x1080" becomes "1920x1080".

The size and rate of a virtual monitor are what its stream is negotiated to. The capture library offers ranges with what
it wants as their default, the desktop has a default of its own, and PipeWire takes that one; a range that holds nothing
else leaves no choice. Layout: PipeWire's documentation, "Native Protocol" and "SPA POD".
"""

from __future__ import annotations

import array
import contextlib
import os
import selectors
import socket
import struct
import threading
from collections.abc import Iterable

from punktfunk.media.portal.local_server import MAX_FDS

MAX_MESSAGE_BYTES = 1 << 20
"""One message of the library; the longest real one has 6 kB."""
MAX_WAITING_FDS = 64
_HEADER = struct.Struct("<4I")
_SIZE_MASK = 0xFFFFFF
_CHOICE, _RANGE, _DEFAULT_LOW_HIGH = 19, 1, 3
_RECTANGLE, _FRACTION = 10, 11
_VALUE_BYTES = 8
_PROPERTY = struct.Struct("<8I")
"""Key, flags; size and type of the choice; its kind and flags; size and type of each value."""
_WISHES = {0x20003: _RECTANGLE, 0x20005: _FRACTION}
"""Keys of a video format's size and of its highest rate, and the type of their values."""
_READ_BYTES = 64 * 1024


class RelayError(Exception):
    """What passes is no PipeWire."""


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


class PipeWireRelay:
    """Carries one connection on a thread of its own; pictures do not pass through it, only what is said about them."""

    def __init__(self, daemon: socket.socket) -> None:
        self._daemon = daemon
        self._library, self._handed_out = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._narrower = WishNarrower()
        self._waiting: list[int] = []
        self._thread = threading.Thread(target=self._run, name="pipewire relay", daemon=True)

    def start(self) -> int:
        """Begin; the descriptor for the library, which the caller owns."""
        self._thread.start()
        return self._handed_out.detach()

    def _run(self) -> None:
        with self._daemon, self._library, selectors.DefaultSelector() as selector:
            for sock in (self._daemon, self._library):
                selector.register(sock, selectors.EVENT_READ)
            # One side closes its end, or breaks off: the other one sees the same.
            with contextlib.suppress(OSError, RelayError):
                while all(self._pass(key.fileobj) for key, _ in selector.select()):
                    pass
        _close(self._waiting)

    def _pass(self, source: object) -> bool:
        upwards = source is self._library
        here, there = (self._library, self._daemon) if upwards else (self._daemon, self._library)
        data, fds = _receive(here)
        if not data:
            return False
        if upwards:
            # Descriptors belong to a message that may not be whole yet.
            data, self._waiting = self._narrower.feed(data), self._waiting + fds
            if not data and len(self._waiting) <= MAX_WAITING_FDS:
                return True
            fds, self._waiting = self._waiting, []
        _send(there, data, fds)
        return True


def _receive(sock: socket.socket) -> tuple[bytes, list[int]]:
    size = array.array("i").itemsize
    data, ancillary, flags, _ = sock.recvmsg(_READ_BYTES, socket.CMSG_SPACE(MAX_FDS * size))
    fds = array.array("i")
    for level, kind, rights in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(rights[: len(rights) - len(rights) % size])
    if flags & socket.MSG_CTRUNC:
        _close(fds)
        raise RelayError("more descriptors than one message may have")
    return data, list(fds)


def _send(sock: socket.socket, data: bytes, fds: list[int]) -> None:
    """Send, and close the descriptors here."""
    try:
        for start in range(0, len(fds), MAX_FDS):
            # Each piece of data carries only so many, and at least one byte.
            rights = array.array("i", fds[start : start + MAX_FDS])
            last = start + MAX_FDS >= len(fds)
            sent = sock.sendmsg([data if last else data[:1]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            data = data[sent:]
        sock.sendall(data)
    finally:
        _close(fds)


def _close(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)
