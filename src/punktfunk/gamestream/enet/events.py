"""What an ENet host tells its owner."""

from __future__ import annotations

import enum

import msgspec

Address = tuple[str, int] | tuple[str, int, int, int]
"""A socket address as ``recvfrom`` gives it, IPv4 or IPv6; the first field is the source for all limits per source."""


class EnetError(Exception):
    """An ENet operation that cannot be done; the text says which and why."""


class QueueFull(EnetError):
    """The peer does not take its data as fast as it is sent; nothing of the message was queued."""


class DisconnectReason(enum.Enum):
    """Why a connection ended."""

    REMOTE = "the client disconnected"
    TIMED_OUT = "the client stopped answering"
    CLOSED = "the host closed the connection"


class Connected(msgspec.Struct, frozen=True):
    """A connection opened. ``peer`` names it until its end and is never used again."""

    peer: int
    connect_data: int
    address: Address


class Received(msgspec.Struct, frozen=True):
    """One message of a connected peer."""

    peer: int
    channel: int
    data: bytes


class Disconnected(msgspec.Struct, frozen=True):
    """A connection that had opened is over; ``data`` is the number the client sent along."""

    peer: int
    reason: DisconnectReason
    data: int = 0


EnetEvent = Connected | Received | Disconnected
