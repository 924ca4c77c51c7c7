"""The sealed link between the supervisor and one worker: an unnamed socketpair that carries typed messages.

No named socket, file or port exists that a sibling process could open. Each message is one SOCK_SEQPACKET datagram in
MessagePack; file descriptors travel beside it by SCM_RIGHTS. A message that does not parse ends the link with a reason.
"""

from __future__ import annotations

import array
import os
import socket
import threading
from typing import Generic, TypeVar

import msgspec

LINK_VERSION = 2
MAX_MESSAGE_BYTES = 192 * 1024
MAX_FDS = 8

Incoming = TypeVar("Incoming")
Outgoing = TypeVar("Outgoing")


class LinkError(Exception):
    """The other side sent something that is not a message of this version."""


class LinkClosed(Exception):
    """The other side is gone."""


def link_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends, both close-on-exec; the buffers hold several messages of the maximum size."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MAX_MESSAGE_BYTES)
    return ends


class Link(Generic[Incoming, Outgoing]):
    """One end of the link. ``send`` may be called from any thread; ``receive`` from one."""

    def __init__(self, sock: socket.socket, incoming: type[Incoming]) -> None:
        self._sock = sock
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(incoming)
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Descriptor to wait on for incoming messages."""
        return self._sock.fileno()

    def send(self, message: Outgoing, fds: tuple[int, ...] = ()) -> None:
        """Send one message; the descriptors are duplicated into the other process.

        Raises LinkClosed when the other side is gone, BlockingIOError on a non-blocking end whose buffer is full, and
        LinkError for a message over the bound.
        """
        data = self._encoder.encode(message)
        if len(data) > MAX_MESSAGE_BYTES or len(fds) > MAX_FDS:
            raise LinkError(f"a message of {len(data)} bytes and {len(fds)} descriptors is over the link's bound")
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            with self._lock:
                self._sock.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)
        except (BrokenPipeError, ConnectionResetError, OSError) as error:
            if isinstance(error, BlockingIOError):
                raise
            raise LinkClosed(str(error)) from error

    def receive(self) -> tuple[Incoming, tuple[int, ...]]:
        """The next message and the descriptors that came with it (the caller owns them).

        Raises LinkClosed at the end of the stream, BlockingIOError on an empty non-blocking end, LinkError when the
        bytes are no message of this version.
        """
        size = array.array("i").itemsize
        try:
            data, ancillary, flags, _ = self._sock.recvmsg(MAX_MESSAGE_BYTES, socket.CMSG_SPACE(MAX_FDS * size))
        except ConnectionResetError as error:
            raise LinkClosed(str(error)) from error
        fds = _descriptors(ancillary, size)
        if not data:
            raise LinkClosed("end of stream")
        try:
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                raise LinkError("a message was cut off")
            return self._decoder.decode(data), fds
        except (msgspec.MsgspecError, LinkError) as error:
            for fd in fds:
                os.close(fd)
            raise LinkError(str(error)) from error

    def close(self) -> None:
        """Close this end; the other side sees the end of the stream."""
        self._sock.close()


def _descriptors(ancillary: list[tuple[int, int, bytes]], size: int) -> tuple[int, ...]:
    received = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            received.frombytes(data[: len(data) - len(data) % size])
    for fd in received:
        os.set_inheritable(fd, False)
    return tuple(received)
