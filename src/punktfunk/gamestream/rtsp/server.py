"""The asyncio shell of RTSP: one request per connection, with limits and deadlines (gamestream.md §3.1)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from punktfunk.discovery.network import plain_address
from punktfunk.gamestream.connections import ConnectionLimit, finish
from punktfunk.gamestream.launch import StreamRefused
from punktfunk.gamestream.rtsp.crypto import frame_length, is_encrypted
from punktfunk.gamestream.rtsp.handshake import Announced
from punktfunk.gamestream.rtsp.message import MAX_MESSAGE_BYTES, RtspError, RtspRequest, RtspResponse, parse_request
from punktfunk.gamestream.rtsp.pending import PendingLaunch, PendingLaunches

REQUEST_DEADLINE_S = 10.0
MAX_CONNECTIONS = 64
MAX_CONNECTIONS_PER_ADDRESS = 8
_EXPIRY_INTERVAL_S = 1.0
_READ_BYTES = 16 << 10

_logger = logging.getLogger(__name__)


class RtspServer:
    """Serves the RTSP port for every pending launch."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, deadline_s: float = REQUEST_DEADLINE_S) -> None:
        self._clock = clock
        self._deadline_s = deadline_s
        self._pending = PendingLaunches()
        self._limit = ConnectionLimit(total=MAX_CONNECTIONS, per_address=MAX_CONNECTIONS_PER_ADDRESS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._expiry: asyncio.Task[None] | None = None

    async def start(self, address: str, port: int) -> int:
        """Listen on ``address`` ("" for all) and return the port; raises OSError."""
        self._server = await asyncio.start_server(self._accepted, address or None, port, limit=_READ_BYTES)
        self._expiry = asyncio.create_task(self._expire())
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and cut what is open. Pending launches are forgotten without a call."""
        if self._server is None or self._expiry is None:
            return
        self._server.close()
        tasks = [self._expiry, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    def expect(self, launch: PendingLaunch) -> None:
        """Let the client of ``launch`` do its handshake within the next seconds; raises StreamRefused."""
        self._pending.add(launch, self._clock())

    def forget(self, launch: PendingLaunch) -> None:
        """Stop expecting ``launch``, without calling ``abandoned``."""
        self._pending.remove(launch)

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(_EXPIRY_INTERVAL_S)
            self._pending.expire(self._clock())

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._guarded(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            address = plain_address(writer.get_extra_info("peername")[0])
            with self._limit.admit(address) as admitted, contextlib.suppress(OSError, TimeoutError, RtspError):
                if admitted:
                    await self._serve(reader, writer, address)
        except Exception:
            _logger.exception("an RTSP request failed")
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        """One connection. What belongs to no pending launch is closed without a byte."""
        async with asyncio.timeout(self._deadline_s):
            data = await _read_message(reader)
        found = self._match(data, address)
        if found is None:
            return
        launch, request = found
        self._pending.touch(launch, self._clock())
        text = (await self._answer(launch, request)).to_bytes()
        if launch.handshake.finished:
            self._pending.settle(launch)
        writer.write(launch.envelope.seal(text) if launch.envelope else text)
        await finish(reader, writer)

    def _match(self, data: bytes, address: str) -> tuple[PendingLaunch, RtspRequest] | None:
        if not data:
            return None
        if is_encrypted(data):
            opened = self._pending.open(data, address)
            request = parse_request(opened[1]) if opened else None
            return (opened[0], request) if opened and request else None
        request = parse_request(data)
        launch = self._pending.match_plain(request, address) if request else None
        return (launch, request) if launch and request else None

    async def _answer(self, launch: PendingLaunch, request: RtspRequest) -> RtspResponse:
        outcome = launch.handshake.handle(request)
        if isinstance(outcome, RtspResponse):
            _logger.debug("RTSP %s from %s: %d", request.command, launch.address, outcome.status)
            return outcome
        return await self._start(launch, outcome)

    async def _start(self, launch: PendingLaunch, announced: Announced) -> RtspResponse:
        self._pending.hold(launch)
        try:
            await launch.start(announced.plan)
        except StreamRefused as refused:
            _logger.warning("the stream for %s was refused: %s", launch.address, refused)
            return launch.handshake.started(announced, refused)
        finally:
            self._pending.touch(launch, self._clock())
        return launch.handshake.started(announced)


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    """One whole request or encrypted frame; nothing when the client sent nothing. Raises RtspError."""
    data = b""
    while len(data) <= MAX_MESSAGE_BYTES + 64:
        more = await reader.read(_READ_BYTES)
        if not more:
            if data:
                raise RtspError("the client ended in the middle of a request")
            return b""
        data += more
        if is_encrypted(data):
            length = frame_length(data)
            if length is not None and len(data) >= length:
                return data[:length]
        elif parse_request(data):
            return data
    raise RtspError("request too large")
