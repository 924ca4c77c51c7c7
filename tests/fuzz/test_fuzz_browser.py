"""Pages that send nonsense, too much or in odd pieces: one page's end, and nobody else's trouble."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import ssl
from collections import Counter
from pathlib import Path
from typing import Any

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Request, TextMessage

from punktfunk.browser import plane as plane_module
from punktfunk.browser import wire as w
from punktfunk.browser.connection import MAX_UNREAD_BYTES, PageConnection
from punktfunk.browser.flow import BUDGET_BURST
from punktfunk.browser.plane import MAX_CONNECTIONS, MAX_STRANGERS, BrowserPlane
from punktfunk.browser.tickets import Admission, ShareLinks
from punktfunk.browser.websocket import PATH as SOCKET_PATH
from punktfunk.browser.websocket import WebSocketPage
from punktfunk.browser.webtransport import PATH, WebTransportServer
from punktfunk.media.frames import Codec
from punktfunk.trust.devices import Grants

VECTORS = json.loads((Path(__file__).parents[1] / "wire" / "vectors" / "browser.json").read_text())
SEEDS = [bytes.fromhex(vector["hex"]) for vector in VECTORS]


class Carrier:
    """A page's carrier that keeps what it was given."""

    name = "test"
    backlog_bytes = 0
    backlog_s = 0.0

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.unread_bytes = 0
        self.closed = False

    def send(self, message: bytes) -> None:
        self.sent.append(message)

    def close(self) -> None:
        self.closed = True

    def __getattr__(self, _name: str) -> Any:
        return lambda *_: None


class Stream:
    """Counts what a page has done to its stream."""

    started = None

    def __init__(self) -> None:
        self.done = 0

    def __getattr__(self, _name: str) -> Any:
        def note(*_: Any) -> None:
            self.done += 1

        return note


class Sessions:
    """A plane that admits everybody to nothing."""

    codecs = frozenset({Codec.H264})
    max_bitrate_kbps = 50_000

    def redeem(self, _ticket: str) -> Admission:
        return Admission("link:1", "Guest", Grants.ALL)

    async def session_for(self, *_: Any) -> Any:
        raise AssertionError("no session is started here")

    def __getattr__(self, _name: str) -> Any:
        return lambda *_: None


def admitted() -> tuple[PageConnection, Carrier, Stream]:
    """A page that plays, at a clock that stands still."""
    carrier, stream = Carrier(), Stream()
    connection = PageConnection(carrier, Sessions(), lambda: 0.0)
    connection._admission = Admission("link:1", "Guest", Grants.ALL)
    connection._input = type(connection._input)(Grants.ALL)
    connection.stream, connection.session = stream, object()  # type: ignore[assignment]
    connection._resize = lambda *_: None  # type: ignore[method-assign]
    return connection, carrier, stream


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_whatever_a_page_says_is_understood_or_ends_it(seed: bytes, data: st.DataObject) -> None:
    connection, carrier, _ = admitted()
    mutated = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(mutated)))
    connection.received(bytes(mutated[:cut]) + data.draw(st.binary(max_size=8)))
    if connection.over and carrier.sent:
        assert isinstance(w.decode(carrier.sent[-1]), w.Ended)
        assert carrier.closed


def test_a_flood_of_messages_ends_the_page_that_sends_it() -> None:
    connection, carrier, stream = admitted()
    move = w.encode(w.Move(1, 1))
    for _ in range(10 * BUDGET_BURST):
        connection.received(move)
    assert connection.over
    assert stream.done <= BUDGET_BURST
    ended = w.decode(carrier.sent[-1])
    assert isinstance(ended, w.Ended)
    assert ended.cause == w.Cause.NONSENSE


def test_a_page_that_takes_nothing_is_not_waited_for() -> None:
    connection, carrier, _ = admitted()
    carrier.unread_bytes = MAX_UNREAD_BYTES + 1
    connection.received(w.encode(w.Ping(1)))
    assert connection.over
    assert carrier.closed


