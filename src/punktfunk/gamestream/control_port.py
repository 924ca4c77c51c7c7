"""The UDP port of the control stream: a thin asyncio shell around the ENet host (gamestream.md §6)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from punktfunk.gamestream.enet.events import Address, EnetError, EnetEvent
from punktfunk.gamestream.enet.host import EnetHost
from punktfunk.gamestream.enet.limits import MAX_DATAGRAM_BYTES
from punktfunk.gamestream.media_ports import READS_PER_WAKE
from punktfunk.wire.udp import bind_udp


class ControlPort:
    """Owns the socket and the clock of an EnetHost. ``on_event`` is called for each event, on the event loop."""

    def __init__(
        self,
        address: str,
        port: int,
        max_peers: int,
        *,
        accept: Callable[[int, Address], bool],
        is_authentic: Callable[[int, bytes], bool],
        on_event: Callable[[EnetEvent], None],
    ) -> None:
        self._sock = bind_udp(address, port)
        self._enet = EnetHost(max_peers, accept=accept, is_authentic=is_authentic)
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._loop.add_reader(self._sock, self._readable)

    def send(self, peer: int, message: bytes) -> bool:
        """Queue a message to a peer and send what may go; False when the peer is gone or lags too far behind."""
        try:
            self._enet.send(peer, 0, message)
        except EnetError:
            return False
        self._flush()
        return True

    def disconnect(self, peer: int) -> None:
        """End a connection once everything queued has arrived, or after a short time."""
        with contextlib.suppress(EnetError):
            self._enet.close(peer, _now_ms())
            self._flush()

    async def close(self, grace_s: float) -> None:
        """Let last words arrive for at most ``grace_s``, then close the socket."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._idle.wait()
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _readable(self) -> None:
        for _ in range(READS_PER_WAKE):
            try:
                datagram, address = self._sock.recvfrom(MAX_DATAGRAM_BYTES + 1)
            except BlockingIOError:
                break
            except OSError:  # an ICMP error about an earlier packet
                continue
            self._enet.receive(datagram, address, _now_ms())
        self._handle_events()
        self._flush()

    def _tick(self) -> None:
        self._timer = None
        self._enet.poll(_now_ms())
        self._handle_events()
        self._flush()

    def _handle_events(self) -> None:
        for event in self._enet.events():
            self._on_event(event)

    def _flush(self) -> None:
        now_ms = _now_ms()
        for datagram, address in self._enet.datagrams_to_send(now_ms):
            with contextlib.suppress(OSError):  # lost, as on the way; ENet sends again
                self._sock.sendto(datagram, address)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_ms = self._enet.next_timeout(now_ms)
        if due_ms is None:
            self._idle.set()
        else:
            self._idle.clear()
            self._timer = self._loop.call_later(max(1, due_ms - now_ms) / 1000, self._tick)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
