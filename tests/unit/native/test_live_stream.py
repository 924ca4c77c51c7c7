"""What a client asks of a stream that is still coming up."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from punktfunk.input.events import InputEvent, KeyChanged, PadArrived, PadKind, PadState
from punktfunk.media.plan import Mode as DisplayMode
from punktfunk.media.plan import VideoPlan
from punktfunk.native import session_events as ev
from punktfunk.native.access import Access
from punktfunk.native.agreement import SessionFacts, agree
from punktfunk.native.data_socket import DataSocket
from punktfunk.native.live_stream import MAX_EARLY, LiveStream
from punktfunk.native.modes import Mode
from punktfunk.native.negotiation import HostOffer, negotiate
from punktfunk.native.plane_messages import RunProbe, decode_command
from punktfunk.native.speed_test import ProbeBurst
from punktfunk.session.messages import Started
from punktfunk.session.path_report import PathReport
from punktfunk.session.session import Session
from punktfunk.wire.punktfunk1.enums import VideoCodec
from punktfunk.wire.punktfunk1.hello import Hello
from punktfunk.wire.punktfunk1.messages import ProbeRequest

HELLO = Hello(1280, 720, 60, video_codecs=VideoCodec.H264)
AGREEMENT = agree(negotiate(HELLO, HostOffer(), Access(), 0.0), HELLO, Access(), SessionFacts(9, False, None, 0))
BURST = ev.ProbeStarted(ProbeBurst(ProbeRequest(3_000_000, 2000), 0.0))
ARRIVAL, AT_REST = PadArrived(3, PadKind.DUALSENSE), PadState(3, 0)


class Worker:
    """A session and its stream in one, which come up when ``ready`` is set; what they are told."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.told: list[object] = []
        self.on_recovering = self.on_live = lambda *_: None
        self.path = PathReport()
        self.started = Started("x264", "", DisplayMode(1280, 720, 60_000))

    async def start_stream(self, _spec: object) -> Worker:
        await self.ready.wait()
        return self

    async def reconfigure(self, _stream: object, video: VideoPlan) -> None:
        self.told.append(str(video.mode))
        self.on_live()

    async def stop_stream(self, _stream: object) -> None:
        pass

    def inject(self, events: tuple[InputEvent, ...]) -> None:
        self.told.extend(events)

    def set_video_endpoint(self, _address: object) -> None:
        self.told.append("endpoint")

    def set_bitrate(self, kbps: int) -> None:
        self.told.append(kbps)

    def request_keyframe(self) -> None:
        self.told.append("keyframe")

    def command(self, data: bytes) -> bool:
        self.told.append(decode_command(data))
        return True


class Client:
    """Listens; only the gaps and modes that it is told of are of interest here."""

    def __init__(self) -> None:
        self.gaps: list[int] = []
        self.modes: list[Mode] = []

    def mode_became(self, mode: Mode) -> None:
        self.modes.append(mode)

    def pipeline_gap(self, gap_ms: int) -> None:
        self.gaps.append(gap_ms)

    def __getattr__(self, _name: str) -> Any:
        return lambda *_, **__: None


@asynccontextmanager
async def coming_up() -> AsyncIterator[tuple[LiveStream, Worker, asyncio.Task[None]]]:
    """A stream whose worker has not started and whose client has not punched."""
    worker, data = Worker(), DataSocket("127.0.0.1", "127.0.0.1")
    live = LiveStream(cast(Session, worker), AGREEMENT, data, cast(Any, Client()))
    starting = asyncio.create_task(live.start(9))
    await asyncio.sleep(0)
    yield live, worker, starting
    live.give_up()
    worker.ready.set()
    await starting
    await live.close()


def punch(live: LiveStream) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        client.sendto(b"PFpunch1", ("127.0.0.1", live._data.port))


async def test_what_is_asked_early_is_done_once_packets_can_leave() -> None:
    """``punktfunk speed-test`` of 0.31.0 asks right behind its clock rounds, long before a desktop is up."""
    async with coming_up() as (live, worker, starting):
        live.carry_out(BURST)
        live.carry_out(ev.BitrateRequested(9000))
        worker.ready.set()
        await asyncio.sleep(0)
        assert worker.told == []
        punch(live)
        await starting
        assert worker.told == ["endpoint", RunProbe(3_000_000, 2000), 9000]


async def test_a_desktop_that_keeps_its_mode_is_told() -> None:
    """The client was promised its own; whether that is news to it, the session's core knows."""
    async with coming_up() as (live, worker, starting):
        worker.started = Started("x264", "", DisplayMode(2560, 1440, 60_000))
        worker.ready.set()
        punch(live)
        await starting
        assert cast(Client, live._listener).modes == [Mode(2560, 1440, 60)]


async def test_of_early_input_only_controllers_matter() -> None:
    async with coming_up() as (live, worker, starting):
        live.carry_out(ev.InputReceived((ARRIVAL, KeyChanged(0x41, True), AT_REST)))
        live.carry_out(ev.KeyframeWanted())
        worker.ready.set()
        punch(live)
        await starting
        assert worker.told == [ARRIVAL, AT_REST, "endpoint"]
        live.carry_out(ev.InputReceived((KeyChanged(0x41, True),)))
        live.carry_out(ev.KeyframeWanted())
        assert worker.told[3:] == [KeyChanged(0x41, True), "keyframe"]


async def test_a_flood_of_early_wishes_is_bounded() -> None:
    async with coming_up() as (live, worker, starting):
        for kbps in range(10_000):
            live.carry_out(ev.BitrateRequested(kbps))
        worker.ready.set()
        punch(live)
        await starting
        assert worker.told == ["endpoint", *range(MAX_EARLY)]


async def test_nothing_is_done_for_a_client_that_has_gone() -> None:
    async with coming_up() as (live, worker, starting):
        live.carry_out(BURST)
        live.give_up()
        worker.ready.set()
        await starting
        assert worker.told == []


async def test_a_gap_is_told_with_its_length_and_only_where_there_was_one() -> None:
    """A mode change once told clients of a gap as long as the machine had been up."""
    async with coming_up() as (live, worker, starting):
        worker.ready.set()
        punch(live)
        await starting
        client = cast(Client, live._listener)
        worker.on_live()
        assert client.gaps == []
        live.carry_out(ev.ModeRequested(Mode(1920, 1080, 60)))
        assert live._switching is not None
        await live._switching
        assert "1920x1080@60" in worker.told
        worker.on_recovering("died")
        worker.on_recovering("died again")
        worker.on_live()
        worker.on_live()
        assert len(client.gaps) == 2
        assert max(client.gaps) < 5000
