"""A session's UDP socket for video: bound before Welcome, connected where the client punches (punktfunk1.md §4.8)."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from punktfunk.discovery.network import plain_address
from punktfunk.wire.punktfunk1.video import PUNCH
from punktfunk.wire.udp import Address, bind_udp

PUNCH_TIMEOUT_S = 2.5
_RECEIVE_BUFFER_BYTES = 16 * 1024
"""Nobody reads after the first punch: later ones may fill it up."""
_IP_MTU, _IPV6_MTU = 14, 24
"""linux/in.h, linux/in6.h: what the kernel knows about the path of a connected socket."""


class NoDataPort(Exception):
    """Every port of the configured range is taken."""


class DataSocket:
    """One session's socket. The worker sends through a duplicate of it."""

    def __init__(self, bind_address: str, peer_ip: str, ports: range | None = None) -> None:
        """Bind in the family of ``peer_ip`` to one of ``ports`` (None: any). Raises NoDataPort."""
        self.peer_ip = peer_ip
        self.ipv6 = ":" in peer_ip
        address = bind_address or ("::" if self.ipv6 else "0.0.0.0")
        self.socket = _bind_one(address, ports or range(1))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)

    @property
    def port(self) -> int:
        """For Welcome."""
        return int(self.socket.getsockname()[1])

    async def connect(self, fallback_port: int, timeout_s: float = PUNCH_TIMEOUT_S) -> Address:
        """Wait for the client's punch and connect to its source, or to ``fallback_port`` when none comes.

        Only a punch from the client's own address counts.
        """
        source: Address = (self.peer_ip, fallback_port)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                source = await self._punch()
        self.socket.connect(source)
        return source

    def path_mtu(self) -> int | None:
        """The MTU of the path as far as the kernel knows; None before ``connect`` and where it does not tell."""
        try:
            if self.ipv6:
                return self.socket.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)
            return self.socket.getsockopt(socket.IPPROTO_IP, _IP_MTU)
        except OSError:
            return None

    def close(self) -> None:
        """Close this side's socket; safe to repeat."""
        self.socket.close()

    async def _punch(self) -> Address:
        loop = asyncio.get_running_loop()
        while True:
            data, source = await loop.sock_recvfrom(self.socket, len(PUNCH))
            if data == PUNCH and plain_address(source[0]) == self.peer_ip:
                address: Address = source
                return address


def route_mtu(peer_ip: str) -> int | None:
    """The MTU toward an address as far as the kernel knows, before anything is sent there."""
    family = socket.AF_INET6 if ":" in peer_ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((peer_ip, 9))
            if family == socket.AF_INET6:
                return probe.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)
            return probe.getsockopt(socket.IPPROTO_IP, _IP_MTU)
        except OSError:
            return None


def _bind_one(address: str, ports: range) -> socket.socket:
    problem: OSError | None = None
    for port in ports:
        try:
            return bind_udp(address, port)
        except OSError as error:
            problem = error
    raise NoDataPort(f"no UDP port for video: {problem}")
