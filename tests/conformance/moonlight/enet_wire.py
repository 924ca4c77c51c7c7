"""ENet datagrams and commands as bytes (gamestream.md §6.1)."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

MTU = 900
CHANNELS = 48
WINDOW_BYTES = 65536
THROTTLE = (5000, 2, 2)
MAX_COMMANDS = 32
UNKNOWN_PEER = 0xFFF
SYSTEM_CHANNEL = 0xFF
FRAGMENT_BYTES = MTU - 4 - 24

WANTS_ACK = 0x80
UNSEQUENCED = 0x40
HAS_SENT_TIME = 0x8000
COMPRESSED = 0x4000


class Kind(IntEnum):
    ACKNOWLEDGE = 1
    CONNECT = 2
    VERIFY_CONNECT = 3
    DISCONNECT = 4
    PING = 5
    SEND_RELIABLE = 6
    SEND_UNRELIABLE = 7
    SEND_FRAGMENT = 8
    SEND_UNSEQUENCED = 9
    BANDWIDTH_LIMIT = 10
    THROTTLE_CONFIGURE = 11
    SEND_UNRELIABLE_FRAGMENT = 12


FIXED_BYTES = {1: 8, 2: 48, 3: 44, 4: 8, 5: 4, 6: 6, 7: 8, 8: 24, 9: 8, 10: 12, 11: 16, 12: 24}
"""Size of each command without its data."""

_LENGTH_AT = {6: 4, 7: 6, 8: 6, 9: 6, 12: 6}
_VERIFY = struct.Struct("!HBBIIIIIIII4s")
_FRAGMENT = struct.Struct("!HHIIII")


class Command(NamedTuple):
    kind: Kind
    flags: int
    channel: int
    sequence: int
    body: bytes
    """What follows the four bytes of the command header, data included."""

    @property
    def wants_ack(self) -> bool:
        return bool(self.flags & WANTS_ACK)


class Datagram(NamedTuple):
    peer: int
    session: int
    compressed: bool
    sent_time: int | None
    commands: tuple[Command, ...]
    malformed: str
    """Why parsing stopped early; empty when it did not."""


class VerifyConnect(NamedTuple):
    peer: int
    incoming_session: int
    outgoing_session: int
    mtu: int
    window: int
    channels: int
    incoming_bandwidth: int
    outgoing_bandwidth: int
    throttle_interval: int
    throttle_acceleration: int
    throttle_deceleration: int
    connect_id: bytes


class Fragment(NamedTuple):
    start: int
    length: int
    fragments: int
    number: int
    total: int
    offset: int
    data: bytes


def parse(raw: bytes) -> Datagram:
    """Everything up to the first malformed command."""
    if len(raw) < 2:
        return Datagram(0, 0, False, None, (), "shorter than a header")
    (word,) = struct.unpack_from("!H", raw)
    at, sent_time = 2, None
    if word & HAS_SENT_TIME:
        if len(raw) < 4:
            return Datagram(word & 0xFFF, word >> 12 & 3, False, None, (), "no sent time")
        (sent_time,) = struct.unpack_from("!H", raw, 2)
        at = 4
    commands: list[Command] = []
    malformed = ""
    while at < len(raw) and not malformed:
        command, at, malformed = _parse_command(raw, at)
        if command is not None:
            commands.append(command)
    return Datagram(word & 0xFFF, word >> 12 & 3, bool(word & COMPRESSED), sent_time, tuple(commands), malformed)


def _parse_command(raw: bytes, at: int) -> tuple[Command | None, int, str]:
    kind = raw[at] & 0xF
    fixed = FIXED_BYTES.get(kind)
    if fixed is None:
        return None, at, f"command number {kind}"
    if at + fixed > len(raw):
        return None, at, f"{Kind(kind).name} cut off"
    end = at + fixed
    if kind in _LENGTH_AT:
        (length,) = struct.unpack_from("!H", raw, at + _LENGTH_AT[kind])
        end += length
        if end > len(raw):
            return None, at, f"{Kind(kind).name} data cut off"
    (sequence,) = struct.unpack_from("!H", raw, at + 2)
    return Command(Kind(kind), raw[at] & 0xC0, raw[at + 1], sequence, raw[at + 4 : end]), end, ""


def command_bytes(kind: Kind, flags: int, channel: int, sequence: int, body: bytes = b"") -> bytes:
    return struct.pack("!BBH", kind | flags, channel, sequence) + body


def connect_body(connect_id: bytes, connect_data: int) -> bytes:
    return struct.pack(
        "!HBBIIIIIIII4sI", 0, 0xFF, 0xFF, MTU, WINDOW_BYTES, CHANNELS, 0, 0, *THROTTLE, connect_id, connect_data
    )


def parse_verify(body: bytes) -> VerifyConnect:
    return VerifyConnect(*_VERIFY.unpack(body))


def parse_fragment(body: bytes) -> Fragment:
    start, length, fragments, number, total, offset = _FRAGMENT.unpack_from(body)
    return Fragment(start, length, fragments, number, total, offset, body[_FRAGMENT.size :])


def fragment_body(start: int, count: int, number: int, total: int, offset: int, data: bytes) -> bytes:
    return _FRAGMENT.pack(start, len(data), count, number, total, offset) + data


def header(peer: int, session: int, sent_time: int | None) -> bytes:
    word = peer | session << 12
    if sent_time is None:
        return struct.pack("!H", word)
    return struct.pack("!HH", word | HAS_SENT_TIME, sent_time)


@dataclass(frozen=True)
class Connected:
    pass


@dataclass(frozen=True)
class Disconnected:
    """``by_host`` tells a DISCONNECT from a time-out or our own orderly end."""

    by_host: bool
    why: str


@dataclass(frozen=True)
class Message:
    channel: int
    data: bytes
    reliable: bool


Event = Connected | Disconnected | Message
