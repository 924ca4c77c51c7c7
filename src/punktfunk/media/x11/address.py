"""Where an X server listens, and the cookie that opens it (X(7), Xsecurity(7), XAU's file format)."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

COOKIE_NAME = b"MIT-MAGIC-COOKIE-1"
MAX_AUTHORITY_BYTES = 1 << 20
MAX_ENTRIES = 4096
_FAMILY_LOCAL, _FAMILY_WILD = 256, 65535
_NAME = re.compile(r"(?:unix)?:(\d{1,5})(?:\.\d{1,3})?")
_LENGTH = struct.Struct(">H")


class AddressError(ValueError):
    """A display that cannot be streamed; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """One MIT-MAGIC-COOKIE-1 of an Xauthority file. Empty ``number``: of every display of that machine."""

    family: int
    address: bytes
    number: bytes
    data: bytes


def display_number(name: str) -> int:
    """The number in ``:0`` or ``:0.0``. Raises AddressError for displays of other machines."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise AddressError(f"{name!r} is no X11 display of this machine; such a name looks like :0")
    return int(found[1])


def socket_paths(number: int) -> tuple[str, str]:
    """Where its server listens: in the file system, and Linux's name without a file."""
    path = f"/tmp/.X11-unix/X{number}"
    return path, f"\0{path}"


def cookies(data: bytes) -> Iterator[Cookie]:
    """The cookies of an Xauthority file; what cannot be read ends the list."""
    position = 0
    for _ in range(MAX_ENTRIES):
        if position + 2 > min(len(data), MAX_AUTHORITY_BYTES):
            return
        (family,) = _LENGTH.unpack_from(data, position)
        position += 2
        fields = []
        for _ in range(4):
            if position + 2 > len(data):
                return
            (length,) = _LENGTH.unpack_from(data, position)
            position += 2 + length
            if position > len(data):
                return
            fields.append(data[position - length : position])
        address, number, name, secret = fields
        if name == COOKIE_NAME:
            yield Cookie(family, address, number, secret)


def find_cookie(data: bytes, number: int, hostname: str | None = None) -> bytes:
    """The cookie for a local display; that of this machine's name before others. b"" when there is none."""
    own = (hostname or socket.gethostname()).encode()
    wanted = str(number).encode()
    matching = [
        cookie
        for cookie in cookies(data)
        if cookie.family in (_FAMILY_LOCAL, _FAMILY_WILD) and cookie.number in (b"", wanted)
    ]
    matching.sort(key=lambda cookie: (cookie.family == _FAMILY_LOCAL and cookie.address != own, not cookie.number))
    return matching[0].data if matching else b""


def read_cookie(authority: str, number: int) -> bytes:
    """The cookie in an Xauthority file; b"" where the file cannot be read, since a server may want none."""
    try:
        with open(authority, "rb") as file:
            return find_cookie(file.read(MAX_AUTHORITY_BYTES), number)
    except OSError:
        return b""