async def test_strangers_cannot_keep_players_out() -> None:
    plane = BrowserPlane(None, (), frozenset(), 1000, ShareLinks())  # type: ignore[arg-type]
    connections = []
    for _ in range(5 * MAX_CONNECTIONS):
        connection = plane.connected(Carrier())
        assert connection is not None
        connections.append(connection)
    waiting = [c for c in connections if not c.over]
    assert len(waiting) == MAX_STRANGERS
    assert waiting == connections[-MAX_STRANGERS:]
    await asyncio.sleep(0)
    for connection in waiting:
        connection._admission = Admission("link:1", "Guest", Grants.ALL)
    assert plane_module.MAX_CONNECTIONS > MAX_STRANGERS
    assert plane.connected(Carrier()) is not None
    await plane.close()


class Socket:
    """What a WebSocket page writes to."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, _name: str) -> None:
        return None


class Heard:
    """Keeps what comes."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.ends = 0

    def received(self, message: bytes) -> None:
        self.messages.append(message)

    def lost(self) -> None:
        self.ends += 1


def opened() -> tuple[WebSocketPage, Socket, Heard, WSConnection]:
    """A page that has upgraded."""
    heard, sock, client = Heard(), Socket(), WSConnection(ConnectionType.CLIENT)
    page = WebSocketPage(lambda _page: heard, lambda _host, _origin: True)
    page._transport = sock  # type: ignore[assignment]
    page.data_received(client.send(Request(host="host", target=SOCKET_PATH)))
    client.receive_data(bytes(sock.written))
    assert isinstance(next(client.events()), AcceptConnection)
    return page, sock, heard, client


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=400), st.integers(1, 50))
def test_websocket_bytes_of_any_kind_never_raise(data: bytes, step: int) -> None:
    page, sock, _, _ = opened()
    for at in range(0, len(data), step):
        if not sock.closed:
            page.data_received(data[at : at + step])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 64))
def test_websocket_messages_arrive_whole_however_they_are_cut(messages: list[bytes], step: int) -> None:
    page, _, heard, client = opened()
    wire = b"".join(client.send(BytesMessage(message)) for message in messages)
    for at in range(0, len(wire), step):
        page.data_received(wire[at : at + step])
    assert heard.messages == messages


def test_a_websocket_message_without_an_end_is_cut_off_and_text_refused() -> None:
    page, sock, heard, client = opened()
    for _ in range(100):
        if not sock.closed:
            page.data_received(client.send(BytesMessage(bytes(8192), message_finished=False)))
    assert sock.closed
    assert len(page._partial) <= w.MAX_MESSAGE_BYTES
    page, sock, heard, client = opened()
    page.data_received(client.send(TextMessage("hello")))
    assert sock.closed
    assert heard.messages == []


pages: list[Any] = []
"""The newest page that a server of ``serving`` has met."""


class H3Client(QuicConnectionProtocol):
    """A page over WebTransport, without its manners."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic, enable_webtransport=True)
        self.answers: dict[int, asyncio.Future[bytes]] = {}
        self.terminated = asyncio.Event()
        self.received: Counter[int] = Counter()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ConnectionTerminated):
            self.terminated.set()
            return
        for http_event in self.http.handle_event(event):
            if isinstance(http_event, WebTransportStreamDataReceived):
                self.received[http_event.stream_id] += len(http_event.data)
            if isinstance(http_event, HeadersReceived):
                self.answers[http_event.stream_id].set_result(dict(http_event.headers)[b":status"])

    async def open_session(self, path: str = PATH) -> tuple[int, bytes]:
        """CONNECT; the session's stream and the answer."""
        stream = self._quic.get_next_available_stream_id()
        answer = self.answers[stream] = asyncio.get_running_loop().create_future()
        self.http.send_headers(
            stream,
            [
                (b":method", b"CONNECT"),
                (b":scheme", b"https"),
                (b":authority", b"host"),
                (b":path", path.encode()),
                (b":protocol", b"webtransport"),
                (b"origin", b"https://host"),
            ],
        )
        self.transmit()
        return stream, await asyncio.wait_for(answer, 10)

    def say(self, stream: int, data: bytes) -> None:
        """Bytes on a stream."""
        self._quic.send_stream_data(stream, data)
        self.transmit()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.asynccontextmanager
