"""A page over WebSocket (RFC 6455), on the management port: the carrier where UDP does not come through.

The HTTP server hands the connection over at its upgrade request; wsproto speaks the protocol, this moves bytes.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from punktfunk.browser.transport import PageListener, PageTransport
from punktfunk.browser.wire import MAX_MESSAGE_BYTES

PATH = "/api/v1/play/socket"
MAX_AUDIO_BACKLOG_BYTES = 1 << 20
"""Sound behind so much of waiting bytes would come too late."""
UNSENT_BYTES = 64 * 1024
"""What the kernel may hold beyond what is under way: video that waits there is a queue that nobody sees."""
MAX_PONG_BACKLOG_BYTES = 1 << 20
"""Answers to pings that wait behind so much are not waited for by anybody honest."""
_TOO_LARGE = 1009

Connect = Callable[[PageTransport], PageListener | None]
IsOurs = Callable[[str, str], bool]
"""Whether a Host header is this host's and an Origin header that of its own page."""


class WebSocketPage(asyncio.Protocol):
    """One connection; a ``PageTransport``."""

    name = "websocket"

    def __init__(self, connect: Connect, is_ours: IsOurs) -> None:
        self._connect = connect
        self._is_ours = is_ours
        self._ws = WSConnection(ConnectionType.SERVER)
        self._transport: asyncio.Transport
        self._listener: PageListener | None = None
        self._partial = bytearray()
        self._open = False
        self._waiting_since: float | None = None

    @classmethod
    def factory(cls, connect: Connect, is_ours: IsOurs) -> Callable[..., WebSocketPage]:
        """What the HTTP server calls at an upgrade."""

        def make(**_server: Any) -> WebSocketPage:
            return cls(connect, is_ours)

        return make

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection was handed over."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def data_received(self, data: bytes) -> None:
        """Bytes of the page; the first ones are its upgrade request."""
        try:
            self._ws.receive_data(data)
            for event in self._ws.events():
                self._event(event)
        except (RemoteProtocolError, LocalProtocolError):
            self._transport.close()

    def eof_received(self) -> bool:
        """The page has ended: so do we."""
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        """The connection is gone."""
        self._open = False
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.lost()

    @property
    def backlog_bytes(self) -> int:
        """What the page has not taken yet."""
        return self._transport.get_write_buffer_size()

    @property
    def backlog_s(self) -> float:
        """Since when something has been waiting."""
        if not self.backlog_bytes:
            self._waiting_since = None
            return 0.0
        if self._waiting_since is None:
            self._waiting_since = time.monotonic()
        return time.monotonic() - self._waiting_since

    def send(self, message: bytes) -> None:
        """Send one message."""
        if self._open and not self._transport.is_closing():
            self._transport.write(self._ws.send(BytesMessage(message)))

    def send_video(self, message: bytes, *, keyframe: bool) -> None:
        """Send one frame."""
        self.send(message)

    def drop_video(self) -> None:
        """What was written to TCP cannot be taken back."""

    def send_audio(self, message: bytes) -> None:
        """Send one packet, unless too much is waiting."""
        if self.backlog_bytes <= MAX_AUDIO_BACKLOG_BYTES:
            self.send(message)

    @property
    def unread_bytes(self) -> int:
        """As ``backlog_bytes``: there is one order for everything."""
        return self.backlog_bytes

    def keep_alive(self) -> None:
        """TCP needs nothing; its end is noticed when something is written."""
        if self._open and not self._transport.is_closing():
            self._transport.write(self._ws.send(Ping()))

    def close(self) -> None:
        """Say goodbye and end."""
        if self._open and not self._transport.is_closing():
            self._transport.write(self._ws.send(CloseConnection(1000)))
        self._open = False
        self._transport.close()

    def shutdown(self) -> None:
        """The server stops."""
        self.close()

    def _event(self, event: Event) -> None:
        match event:
            case Request():
                self._upgrade(event)
            case BytesMessage():
                self._partial += event.data
                if len(self._partial) > MAX_MESSAGE_BYTES:
                    self._refuse(_TOO_LARGE)
                elif event.message_finished and self._listener is not None:
                    message = bytes(self._partial)
                    self._partial.clear()
                    self._listener.received(message)
            case Ping() if self.backlog_bytes > MAX_PONG_BACKLOG_BYTES:
                # It asks and asks, and takes no answer.
                self._transport.abort()
            case Ping():
                self._transport.write(self._ws.send(event.response()))
            case TextMessage():
                self._refuse(1003)
            case CloseConnection():
                if self._open:
                    self._transport.write(self._ws.send(event.response()))
                self._open = False
                self._transport.close()

    def _upgrade(self, request: Request) -> None:
        origin = next((v.decode("latin-1") for k, v in request.extra_headers if k.lower() == b"origin"), "")
        path = request.target.partition("?")[0]
        status = 404 if path != PATH else 403 if not self._is_ours(request.host, origin) else 0
        if not status:
            self._listener = self._connect(self)
            status = 0 if self._listener is not None else 503
        if status:
            self._transport.write(self._ws.send(RejectConnection(status_code=status)))
            self._transport.close()
            return
        self._transport.write(self._ws.send(AcceptConnection()))
        self._open = True

    def _refuse(self, code: int) -> None:
        self._partial.clear()
        if self._open:
            self._transport.write(self._ws.send(CloseConnection(code)))
        self._open = False
        self._transport.close()
