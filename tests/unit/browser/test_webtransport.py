"""Strangers at the player's UDP port: what they can make the host keep, and for how long."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import H3_ALPN, FrameType, H3Connection, StreamType
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent

from punktfunk.browser import webtransport
from punktfunk.browser.transport import PageListener, PageTransport
from punktfunk.browser.webtransport import MAX_OVERHEAD_BYTES, MAX_STRANGERS_PER_ADDRESS, PATH, WebTransportServer

LOOPBACK = "127.0.0.1"
HUGE = 1 << 30
MESSAGE = bytes(1000)
MANY = 3 * MAX_OVERHEAD_BYTES // len(MESSAGE)


class Quiet(QuicConnectionProtocol):
    """A client that does not look at what comes."""

    def quic_event_received(self, event: QuicEvent) -> None:
        pass


class Listener:
    def __init__(self) -> None:
        self.messages = 0
        self.enough = asyncio.Event()
        self.over = asyncio.Event()

    def received(self, _message: bytes) -> None:
        self.messages += 1
        if self.messages == MANY:
            self.enough.set()

    def lost(self) -> None:
        self.over.set()


class Door:
    """A running server and the pages that came to it."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.spoken = asyncio.Event()
        self.server = WebTransportServer(self._connected)

    def _connected(self, _transport: PageTransport) -> PageListener:
        self.listeners.append(Listener())
        self.spoken.set()
        return self.listeners[-1]

    @asynccontextmanager
    async def client(self) -> AsyncIterator[QuicConnectionProtocol]:
        configuration = QuicConfiguration(
            alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE, max_datagram_frame_size=65536
        )
        async with connect(LOOPBACK, self.server.port, configuration=configuration, create_protocol=Quiet) as client:
            yield client


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    await door.server.start(LOOPBACK, 0)
    transport = door.server._server._transport  # type: ignore[union-attr]
    door.server.port = transport.get_extra_info("sockname")[1]
    yield door
    await door.server.close()


@pytest.mark.parametrize(("dual", "address"), [(True, "::"), (False, "0.0.0.0")])
async def test_every_address_is_listened_on(monkeypatch: pytest.MonkeyPatch, dual: bool, address: str) -> None:
    """Kernels without IPv6 are common in containers."""
    bound: list[str] = []

    async def serve(host: str, *_args: object, **_options: object) -> None:
        bound.append(host)

    monkeypatch.setattr(webtransport, "serve", serve)
    monkeypatch.setattr("socket.has_dualstack_ipv6", lambda: dual)
    server = Door().server
    await server.start("", 0)
    await server.close()
    assert bound == [address]


async def closed_within(client: QuicConnectionProtocol, limit_s: float) -> bool:
    try:
        async with asyncio.timeout(limit_s):
            await client.wait_closed()
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    ("unidirectional", "start"),
    [
        (False, encode_uint_var(FrameType.HEADERS) + encode_uint_var(HUGE)),
        (True, encode_uint_var(StreamType.CONTROL) + encode_uint_var(FrameType.SETTINGS) + encode_uint_var(HUGE)),
        (True, encode_uint_var(StreamType.WEBTRANSPORT) + encode_uint_var(0)),
    ],
    ids=["headers", "settings", "a stream of no session"],
)
async def test_an_endless_frame_ends_the_connection(door: Door, unidirectional: bool, start: bytes) -> None:
    async with door.client() as client:
        stream = client._quic.get_next_available_stream_id(is_unidirectional=unidirectional)
        client._quic.send_stream_data(stream, start + bytes(2 * MAX_OVERHEAD_BYTES))
        client.transmit()
        assert await closed_within(client, 5)


async def test_streams_without_end_end_the_connection(door: Door) -> None:
    async with door.client() as client:
        for _ in range(40):
            if client._quic._close_event is not None:
                break
            for _ in range(50):
                stream = client._quic.get_next_available_stream_id()
                client._quic.send_stream_data(stream, b"", end_stream=True)
            client.transmit()
            await asyncio.sleep(0.02)
        assert await closed_within(client, 5)


async def test_a_page_may_say_more_than_a_stranger(door: Door) -> None:
    async with door.client() as client:
        http = H3Connection(client._quic, enable_webtransport=True)
        session = client._quic.get_next_available_stream_id()
        fields = [(b":method", b"CONNECT"), (b":protocol", b"webtransport"), (b":scheme", b"https")]
        http.send_headers(session, [*fields, (b":authority", b"localhost"), (b":path", PATH.encode())])
        client.transmit()
        await client.ping()
        stream = http.create_webtransport_stream(session)
        for _ in range(MANY):
            client._quic.send_stream_data(stream, len(MESSAGE).to_bytes(4, "big") + MESSAGE)
        client.transmit()
        async with asyncio.timeout(5):
            await door.spoken.wait()
            await door.listeners[0].enough.wait()
        assert not door.listeners[0].over.is_set()


async def test_a_connection_that_no_page_speaks_on_is_cut(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webtransport, "OPENING_DEADLINE_S", 0.2)
    async with door.client() as client:
        assert await closed_within(client, 5)


async def test_strangers_of_one_address_are_bounded(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webtransport, "OPENING_DEADLINE_S", 60.0)
    visitors = MAX_STRANGERS_PER_ADDRESS + 8
    tried = asyncio.Semaphore(0)
    everybody_tried = asyncio.Event()

    async def visit() -> bool:
        """Whether the server still answers once everybody has knocked: nobody makes room for another meanwhile."""
        try:
            async with asyncio.timeout(30), door.client() as client:
                tried.release()
                await everybody_tried.wait()
                await client.ping()
                return True
        except (ConnectionError, TimeoutError):
            tried.release()
            return False

    visits = [asyncio.ensure_future(visit()) for _ in range(visitors)]
    for _ in range(visitors):
        await tried.acquire()
    everybody_tried.set()
    assert sum(await asyncio.gather(*visits)) == MAX_STRANGERS_PER_ADDRESS
