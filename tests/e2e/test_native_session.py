"""A punktfunk client's whole life against a real host that streams the test pattern."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator

import pytest
from tests.e2e.host_process import HostProcess, running_host
from tests.e2e.native_tools import (
    ADDRESS,
    PAIR_SPACING_S,
    arm,
    command,
    event,
    eventually,
    paired_identity,
    pictures,
    refusal,
    session,
    workers,
)

from punktfunk.client.connection import Mode
from punktfunk.client.endpoint import dial
from punktfunk.client.errors import AccessDeniedError, ConnectionClosedError, WrongPinError
from punktfunk.client.identity import new_identity
from punktfunk.client.pairing import pair
from punktfunk.client.session import Options
from punktfunk.wire.punktfunk1 import messages as m
from punktfunk.wire.punktfunk1.caps import ALL_GRANTS, Grants, VideoCaps
from punktfunk.wire.punktfunk1.enums import CloseCode, VideoCodec

pytestmark = pytest.mark.e2e

STEADY = Options(bitrate_kbps=10_000)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with running_host(tmp_path_factory.mktemp("native"), "--display", "synthetic") as running:
        yield running


def streaming(host: HostProcess) -> list[str]:
    """States of all sessions."""
    return [s["state"] for s in host.json("sessions", "list")["sessions"]]


async def test_pair_by_pin_and_stream(host: HostProcess) -> None:
    identity = await paired_identity(host, "Living room")
    async with session(host, identity) as live:
        await pictures(live, 60)
        assert live.welcome.codec is VideoCodec.H264
        assert live.welcome.grants == ALL_GRANTS
        async with asyncio.timeout(5):
            heard = 0
            async for packet in live.audio():
                heard += bool(packet)
                if heard == 100:
                    break
        assert live.statistics.video.dropped == 0
        assert live.statistics.control.malformed == 0
        rows = (await asyncio.to_thread(host.json, "devices", "list"))["devices"]
        assert [(d["name"], d["connected"]) for d in rows if d["protocol"] == "native"] == [("Living room", True)]
    await eventually(lambda: not streaming(host))


async def test_a_wrong_pin_pairs_nobody_and_burns_the_window(host: HostProcess) -> None:
    identity = new_identity()
    await asyncio.sleep(PAIR_SPACING_S)
    with pytest.raises(ConnectionClosedError) as failure:
        await pair(ADDRESS, host.native_port, "1234", identity)
    assert failure.value.code == CloseCode.NOT_ARMED
    await asyncio.sleep(PAIR_SPACING_S)
    pin = await arm(host)
    with pytest.raises(WrongPinError):
        await pair(ADDRESS, host.native_port, f"{(int(pin) + 1) % 10_000:04}", identity)
    with pytest.raises(ConnectionClosedError) as failure:
        await pair(ADDRESS, host.native_port, pin, identity)
    assert failure.value.code == CloseCode.RATE_LIMITED
    await asyncio.sleep(PAIR_SPACING_S)
    with pytest.raises(ConnectionClosedError) as failure:
        await pair(ADDRESS, host.native_port, pin, identity)
    assert failure.value.code == CloseCode.NOT_ARMED


async def test_approval_denial_and_supersession(host: HostProcess) -> None:
    identity = new_identity()

    async def knock() -> int:
        async with session(host, identity, Options(bitrate_kbps=10_000, name="Knocker")) as live:
            await pictures(live, 5)
            return 0

    async def knock_code() -> int:
        try:
            return await knock()
        except ConnectionClosedError as error:
            return error.code

    first = asyncio.create_task(knock_code())
    await eventually(lambda: bool(host.json("pending")["attempts"]))
    second = asyncio.create_task(knock_code())
    assert await first == CloseCode.SUPERSEDED
    await command(host, "deny")
    assert await second == CloseCode.DENIED
    third = asyncio.create_task(knock_code())
    await eventually(lambda: bool(host.json("pending")["attempts"]))
    attempt = (await asyncio.to_thread(host.json, "pending"))["attempts"][0]
    assert (attempt["name"], attempt["protocol"]) == ("Knocker", "native")
    await command(host, "approve", attempt["attempt"], "--name", "Guest")
    assert await third == 0
    async with session(host, identity) as live:
        await pictures(live, 5)


async def test_a_probe_leaves_no_trace(host: HostProcess) -> None:
    said = host.log()
    for _ in range(3):
        endpoint = await dial(ADDRESS, host.native_port, new_identity())
        await endpoint.shut(CloseCode.DONE)
    await asyncio.sleep(0.3)
    assert host.log() == said
    assert not (await asyncio.to_thread(host.json, "pending"))["attempts"]


async def test_reconfigure_bitrate_keyframe_and_speed_test(host: HostProcess) -> None:
    identity = await paired_identity(host, "Remode")
    async with session(host, identity) as live:
        await pictures(live, 10)
        for mode in (Mode(1920, 1080, 60), Mode(2560, 1440, 60), Mode(640, 360, 30)):
            answer = await live.reconfigure(mode)
            assert (answer.accepted, answer.width, answer.height) == (True, mode.width, mode.height)
            async with asyncio.timeout(10):
                async for picture in live.pictures():
                    if picture.frame.width == mode.width:
                        break
            await asyncio.sleep(0.6)
        answer = await live.reconfigure(Mode(641, 360, 30))
        assert (answer.accepted, answer.width) == (False, 640)
        live.set_bitrate(3000)
        assert (await event(live, m.BitrateChanged)).kbps == 3000
        live.set_bitrate(10_000_000)
        assert (await event(live, m.BitrateChanged)).kbps == 150_000
        live.set_bitrate(0)
        assert (await event(live, m.BitrateChanged)).kbps == 20_000
        test = await live.speed_test(100_000, 500)
        assert test.throughput_kbps > 50_000
        await pictures(live, 20)
        assert live.statistics.decoder_failures == 0


async def test_a_speed_test_may_come_before_the_first_picture(host: HostProcess) -> None:
    """Released clients ask right behind the clock rounds, while the worker is still starting."""
    identity = await paired_identity(host, "Hasty")
    async with session(host, identity) as live:
        live.set_bitrate(4000)
        test = await live.speed_test(100_000, 500)
        assert test.throughput_kbps > 50_000
        assert (await event(live, m.BitrateChanged)).kbps == 4000
        await pictures(live, 10)


async def test_leave_and_come_back_and_quit(host: HostProcess) -> None:
    identity = await paired_identity(host, "Wanderer")
    async with session(host, identity, quit_host=False) as live:
        await pictures(live, 5)
    await eventually(lambda: streaming(host) == ["lingering"])
    before = (await asyncio.to_thread(host.json, "sessions", "list"))["sessions"][0]["session"]
    async with session(host, identity) as live:
        await pictures(live, 5)
        after = (await asyncio.to_thread(host.json, "sessions", "list"))["sessions"][0]["session"]
        assert after == before
    await eventually(lambda: not streaming(host))


async def test_a_newer_connection_takes_over(host: HostProcess) -> None:
    identity = await paired_identity(host, "Twice")
    async with session(host, identity, quit_host=False) as old:
        await pictures(old, 5)
        async with session(host, identity) as new:
            await pictures(new, 5)
            assert isinstance(await old.wait_closed(), AccessDeniedError)
            assert await asyncio.to_thread(streaming, host) == ["live"]


async def test_unpairing_cuts_a_stream_within_a_second(host: HostProcess) -> None:
    identity = await paired_identity(host, "Cut")
    async with session(host, identity) as live:
        await pictures(live, 5)
        fingerprint = identity.fingerprint.hex()
        began = time.monotonic()
        await command(host, "devices", "remove", fingerprint[:16])
        asked = time.monotonic()
        error = await live.wait_closed()
        assert isinstance(error, ConnectionClosedError)
        assert error.code == CloseCode.DENIED
        assert time.monotonic() - asked < 1.0, time.monotonic() - began
    await eventually(lambda: not streaming(host))


async def test_grants_view_only_and_expiry(host: HostProcess) -> None:
    identity = await paired_identity(host, "Guest of an evening")
    fingerprint = identity.fingerprint.hex()[:16]
    async with session(host, identity) as live:
        await pictures(live, 5)
        await asyncio.sleep(1.0)
        await command(host, "devices", "access", fingerprint, "--allow", "none")
        update = await event(live, m.AccessUpdate)
        assert (update.grants, update.remaining_seconds) == (Grants.NONE, 0)
        await pictures(live, 5)
    error = await refusal(host, identity, Options(launch_id="Desktop"))
    assert error.code == CloseCode.LAUNCH_FORBIDDEN
    await command(host, "devices", "access", fingerprint, "--for", "4s")
    async with session(host, identity) as live:
        assert 0 < live.welcome.access_seconds <= 4
        await pictures(live, 5)
        async with asyncio.timeout(6):
            closed = await live.wait_closed()
        assert isinstance(closed, ConnectionClosedError)
        assert closed.code == CloseCode.ACCESS_EXPIRED
    knock = asyncio.create_task(refusal(host, identity))
    await eventually(lambda: bool(host.json("pending")["attempts"]))
    await command(host, "deny")
    assert (await knock).code == CloseCode.DENIED


async def test_the_fifth_session_finds_the_host_busy(host: HostProcess) -> None:
    identities = [await paired_identity(host, f"Seat {n}") for n in range(5)]
    small = Options(mode=Mode(320, 180, 30), bitrate_kbps=1000)
    async with contextlib.AsyncExitStack() as stack:
        for identity in identities[:4]:
            live = await stack.enter_async_context(session(host, identity, small))
            await pictures(live, 3)
        error = await refusal(host, identities[4], small)
        assert error.code == CloseCode.BUSY
    await eventually(lambda: not streaming(host))
    async with session(host, identities[4], small) as live:
        await pictures(live, 3)


async def test_the_connection_survives_its_worker(host: HostProcess) -> None:
    identity = await paired_identity(host, "Phoenix")
    async with session(host, identity) as live:
        await pictures(live, 30)
        before = live.statistics.refused
        victims = await asyncio.to_thread(workers, host)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        assert (await event(live, m.PipelineGap, 10)).gap_ms > 0
        await pictures(live, 60)
        assert live.closed is None
        assert live.statistics.refused == before


@pytest.mark.parametrize(
    "options",
    [
        Options(bitrate_kbps=5000, video_caps=VideoCaps.CHACHA20),
        Options(bitrate_kbps=5000, audio_channels=6),
        Options(bitrate_kbps=20_000, audio_channels=8, mode=Mode(640, 480, 120)),
    ],
    ids=["chacha", "5.1", "7.1 at 120 Hz"],
)
async def test_ways_of_streaming(host: HostProcess, options: Options) -> None:
    identity = await paired_identity(host, "Ways")
    async with session(host, identity, options) as live:
        await pictures(live, 30)
        assert live.welcome.audio_channels == options.audio_channels
        async with asyncio.timeout(5):
            async for _ in live.audio():
                break
        assert live.statistics.refused == 0


async def test_what_cannot_be_is_said(host: HostProcess) -> None:
    identity = await paired_identity(host, "Odd")
    for options in (Options(mode=Mode(4098, 2160, 60)), Options(codecs=VideoCodec.AV1)):
        error = await refusal(host, identity, options)
        assert error.code == CloseCode.SETUP_FAILED
        assert error.reason
