"""A stranger's WebSocket: what it can make the host keep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Ping, Request

from punktfunk.browser.transport import PageListener, PageTransport
from punktfunk.browser.websocket import MAX_PONG_BACKLOG_BYTES, PATH, WebSocketPage

PINGS = 100
MANY = 200


class Listener:
    """A page's connection that nothing is said on."""

    def received(self, _message: bytes) -> None:
        raise AssertionError("pings are no messages")

    def lost(self) -> None:
        return


class Unread(asyncio.Transport):
    """A peer that never reads: everything that is written waits."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return len(self.written)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        return


def connect(_transport: PageTransport) -> PageListener:
    return Listener()


def opened(
    transport: Unread, connect: Callable[[PageTransport], PageListener] = connect
) -> tuple[WebSocketPage, WSConnection]:
    page, client = WebSocketPage(connect, lambda _host, _origin: True), WSConnection(ConnectionType.CLIENT)
    page.connection_made(transport)
    page.data_received(client.send(Request(host="localhost", target=PATH)))
    client.receive_data(bytes(transport.written))
    assert isinstance(next(iter(client.events())), AcceptConnection)
    return page, client


def test_pings_are_answered() -> None:
    transport = Unread()
    page, client = opened(transport)
    before = len(transport.written)
    page.data_received(client.send(Ping(b"?")))
    assert bytes(transport.written[before:]) == b"\x8a\x01?"


def test_pings_whose_answers_nobody_takes_end_the_connection() -> None:
    transport = Unread()
    page, client = opened(transport)
    for _ in range(MANY):
        if transport.aborted:
            break
        page.data_received(b"".join(client.send(Ping(bytes(125))) for _ in range(PINGS)))
    assert transport.aborted
    assert len(transport.written) < MAX_PONG_BACKLOG_BYTES + 200 * PINGS
