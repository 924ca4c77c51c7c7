"""The UDP ports for video and audio: they learn from a client's pings where its media goes (gamestream.md §4.1).

Both sockets are shared by all sessions. Workers send through duplicates of them, so that media leaves from the very
port that received the ping; only this side reads.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
from collections.abc import Callable
from dataclasses import dataclass

from punktfunk.session.messages import Address
from punktfunk.wire.udp import bind_udp

PING_PAYLOAD_BYTES = 16
LEGACY_PING = b"PING"
MAX_DATAGRAM = 64
"""Pings are 20 bytes; whatever is longer is cut, not kept."""
READS_PER_WAKE = 64
"""Datagrams taken before other work gets its turn, so that a flood cannot starve the host."""
SEND_BUFFER_BYTES = 4 * 1024 * 1024


@dataclass
class PingWaiter:
    """A session that waits for pings. Only pings from ``ip``, the authenticated peer's address, count; a new port of
    that address is followed. ``legacy`` clients send the same four letters, so they are told apart by address alone:
    the first ping with the payload shows that this client is not one, and the letters mean nothing any more."""

    payload: bytes
    ip: str
    on_video: Callable[[Address], None]
    on_audio: Callable[[Address], None]
    legacy: bool = False


def normal_ip(ip: str) -> str:
    """An address without its scope, IPv4-mapped IPv6 as IPv4."""
    ip = ip.partition("%")[0].lower()
    return ip.removeprefix("::ffff:") if ip.startswith("::ffff:") and "." in ip else ip


def find_waiter(waiters: tuple[PingWaiter, ...], datagram: bytes, ip: str) -> PingWaiter | None:
    """Whose ping a datagram is."""
    ip = normal_ip(ip)
    for waiter in waiters:
        if waiter.ip != ip:
            continue
        if len(datagram) >= PING_PAYLOAD_BYTES + 4 and hmac.compare_digest(
            datagram[:PING_PAYLOAD_BYTES], waiter.payload
        ):
            waiter.legacy = False
            return waiter
        if waiter.legacy and datagram == LEGACY_PING:
            return waiter
    return None


class MediaPorts:
    """Both sockets and the sessions that wait for pings (at most as many as there may be sessions)."""

    def __init__(self, address: str, video_port: int, audio_port: int) -> None:
        self.video = bind_udp(address, video_port)
        try:
            self.audio = bind_udp(address, audio_port)
        except OSError:
            self.video.close()
            raise
        for sock in (self.video, self.audio):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._waiters: tuple[PingWaiter, ...] = ()
        loop = asyncio.get_running_loop()
        loop.add_reader(self.video, self._read, self.video, True)
        loop.add_reader(self.audio, self._read, self.audio, False)

    def expect(self, waiter: PingWaiter) -> None:
        """Listen for this session's pings."""
        self._waiters = (*self._waiters, waiter)

    def forget(self, waiter: PingWaiter) -> None:
        """Ignore this session's pings from now on."""
        self._waiters = tuple(w for w in self._waiters if w is not waiter)

    def close(self) -> None:
        """Close both sockets."""
        loop = asyncio.get_running_loop()
        for sock in (self.video, self.audio):
            loop.remove_reader(sock)
            sock.close()

    def _read(self, sock: socket.socket, video: bool) -> None:
        for _ in range(READS_PER_WAKE):
            try:
                datagram, address = sock.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error about an earlier packet
                continue
            waiter = find_waiter(self._waiters, datagram, address[0])
            if waiter is not None:
                (waiter.on_video if video else waiter.on_audio)(address)
