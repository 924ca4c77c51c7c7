"""Around the whole application: whose host is asked for, limits of bodies, headers that every answer carries.

Pure ASGI. Errors of any kind leave as JSON with the same headers.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from punktfunk.mgmt.hostname import AllowedHosts

MAX_BODY_BYTES = 256 << 10
BODY_DEADLINE_S = 10.0
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), payment=(), usb=()",
}
"""No Strict-Transport-Security: browsers would no longer let anybody accept the host's own certificate."""

_logger = logging.getLogger(__name__)


class _Refusal(HTTPException):
    """An HTTPException, because the framework takes any other error while it reads a body for a malformed one."""


class Shield:
    """Wraps ``app``. ``hosts`` decides which Host headers are answered."""

    def __init__(self, app: ASGIApp, hosts: AllowedHosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        answer = _Answer(send)
        try:
            self._check_head(Headers(scope=scope))
            await self._app(scope, _BoundedBody(receive).receive, answer.send)
        except _Refusal as refusal:
            await answer.error(refusal.status_code, refusal.detail)
        except Exception:
            _logger.exception("%s %s failed", scope["method"], scope["path"])
            await answer.error(500, "the host made a mistake here; its log says more")

    def _check_head(self, headers: Headers) -> None:
        if not self._hosts.allows(headers.get("host", "")):
            raise _Refusal(421, "this host does not go by that name; allow it with the setting mgmt.allowed_hosts")
        if "transfer-encoding" in headers:
            # Every chunk costs a turn of the parser, so that a body of tiny ones would hold up the whole host; and with
            # one way alone to tell a body's length, no proxy can be led to see another request than this host does.
            raise _Refusal(411, "say the body's length in Content-Length; chunked requests are not taken")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise _Refusal(400, "Content-Length is no number")
        if len(length) > 15 or int(length) > MAX_BODY_BYTES:
            raise _Refusal(413, f"the body is larger than {MAX_BODY_BYTES >> 10} KiB")


class _BoundedBody:
    """Hands on the body until it is too long or takes too long."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._bytes = 0
        self._complete = False
        self._deadline: float | None = None

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + BODY_DEADLINE_S
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise _Refusal(408, f"the body did not come within {BODY_DEADLINE_S:g} s") from None
        self._bytes += len(message.get("body", b""))
        if self._bytes > MAX_BODY_BYTES:
            raise _Refusal(413, f"the body is larger than {MAX_BODY_BYTES >> 10} KiB")
        self._complete = not message.get("more_body", False)
        return message


class _Answer:
    """Adds the headers to whatever is answered, and errors where nothing was answered yet."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Content-Security-Policy", API_POLICY)
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)

    async def error(self, status: int, message: str) -> None:
        if self._started:
            return
        body = json.dumps({"error": message}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if status in (408, 411, 413):
            headers.append((b"connection", b"close"))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})
