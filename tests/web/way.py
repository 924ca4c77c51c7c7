"""The way between a page and its host, on 127.0.0.2: TCP and UDP of one port, which can be cut, mended and slow."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Self

from tests.impair.path import Impairments
from tests.impair.relay import Address, UdpRelay

ADDRESS = "127.0.0.2"
_CHUNK_BYTES = 4096
_HELD_BYTES = 32 * 1024


class _Relay(UdpRelay):
    is_cut = False

    def deliver(self, datagram: bytes, client: Address) -> None:
        if not self.is_cut:
            super().deliver(datagram, client)

    def _received(self, data: bytes, address: Address, arrived: float) -> None:
        if not self.is_cut:
            super()._received(data, address, arrived)


class Way:
    """Forwards to 127.0.0.1. ``to_client`` is what happens to datagrams; of TCP only its rate counts, since the kernel
    would repair the rest."""

    def __init__(self, port: int, to_client: Impairments | None = None) -> None:
        self._port = port
        self._impairments = to_client or Impairments()
        self._open = asyncio.Event()
        self._open.set()
        self._udp = _Relay(("127.0.0.1", port), Impairments(), self._impairments, listen=(ADDRESS, port))
        self._pumps: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, ADDRESS, self._port)
        await self._udp.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        await self._udp.__aexit__(*error)

    @property
    def lost(self) -> int:
        """Datagrams that chance has taken."""
        return self._udp.lost

    def cut(self) -> None:
        """Nothing comes through any more, in either direction."""
        self._open.clear()
        self._udp.is_cut = True

    def mend(self) -> None:
        """As before."""
        self._udp.is_cut = False
        self._open.set()

    async def _accepted(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        # A way holds little: what waits has to wait where it can be noticed.
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _HELD_BYTES)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self._port))
            host_in, host_out = await asyncio.open_connection(sock=sock, limit=_CHUNK_BYTES)
        except OSError:
            sock.close()
            client_out.close()
            return
        for source, sink, kbps in ((client_in, host_out, 0), (host_in, client_out, self._impairments.rate_kbps)):
            pump = asyncio.create_task(self._pump(source, sink, kbps))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, kbps: int) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK_BYTES):
                await self._open.wait()
                if kbps:
                    await asyncio.sleep(len(data) * 8 / kbps / 1000)
                sink.write(data)
                await sink.drain()
        sink.close()
