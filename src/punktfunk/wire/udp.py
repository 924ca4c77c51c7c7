"""Sending datagrams in batches: UDP segmentation offload where the route takes it, one by one where it does not."""

from __future__ import annotations

import contextlib
import enum
import errno
import socket
import struct
from dataclasses import dataclass

Address = tuple[str, int] | tuple[str, int, int, int]

UDP_SEGMENT = 103
"""linux/udp.h; Python's socket module does not name it."""

MAX_BATCH_DATAGRAMS = 44
"""Per system call. The kernel takes 64; more than 44 of full size would pass MAX_BATCH_BYTES anyway."""

MAX_BATCH_BYTES = 65_507
"""The largest UDP payload over IPv4, which a segmented send must not pass either."""

_DONT_WAIT = getattr(socket, "MSG_DONTWAIT", 0)

_LOST = frozenset(
    {
        errno.EAGAIN,
        errno.EWOULDBLOCK,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.EHOSTDOWN,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EPERM,
        errno.EMSGSIZE,
        errno.EADDRNOTAVAIL,
    }
)
"""What a network does to packets. EPERM is a firewall's drop; everything else is a fault of ours and is raised."""

_SEGMENTATION_REFUSED = frozenset(
    {errno.EINVAL, errno.EIO, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOPROTOOPT, errno.EMSGSIZE}
)


@dataclass(slots=True)
class SendStatistics:
    """Counters of one sender. ``packets`` and ``bytes`` were taken by the kernel, ``lost`` packets were not."""

    packets: int = 0
    bytes: int = 0
    lost: int = 0
    calls: int = 0


class BatchSender:
    """Sends runs of equal-sized datagrams through a socket that the caller owns. One thread at a time.

    Never blocks, whether or not the socket does: what the kernel has no room for is lost, as on the way. The socket
    must have no timeout set. A route that refuses segmentation is remembered until the address changes.
    """

    def __init__(self, sock: socket.socket, *, segmentation: bool = hasattr(socket, "MSG_DONTWAIT")) -> None:
        self.statistics = SendStatistics()
        self._socket = sock
        self._segmentation = segmentation
        self._refused = False
        self._address: Address | None = None

    @property
    def segmenting(self) -> bool:
        """Whether the next batch goes out in one call."""
        return self._segmentation and not self._refused

    def send(self, data: memoryview, datagram_bytes: int, address: Address | None = None) -> int:
        """Send ``data`` cut into datagrams of ``datagram_bytes`` (the last may be shorter); None: a connected socket.

        Returns how many the kernel took. Lost packets are counted and never raised; OSError means a broken socket.
        """
        if datagram_bytes < 1:
            raise ValueError("datagram_bytes must be positive")
        if address != self._address:
            self._address, self._refused = address, False
        batch_bytes = min(MAX_BATCH_DATAGRAMS, max(1, MAX_BATCH_BYTES // datagram_bytes)) * datagram_bytes
        return sum(
            self._send_batch(data[start : start + batch_bytes], datagram_bytes)
            for start in range(0, len(data), batch_bytes)
        )

    def _send_batch(self, batch: memoryview, datagram_bytes: int) -> int:
        if len(batch) > datagram_bytes and self.segmenting:
            packets = -(-len(batch) // datagram_bytes)
            ancillary = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", datagram_bytes))]
            try:
                self.statistics.calls += 1
                self._socket.sendmsg([batch], ancillary, _DONT_WAIT, self._address)
            except OSError as error:
                if error.errno not in _SEGMENTATION_REFUSED:
                    return self._count_loss(error, packets)
                self._refused = True
            else:
                return self._count_sent(packets, len(batch))
        return sum(
            self._send_one(batch[start : start + datagram_bytes]) for start in range(0, len(batch), datagram_bytes)
        )

    def _send_one(self, datagram: memoryview) -> int:
        try:
            self.statistics.calls += 1
            if self._address is None:
                self._socket.send(datagram, _DONT_WAIT)
            else:
                self._socket.sendto(datagram, _DONT_WAIT, self._address)
        except OSError as error:
            return self._count_loss(error, 1)
        return self._count_sent(1, len(datagram))

    def _count_sent(self, packets: int, size: int) -> int:
        self.statistics.packets += packets
        self.statistics.bytes += size
        return packets

    def _count_loss(self, error: OSError, packets: int) -> int:
        if error.errno not in _LOST:
            raise error
        self.statistics.lost += packets
        return 0


def bind_udp(address: str, port: int) -> socket.socket:
    """A non-blocking UDP socket; the empty address is every address, IPv4 and, where the machine has it, IPv6."""
    if address:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return _bound(family, address, port)
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):
            return _bound(socket.AF_INET6, "::", port)
    return _bound(socket.AF_INET, "0.0.0.0", port)


def _bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address != "::"))
        sock.setblocking(False)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"UDP port {port}: {error.strerror}") from error
    return sock


class TrafficClass(enum.Enum):
    """What routers and Wi-Fi are told about a stream: (DSCP, Linux socket priority)."""

    VIDEO = (40, 5)
    """CS5: Wi-Fi's video queue."""
    AUDIO = (46, 6)
    """EF, expedited forwarding: small, constant and the first to be missed."""


def mark_traffic(sock: socket.socket, traffic: TrafficClass) -> bool:
    """Mark all packets of a socket, both families of a dual-stack one; False when the system refused any of it."""
    dscp, priority = traffic.value
    # The priority comes last: setting the TOS byte derives one of its own.
    options = [(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)]
    if sock.family == socket.AF_INET6:
        options.append((socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2))
    if hasattr(socket, "SO_PRIORITY"):
        options.append((socket.SOL_SOCKET, socket.SO_PRIORITY, priority))
    refused = [option for option in options if not _set_option(sock, *option)]
    return not refused


def size_buffers(sock: socket.socket, *, send_bytes: int = 0, receive_bytes: int = 0) -> tuple[int, int]:
    """Ask for socket buffers (0: leave alone) and return the (send, receive) sizes that the system granted."""
    for option, size in ((socket.SO_SNDBUF, send_bytes), (socket.SO_RCVBUF, receive_bytes)):
        if size:
            _set_option(sock, socket.SOL_SOCKET, option, size)
    return (
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF),
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF),
    )


def _set_option(sock: socket.socket, level: int, option: int, value: int) -> bool:
    try:
        sock.setsockopt(level, option, value)
    except OSError:
        return False
    return True
