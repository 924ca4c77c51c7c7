"""The bytes of the Wayland protocol (its book, "Wire Format"): messages of 32-bit words in the machine's byte order.

A message is the object that it is for, its length and opcode in one word, and arguments, each padded to a word. File
descriptors travel beside the bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

MAX_STRING_BYTES = 4096
"""What is read or written of one string; names and error messages are far shorter."""

_HEADER = struct.Struct("=II")
_UINT = struct.Struct("=I")
_SINT = struct.Struct("=i")
_FIXED_ONE = 256
_MAX_FIXED = (1 << 31) - 1


class WaylandError(Exception):
    """The other side breaks the protocol, refuses, or has gone; the message is one sentence."""


def uint(value: int) -> bytes:
    """An unsigned number, an object or a new object."""
    return _UINT.pack(value)


def sint(value: int) -> bytes:
    """A signed number."""
    return _SINT.pack(value)


def fixed(value: float) -> bytes:
    """A number with 8 bits behind the point; what does not fit becomes the nearest that does."""
    return _SINT.pack(max(-_MAX_FIXED, min(_MAX_FIXED, round(value * _FIXED_ONE))))


def string(text: str) -> bytes:
    """A text; raises ValueError when it has a NUL or is too long."""
    data = text.encode()
    if b"\0" in data or len(data) > MAX_STRING_BYTES:
        raise ValueError("no string for Wayland")
    return _UINT.pack(len(data) + 1) + data + bytes(4 - len(data) % 4)


def message(target: int, opcode: int, *arguments: bytes) -> bytes:
    """A request (or, from the other side, an event) of the object ``target``."""
    body = b"".join(arguments)
    return _HEADER.pack(target, (_HEADER.size + len(body)) << 16 | opcode) + body


class Message(NamedTuple):
    """One message as it arrived."""

    target: int
    opcode: int
    body: bytes


class MessageStream:
    """Cuts a stream of bytes into messages. It keeps no more than one message, 64 KiB, that has not arrived whole."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are whole now. Raises WaylandError at a length that cannot be."""
        data = self._rest + data
        at = 0
        try:
            while len(data) - at >= _HEADER.size:
                target, word = _HEADER.unpack_from(data, at)
                length, opcode = word >> 16, word & 0xFFFF
                if length < _HEADER.size or length % 4:
                    raise WaylandError(f"a message of {length} bytes")
                if len(data) - at < length:
                    break
                at += length
                yield Message(target, opcode, data[at - length + _HEADER.size : at])
        finally:
            self._rest = data[at:]


class Arguments:
    """Reads a message's arguments one after the other; raises WaylandError where there are none left."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def uint(self) -> int:
        """An unsigned number or an object."""
        return int(_UINT.unpack(self._take(4))[0])

    def sint(self) -> int:
        """A signed number."""
        return int(_SINT.unpack(self._take(4))[0])

    def fixed(self) -> float:
        """A number with 8 bits behind the point."""
        return self.sint() / _FIXED_ONE

    def string(self) -> str:
        """A text, "" for none; bytes that are no UTF-8 are replaced."""
        length = self.uint()
        if length > MAX_STRING_BYTES + 1:
            raise WaylandError(f"a string of {length} bytes")
        data = self._take(length + -length % 4)[:length]
        return data.removesuffix(b"\0").decode(errors="replace")

    def _take(self, length: int) -> bytes:
        part = self._body[self._at : self._at + length]
        if len(part) != length:
            raise WaylandError("a message that ends too early")
        self._at += length
        return part
