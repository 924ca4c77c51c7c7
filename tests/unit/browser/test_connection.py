"""One page's connection: who gets in, with which codec, and when it ends. No processes, and a clock that is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from punktfunk.browser import wire as w
from punktfunk.browser.connection import HELLO_DEADLINE_S, HIDDEN_DEADLINE_S, SILENCE_DEADLINE_S, PageConnection
from punktfunk.browser.tickets import Admission, PlayRefused
from punktfunk.media.frames import Codec
from punktfunk.media.plan import Mode
from punktfunk.session.messages import Started
from punktfunk.session.stream import StreamError
from punktfunk.trust.devices import Grants

H264, HEVC, AV1 = 1, 2, 4


class Carrier:
    """Keeps what the page is told."""

    name = "test"
    backlog_bytes = 0
    backlog_s = 0.0
    unread_bytes = 0

    def __init__(self) -> None:
        self.messages: list[w.Message] = []
        self.kept_alive = 0
        self.closed = False

    def send(self, message: bytes) -> None:
        self.messages.append(w.decode(message))

    def keep_alive(self) -> None:
        self.kept_alive += 1

    def close(self) -> None:
        self.closed = True

    def __getattr__(self, _name: str) -> Any:
        return lambda *_, **__: None

    @property
    def ended(self) -> w.Ended:
        (message,) = [m for m in self.messages if isinstance(m, w.Ended)]
        return message


class Stream:
    """A stream that has started."""

    started = Started("x264", "", Mode(1280, 720, 60_000))

    def on_recovering(self, _reason: str) -> None: ...

    def on_live(self) -> None: ...

    def request_keyframe(self) -> None: ...

    def release_input(self) -> None: ...

    def inject(self, events: tuple[Any, ...]) -> None:
        self.injected = events


class Session:
    """What a page gets; keeps what it asks for."""

    id = "0a1b2c3d"
    request = type("Request", (), {"app": type("App", (), {"name": "Desktop"})})
    problem = ""

    def __init__(self) -> None:
        self.stream = Stream()
        self.spec: Any = None

    async def start_stream(self, spec: Any) -> Stream:
        self.spec = spec
        if self.problem:
            raise StreamError(self.problem)
        return self.stream

    def open_clipboard(self) -> None:
        return None

    async def stop_stream(self, _stream: Any) -> None: ...


class Plane:
    """Admits one ticket."""

    def __init__(self, *codecs: Codec) -> None:
        self.codecs = frozenset(codecs)
        self.max_bitrate_kbps = 20_000
        self.good = True
        self.session = Session()
        self.gone = 0

    def redeem(self, ticket: str) -> Admission:
        if ticket != "good":
            raise PlayRefused("no")
        return Admission("link:1", "Guest", Grants.ALL & ~Grants.MICROPHONE, still_good=lambda: self.good)

    async def session_for(self, *_: Any) -> Session:
        return self.session

    def ended(self, _connection: Any) -> None:
        self.gone += 1


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def hello(ticket: str = "good", codecs: int = H264 | AV1, version: int = w.VERSION) -> bytes:
    return w.encode(w.Hello(version, ticket, 1281, 100, 60, codecs, True, 1_000_000, 0))


async def connected(plane: Plane, message: bytes | None = None) -> tuple[PageConnection, Carrier, Clock]:
    carrier, clock = Carrier(), Clock()
    connection = PageConnection(carrier, plane, clock)  # type: ignore[arg-type]
    connection.received(message or hello())
    for _ in range(5):
        await asyncio.sleep(0)
    return connection, carrier, clock


@pytest.mark.parametrize(
    ("host", "page", "chosen"),
    [
        ((Codec.H264,), H264 | HEVC | AV1, Codec.H264),
        ((Codec.H264, Codec.HEVC, Codec.AV1), HEVC | AV1, Codec.HEVC),
        ((Codec.H264, Codec.AV1), AV1, Codec.AV1),
    ],
)
async def test_the_codec_is_one_that_both_can(host: tuple[Codec, ...], page: int, chosen: Codec) -> None:
    plane = Plane(*host)
    connection, carrier, _ = await connected(plane, hello(codecs=page))
    spec = plane.session.spec.video
    assert (spec.codec, spec.mode, spec.bitrate_kbps) == (chosen, Mode(1280, 240, 60_000), 20_000)
    assert any(isinstance(m, w.Ready) for m in carrier.messages)
    await connection.close()


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (hello(codecs=HEVC), w.Cause.NO_CODEC),
        (hello(ticket="old"), w.Cause.REFUSED),
        (hello(version=w.VERSION + 1), w.Cause.OTHER_VERSION),
        (b"\xff", w.Cause.NONSENSE),
    ],
)
async def test_who_cannot_play_is_told_why(message: bytes, cause: w.Cause) -> None:
    plane = Plane(Codec.H264)
    _, carrier, _ = await connected(plane, message)
    assert carrier.ended.cause == cause
    assert not carrier.ended.again
    assert carrier.closed
    assert plane.gone == 1


async def test_a_stream_that_does_not_start_is_told_in_the_hosts_words() -> None:
    plane = Plane(Codec.H264)
    plane.session.problem = "no picture after 8 s"
    _, carrier, _ = await connected(plane)
    assert carrier.ended.cause == w.Cause.NOT_STARTED
    assert "no picture after 8 s" in carrier.ended.reason


async def test_permission_and_silence_end_a_page_and_a_hidden_one_may_sleep() -> None:
    plane = Plane(Codec.H264)
    connection, carrier, clock = await connected(plane)
    connection.tick(SILENCE_DEADLINE_S)
    connection.received(w.encode(w.Visible(False)))
    connection.tick(HIDDEN_DEADLINE_S)
    assert not connection.over
    assert carrier.kept_alive == 1
    clock.now = 100.0
    connection.received(w.encode(w.Visible(True)))
    connection.tick(100.0 + SILENCE_DEADLINE_S + 1)
    assert (carrier.ended.cause, carrier.ended.again) == (w.Cause.SILENT, True)
    await connection.close()

    connection, carrier, _ = await connected(plane)
    plane.good = False
    connection.tick(1.0)
    assert (carrier.ended.cause, carrier.ended.again) == (w.Cause.REVOKED, False)
    connection.received(w.encode(w.Key(30, True, 0)))
    assert not hasattr(connection.stream, "injected")
    await connection.close()


async def test_a_visitor_without_a_ticket_does_not_stay() -> None:
    carrier = Carrier()
    connection = PageConnection(carrier, Plane(Codec.H264), lambda: 0.0)  # type: ignore[arg-type]
    connection.received(w.encode(w.Key(30, True, 0)))
    connection.tick(HELLO_DEADLINE_S + 1)
    assert carrier.ended.cause == w.Cause.REFUSED
