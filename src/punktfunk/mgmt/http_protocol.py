"""uvicorn's HTTP/1.1 protocol with a deadline for request heads, and errors that look like all the others."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from punktfunk.mgmt.request_facts import CERTIFICATE_KEY
from punktfunk.mgmt.shield import API_POLICY, HEADERS

HEAD_DEADLINE_S = 10.0
"""For a request's head, from its first byte on; for the first request from the end of the handshake on."""


class HttpProtocol(H11Protocol):
    """One connection's HTTP."""

    def __init__(self, config: Config, state: ServerState) -> None:
        super().__init__(config, state, {})
        self._head_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The handshake is complete."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Plaintext from the client."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._expect_head()
        elif self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._head_deadline is not None:
            self._head_deadline.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and end the connection."""
        body = json.dumps({"error": msg}).encode()
        fields = {**HEADERS, "Content-Security-Policy": API_POLICY, "Cache-Control": "no-store", "Connection": "close"}
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        events: list[Any] = [
            h11.Response(status_code=400, headers=list(fields.items()), reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ]
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _expect_head(self) -> None:
        if self._head_deadline is None:
            self._head_deadline = self.loop.call_later(HEAD_DEADLINE_S, self.transport.close)


class WithCertificate:
    """An application as one connection sees it: the client certificate's fingerprint is in every scope."""

    def __init__(self, app: ASGIApp, fingerprint: str) -> None:
        self._app = app
        self._fingerprint = fingerprint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app({**scope, CERTIFICATE_KEY: self._fingerprint}, receive, send)
