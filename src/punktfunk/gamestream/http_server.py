"""The asyncio shell of the HTTP and HTTPS listeners: limits and deadlines around the parser, nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from OpenSSL import SSL

from punktfunk.discovery.network import plain_address
from punktfunk.gamestream.connections import ConnectionLimit, finish
from punktfunk.gamestream.http import HttpError, HttpRequest, HttpResponse, RequestParser
from punktfunk.gamestream.tls import TlsError, TlsSession

REQUEST_DEADLINE_S = 10.0
"""For the TLS handshake and the whole request together."""
MAX_CONNECTIONS = 128
MAX_CONNECTIONS_PER_ADDRESS = 16
_READ_BYTES = 16 << 10

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and whence it came. ``certificate`` is the client's DER bytes on TLS, None on plain HTTP.

    ``gone`` is done when the client has hung up. Addresses are plain: no scope, no IPv4-mapped IPv6.
    """

    request: HttpRequest
    address: str
    local_address: str
    certificate: bytes | None
    gone: asyncio.Future[None]


Handler = Callable[[Exchange], Awaitable[HttpResponse]]


class HttpServer:
    """Serves one listening port; with ``tls`` it speaks HTTPS."""

    def __init__(
        self, handler: Handler, *, tls: SSL.Context | None = None, deadline_s: float = REQUEST_DEADLINE_S
    ) -> None:
        self._handler = handler
        self._tls = tls
        self._deadline_s = deadline_s
        self._limit = ConnectionLimit(total=MAX_CONNECTIONS, per_address=MAX_CONNECTIONS_PER_ADDRESS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, address: str, port: int) -> int:
        """Listen on ``address`` ("" for all) and return the port; raises OSError."""
        self._server = await asyncio.start_server(self._accepted, address or None, port, limit=_READ_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and cut what is open."""
        if self._server is None:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._guarded(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._admitted(reader, writer)
        except Exception:
            _logger.exception("an HTTP request failed")
        finally:
            writer.transport.abort()

    async def _admitted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = plain_address(writer.get_extra_info("peername")[0])
        with self._limit.admit(address) as admitted:
            if not admitted:
                return
            channel = _Channel(reader, writer, TlsSession(self._tls) if self._tls else None)
            with contextlib.suppress(OSError, TlsError, TimeoutError, EOFError):
                await self._serve(channel, address)
            with contextlib.suppress(OSError):
                await finish(reader, writer)

    async def _serve(self, channel: _Channel, address: str) -> None:
        try:
            async with asyncio.timeout(self._deadline_s):
                request = await _read_request(channel)
        except HttpError as error:
            channel.answer(HttpResponse(str(error).encode(), "text/plain", error.status))
            return
        gone = asyncio.ensure_future(channel.wait_closed())
        try:
            local_address = plain_address(channel.local_address)
            exchange = Exchange(request, address, local_address, channel.peer_certificate, gone)
            channel.answer(await self._handler(exchange))
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)


class _Channel:
    """The byte stream of one connection, in clear or through TLS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: TlsSession | None) -> None:
        self._reader = reader
        self._writer = writer
        self._tls = tls

    @property
    def peer_certificate(self) -> bytes | None:
        return self._tls.peer_certificate if self._tls else None

    @property
    def local_address(self) -> str:
        return str(self._writer.get_extra_info("sockname")[0])

    async def receive(self) -> bytes:
        """The next bytes, possibly none yet; raises EOFError at the end and TlsError."""
        data = await self._reader.read(_READ_BYTES)
        if not data:
            raise EOFError
        if self._tls is None:
            return data
        try:
            return self._tls.receive(data)
        finally:
            self._writer.write(self._tls.outgoing())
            await self._writer.drain()

    def answer(self, response: HttpResponse) -> None:
        if self._tls is None:
            self._writer.write(response.to_bytes())
            return
        self._tls.send(response.to_bytes())
        self._tls.end()
        self._writer.write(self._tls.outgoing())

    async def wait_closed(self) -> None:
        """Return when the client ends its side; what it sends until then is ignored."""
        while await self._reader.read(_READ_BYTES):
            pass


async def _read_request(channel: _Channel) -> HttpRequest:
    parser = RequestParser()
    while True:
        if request := parser.feed(await channel.receive()):
            return request
