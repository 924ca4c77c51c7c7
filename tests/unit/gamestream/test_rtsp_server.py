"""The RTSP listener over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.unit.gamestream.rtsp_client import RtspClient, exchange
from tests.unit.gamestream.test_rtsp_handshake import ANNOUNCE, handshake

from punktfunk.gamestream.launch import StreamRefused
from punktfunk.gamestream.rtsp import server as rtsp_server
from punktfunk.gamestream.rtsp.crypto import Envelope
from punktfunk.gamestream.rtsp.pending import PendingLaunch
from punktfunk.gamestream.rtsp.server import RtspServer
from punktfunk.gamestream.stream_plan import StreamPlan

KEYS = (b"a" * 16, b"b" * 16)


class Rig:
    """A server and the streams that were started by it."""

    def __init__(self) -> None:
        self.server = RtspServer(deadline_s=0.3)
        self.port = 0
        self.started: list[tuple[PendingLaunch, StreamPlan]] = []
        self.abandoned: list[PendingLaunch] = []
        self.refusal: Exception | None = None

    def expect(self, key: bytes | None) -> PendingLaunch:
        async def start(plan: StreamPlan) -> None:
            await asyncio.sleep(0)
            if self.refusal:
                raise self.refusal
            self.started.append((launch, plan))

        envelope = Envelope(key) if key else None
        launch = PendingLaunch("127.0.0.1", handshake(), envelope, start, lambda: self.abandoned.append(launch))
        self.server.expect(launch)
        return launch


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    rig.port = await rig.server.start("127.0.0.1", 0)
    yield rig
    await rig.server.close()


async def opening(client: RtspClient) -> str:
    """The requests up to SETUP; the session's name."""
    assert (await client.ask("OPTIONS rtspenc://127.0.0.1:48010")).startswith("RTSP/1.0 200 OK\r\nCSeq: 1\r\n")
    assert "surround-params" in await client.ask("DESCRIBE rtspenc://127.0.0.1:48010")
    reply = await client.ask("SETUP streamid=audio/0/0")
    session = reply.partition("Session: ")[2].partition(";")[0]
    for stream in ("video/0/0", "control/13/0"):
        assert session in await client.ask(f"SETUP streamid={stream}", Session=session)
    return session


async def closing(client: RtspClient, session: str) -> str:
    """ANNOUNCE and PLAY; the reply to the last one."""
    assert " 200 " in await client.ask("ANNOUNCE streamid=control/13/0", ANNOUNCE, Session=session)
    return await client.ask("PLAY /", Session=session)


@pytest.mark.parametrize("key", [None, KEYS[0]], ids=["plain", "encrypted"])
async def test_whole_handshake(rig: Rig, key: bytes | None) -> None:
    launch = rig.expect(key)
    client = RtspClient(rig.port, key)
    assert (await closing(client, await opening(client))).startswith("RTSP/1.0 200 OK\r\nCSeq: 7\r\n")
    assert [(started, plan.transport.packet_size) for started, plan in rig.started] == [(launch, 1360)]
    assert await client.ask("OPTIONS x") == "", "nothing is pending any more"
    assert not rig.abandoned


async def test_two_handshakes_at_once_from_one_address(rig: Rig) -> None:
    launches = [rig.expect(key) for key in KEYS]
    clients = [RtspClient(rig.port, key) for key in KEYS]
    sessions = [await opening(client) for client in clients]
    assert sessions == [launch.handshake.session for launch in launches]
    await asyncio.gather(*(closing(client, session) for client, session in zip(clients, sessions, strict=True)))
    assert {id(launch) for launch, _ in rig.started} == {id(launch) for launch in launches}


async def test_nothing_pending_closes_without_a_byte(rig: Rig) -> None:
    assert await RtspClient(rig.port, None).ask("OPTIONS x") == ""
    assert await RtspClient(rig.port, KEYS[0]).ask("OPTIONS x") == ""


async def test_plaintext_and_foreign_keys_do_not_reach_an_encrypted_launch(rig: Rig) -> None:
    rig.expect(KEYS[0])
    assert await RtspClient(rig.port, None).ask("OPTIONS x") == ""
    assert await RtspClient(rig.port, KEYS[1]).ask("OPTIONS x") == ""
    assert " 200 " in await RtspClient(rig.port, KEYS[0]).ask("OPTIONS x")


@pytest.mark.parametrize(("refusal", "reply"), [(StreamRefused(503, "no encoder"), " 503 "), (None, " 200 ")])
async def test_refused_stream(rig: Rig, refusal: Exception | None, reply: str) -> None:
    launch = rig.expect(None)
    rig.refusal = refusal
    assert reply in await RtspClient(rig.port, None).ask("ANNOUNCE streamid=control/13/0", ANNOUNCE)
    assert rig.abandoned == ([launch] if refusal else [])


async def test_broken_start_leaves_the_server_alive(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.expect(None)
    rig.refusal = RuntimeError("a bug")
    assert await RtspClient(rig.port, None).ask("ANNOUNCE streamid=control/13/0", ANNOUNCE) == ""
    assert "a bug" in caplog.text
    rig.expect(None)
    assert " 200 " in await RtspClient(rig.port, None).ask("OPTIONS x")


@pytest.mark.parametrize("data", [b"", b"OPTIONS", b"\x80", b"\x80\x00\x10\x00" + bytes(30)])
async def test_slow_request_is_cut_off(rig: Rig, data: bytes) -> None:
    assert await exchange(rig.port, data) == b""


@pytest.mark.parametrize("data", [b"\xff" * 100, b"\0" * 100_000, b"a" * 100_000, b"GET / HTTP/1.1\r\n\r\n"])
async def test_junk_is_closed(rig: Rig, data: bytes) -> None:
    assert await exchange(rig.port, data) == b""


async def test_connections_without_data_are_tolerated(rig: Rig) -> None:
    rig.expect(None)
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.close()
    assert " 200 " in await RtspClient(rig.port, None).ask("OPTIONS x")


async def test_connections_of_one_address_are_limited(rig: Rig) -> None:
    limit = rtsp_server.MAX_CONNECTIONS_PER_ADDRESS
    held = [await asyncio.open_connection("127.0.0.1", rig.port) for _ in range(limit)]
    rig.expect(None)
    assert await RtspClient(rig.port, None).ask("OPTIONS x") == ""
    for reader, writer in held:
        await reader.read()
        writer.close()
    assert " 200 " in await RtspClient(rig.port, None).ask("OPTIONS x")
