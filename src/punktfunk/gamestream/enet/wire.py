"""Datagrams and commands of ENet 1.3, both directions (gamestream.md §6.1, §6.2). All integers are big-endian."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar

import msgspec

from punktfunk.gamestream.enet.limits import MAX_COMMANDS_PER_DATAGRAM

NO_PEER = 0xFFF
CONNECTION_CHANNEL = 0xFF
FRESH_SESSION = 0xFF

_SENT_TIME_FLAG = 0x8000
_COMPRESSED_FLAG = 0x4000
_ACK_FLAG = 0x80
_UNSEQUENCED_FLAG = 0x40
_SHORT_HEADER = struct.Struct(">H")
_LONG_HEADER = struct.Struct(">HH")
_COMMAND_HEADER = struct.Struct(">BBH")


class Header(msgspec.Struct, frozen=True):
    """Start of a datagram. ``sent_time`` is the sender's clock modulo 65536, None when nothing wants an answer."""

    peer_id: int
    session_id: int
    sent_time: int | None = None

    def encode(self) -> bytes:
        """The 2 or 4 bytes on the wire."""
        first = self.peer_id | self.session_id << 12
        if self.sent_time is None:
            return _SHORT_HEADER.pack(first)
        return _LONG_HEADER.pack(first | _SENT_TIME_FLAG, self.sent_time)

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return _SHORT_HEADER.size if self.sent_time is None else _LONG_HEADER.size


def parse_header(datagram: bytes) -> Header | None:
    """The header, or None for what cannot be ENet as GameStream speaks it (too short, compressed)."""
    if len(datagram) < _SHORT_HEADER.size + _COMMAND_HEADER.size:
        return None
    first = datagram[0] << 8 | datagram[1]
    if first & _COMPRESSED_FLAG:
        return None
    sent_time = None
    if first & _SENT_TIME_FLAG:
        sent_time = datagram[2] << 8 | datagram[3]
    return Header(first & 0xFFF, first >> 12 & 3, sent_time)


class Command(msgspec.Struct, frozen=True):
    """What all commands share: channel, sequence number, and whether the sender wants an acknowledgement."""

    number: ClassVar[int]
    body: ClassVar[struct.Struct] = struct.Struct("")
    carries_data: ClassVar[bool] = False
    unsequenced: ClassVar[bool] = False

    channel: int
    sequence: int
    wants_ack: bool

    def encode(self) -> bytes:
        """The command on the wire, data included."""
        flags = _ACK_FLAG if self.wants_ack else _UNSEQUENCED_FLAG if self.unsequenced else 0
        fields = [getattr(self, name) for name in self.__struct_fields__[3:]]
        head = _COMMAND_HEADER.pack(self.number | flags, self.channel, self.sequence)
        if not self.carries_data:
            return head + self.body.pack(*fields)
        data = fields.pop()
        # The data length always follows the first field, or stands alone.
        fields.insert(min(1, len(fields)), len(data))
        return b"".join((head, self.body.pack(*fields), data))


class Acknowledge(Command, frozen=True):
    """Receipt of ``acknowledged`` on ``channel``; ``sent_time`` is copied from the datagram that carried it."""

    number = 1
    body = struct.Struct(">HH")

    acknowledged: int
    sent_time: int


class Connect(Command, frozen=True):
    """A client asks for a connection; ``data`` is its connect data. ``connect_id`` is opaque."""

    number = 2
    body = struct.Struct(">HBBIIIIIIII4sI")

    outgoing_peer_id: int
    incoming_session_id: int
    outgoing_session_id: int
    mtu: int
    window_bytes: int
    channel_count: int
    incoming_bandwidth: int
    outgoing_bandwidth: int
    throttle_interval: int
    throttle_acceleration: int
    throttle_deceleration: int
    connect_id: bytes
    data: int


class VerifyConnect(Command, frozen=True):
    """The host's answer to `Connect`."""

    number = 3
    body = struct.Struct(">HBBIIIIIIII4s")

    outgoing_peer_id: int
    incoming_session_id: int
    outgoing_session_id: int
    mtu: int
    window_bytes: int
    channel_count: int
    incoming_bandwidth: int
    outgoing_bandwidth: int
    throttle_interval: int
    throttle_acceleration: int
    throttle_deceleration: int
    connect_id: bytes


class Disconnect(Command, frozen=True):
    """End of the connection; without an acknowledgement wanted it is "disconnect now"."""

    number = 4
    body = struct.Struct(">I")
    unsequenced = True

    data: int


class Ping(Command, frozen=True):
    """Asks for nothing but an acknowledgement."""

    number = 5


class SendReliable(Command, frozen=True):
    """A message delivered once and in order."""

    number = 6
    body = struct.Struct(">H")
    carries_data = True

    data: bytes


class SendUnreliable(Command, frozen=True):
    """A message delivered at most once, after reliable message ``sequence`` and never after a later unreliable one."""

    number = 7
    body = struct.Struct(">HH")
    carries_data = True

    unreliable_sequence: int
    data: bytes


class SendFragment(Command, frozen=True):
    """A piece of a reliable message; the pieces count up from sequence number ``start``."""

    number = 8
    body = struct.Struct(">HHIIII")
    carries_data = True

    start: int
    count: int
    index: int
    total_bytes: int
    offset: int
    data: bytes


class SendUnsequenced(Command, frozen=True):
    """A message delivered at most once, at any time; ``group`` counts them."""

    number = 9
    body = struct.Struct(">HH")
    carries_data = True
    unsequenced = True

    group: int
    data: bytes


class BandwidthLimit(Command, frozen=True):
    """Bytes per second that the sender can take and give; 0 = unlimited."""

    number = 10
    body = struct.Struct(">II")

    incoming: int
    outgoing: int


class ThrottleConfigure(Command, frozen=True):
    """How the sender of unreliable data is to slow down."""

    number = 11
    body = struct.Struct(">III")

    interval: int
    acceleration: int
    deceleration: int


COMMANDS: tuple[type[Command], ...] = (
    Acknowledge,
    Connect,
    VerifyConnect,
    Disconnect,
    Ping,
    SendReliable,
    SendUnreliable,
    SendFragment,
    SendUnsequenced,
    BandwidthLimit,
    ThrottleConfigure,
)
_BY_NUMBER = {command.number: command for command in COMMANDS}
FRAGMENT_OVERHEAD_BYTES = _COMMAND_HEADER.size + SendFragment.body.size
RELIABLE_OVERHEAD_BYTES = _COMMAND_HEADER.size + SendReliable.body.size


def parse_commands(datagram: bytes, header: Header) -> Iterator[Command]:
    """The commands of a datagram, up to 32; ends silently at the first malformed one (gamestream.md §6.1)."""
    offset = header.size
    end = len(datagram)
    for _ in range(MAX_COMMANDS_PER_DATAGRAM):
        if offset + _COMMAND_HEADER.size > end:
            return
        first, channel, sequence = _COMMAND_HEADER.unpack_from(datagram, offset)
        offset += _COMMAND_HEADER.size
        kind = _BY_NUMBER.get(first & 0x0F)
        if kind is None or offset + kind.body.size > end:
            return
        fields = list(kind.body.unpack_from(datagram, offset))
        offset += kind.body.size
        if kind.carries_data:
            data_bytes = fields.pop(min(1, len(fields) - 1))
            if offset + data_bytes > end:
                return
            fields.append(datagram[offset : offset + data_bytes])
            offset += data_bytes
        yield kind(channel, sequence, bool(first & _ACK_FLAG), *fields)