async def serving(heard: list[Heard]) -> Any:
    """A server of which each page's messages are kept."""

    def met(transport: Any) -> Heard:
        pages[:] = [transport]
        heard.append(Heard())
        return heard[-1]

    server = WebTransportServer(met)
    port = free_port()
    await server.start("127.0.0.1", port)
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE, max_datagram_frame_size=65536
    )

    def visit() -> Any:
        return connect("127.0.0.1", port, configuration=configuration, create_protocol=H3Client)

    try:
        yield visit
    finally:
        await server.close()
        await asyncio.sleep(0.3)


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


async def soon(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nobody tells when the other side's page has heard something
            await asyncio.sleep(0.01)


async def test_webtransport_messages_arrive_whole_however_they_are_cut() -> None:
    heard: list[Heard] = []
    dice = random.Random(5)
    messages = [dice.randbytes(dice.randrange(300)) for _ in range(100)]
    async with serving(heard) as visit, visit() as client:
        session, status = await client.open_session()
        assert status == b"200"
        control = client.http.create_webtransport_stream(session)
        wire = b"".join(map(framed, messages))
        while wire:
            step = dice.randrange(1, 90)
            client.say(control, wire[:step])
            wire = wire[step:]
        await soon(lambda: heard and len(heard[0].messages) == len(messages))
        assert heard[0].messages == messages


async def test_webtransport_pages_with_too_much_to_say_are_cut_off_alone() -> None:
    heard: list[Heard] = []
    async with serving(heard) as visit, visit() as good, visit() as bad:
        session, _ = await good.open_session()
        control = good.http.create_webtransport_stream(session)
        good.say(control, framed(b"first"))
        await soon(lambda: heard and heard[0].messages)
        session, _ = await bad.open_session()
        bad.say(bad.http.create_webtransport_stream(session), (1 << 31).to_bytes(4, "big"))
        async with asyncio.timeout(10):
            await bad.terminated.wait()
        good.say(control, framed(b"second"))
        await soon(lambda: heard[0].messages == [b"first", b"second"])


async def test_webtransport_has_one_session_one_control_stream_and_ignores_the_rest() -> None:
    heard: list[Heard] = []
    async with serving(heard) as visit, visit() as client:
        assert (await client.open_session("/elsewhere"))[1] == b"404"
        session, status = await client.open_session()
        assert status == b"200"
        assert (await client.open_session())[1] == b"404"
        control = client.http.create_webtransport_stream(session)
        client.say(control, framed(b"first"))
        await soon(lambda: heard and heard[0].messages)
        for _ in range(60):
            client.say(client.http.create_webtransport_stream(session), framed(b"other") * 20)
            client.say(client.http.create_webtransport_stream(session, is_unidirectional=True), b"\xff" * 500)
            client.http.send_datagram(session, random.Random(1).randbytes(900))
        client.transmit()
        client.say(control, framed(b"last"))
        await soon(lambda: b"last" in heard[0].messages)
        assert len(heard) == 1
        assert b"other" not in heard[0].messages


async def test_late_frames_are_taken_back_but_a_keyframe_arrives() -> None:
    heard: list[Heard] = []
    async with serving(heard) as visit, visit() as client:
        session, _ = await client.open_session()
        client.say(client.http.create_webtransport_stream(session), framed(b"hello"))
        await soon(lambda: heard and heard[0].messages)
        (page,) = pages
        page.send_video(b"k" * 400_000, keyframe=True)
        page.send_video(b"d" * 200_000, keyframe=False)
        page.drop_video()
        assert page.backlog_bytes > 500_000
        await soon(lambda: page.backlog_bytes == 0)
        assert sum(client.received.values()) == 600_008
        page.send_video(b"d" * 400_000, keyframe=False)
        assert page.backlog_bytes > 300_000
        page.drop_video()
        assert page.backlog_bytes == 0
        page.send_video(b"n" * 1000, keyframe=True)
        await soon(lambda: 1004 in client.received.values())
        assert sum(client.received.values()) < 1_000_000
        assert page.backlog_s < 5


def test_a_page_that_closes_its_websocket_is_lost_once() -> None:
    page, sock, heard, client = opened()
    page.data_received(client.send(CloseConnection(1000)))
    assert sock.closed
    page.connection_lost(None)
    page.connection_lost(None)
    assert heard.ends == 1
