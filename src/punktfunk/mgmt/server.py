"""The listening port: HTTP behind our own TLS, with limits on connections and on patience."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate

import uvicorn
from OpenSSL import SSL
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from punktfunk.mgmt.http_protocol import HttpProtocol, WithCertificate
from punktfunk.mgmt.tls import TlsProtocol

MAX_CONNECTIONS = 256
MAX_CONNECTIONS_PER_ADDRESS = 48
MAX_HEAD_BYTES = 32 << 10
KEEP_ALIVE_S = 30
STALL_DEADLINE_S = 30.0
"""A peer that takes nothing of its answer for so long is cut off."""
CLOSE_GRACE_S = 1.0
_SWEEP_INTERVAL_S = 1.0


class ApiServer:
    """Serves ``app`` over TLS with ``context``. ``websocket`` makes the protocol to which an upgraded connection goes,
    its upgrade request first."""

    def __init__(
        self, app: ASGIApp, context: SSL.Context, websocket: Callable[..., asyncio.Protocol] | None = None
    ) -> None:
        self._app = app
        self._context = context
        self._config = uvicorn.Config(
            app,
            http=HttpProtocol,
            ws=websocket or "none",  # type: ignore[arg-type]
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
        self._config.load()
        self._state = ServerState()
        self._connections: dict[TlsProtocol, Stall] = {}
        self._addresses: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._connections)

    async def start(self, address: str, port: int) -> int:
        """Listen on ``address`` ("" for all) and return the port; raises OSError."""
        # uvicorn logs what peers send; what is worth a line is logged here and in the shield.
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Admission(self), address or None, port)
        self._sweeper = asyncio.create_task(self._sweep())
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening, let running answers finish for a moment, and cut the rest."""
        if self._server is None:
            return
        self._server.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in tuple(self._state.connections):
            connection.shutdown()
        tasks = tuple(self._state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_GRACE_S)
        for protocol in tuple(self._connections):
            protocol.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Transports tell of their end in the next round of the loop.
        await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_GRACE_S):
                await self._server.wait_closed()

    def admit(self, address: str) -> TlsProtocol | None:
        """A protocol for a new connection from ``address``, or None when there are too many."""
        if len(self._connections) >= MAX_CONNECTIONS or self._addresses[address] >= MAX_CONNECTIONS_PER_ADDRESS:
            return None
        self._addresses[address] += 1

        def gone(protocol: TlsProtocol) -> None:
            del self._connections[protocol]
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

        protocol = TlsProtocol(self._context, self._make_http, gone)
        self._connections[protocol] = Stall()
        return protocol

    def _make_http(self, fingerprint: str) -> HttpProtocol:
        config = copy.copy(self._config)
        config.loaded_app = WithCertificate(self._app, fingerprint)
        return HttpProtocol(config, self._state)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
            for protocol, stall in tuple(self._connections.items()):
                if stall.too_long(protocol.write_backlog, loop.time()):
                    protocol.abort()
            await asyncio.sleep(_SWEEP_INTERVAL_S)


class Stall:
    """Notices a peer that does not take what was written for it. Sans-IO; times in seconds."""

    def __init__(self) -> None:
        self._backlog = 0
        self._since: float | None = None

    def too_long(self, backlog: int, now: float) -> bool:
        """Whether ``backlog`` bytes have waited, and have not become fewer, for ``STALL_DEADLINE_S``."""
        stalled = 0 < self._backlog <= backlog
        self._backlog = backlog
        if not stalled:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return now - self._since >= STALL_DEADLINE_S


class _Admission(asyncio.Protocol):
    """Counts a new connection before anything is spent on it."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        peer = transport.get_extra_info("peername")
        protocol = self._server.admit(str(peer[0]) if peer else "")
        if protocol is None:
            transport.abort()
            return
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
