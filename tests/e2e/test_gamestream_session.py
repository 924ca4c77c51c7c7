"""A Moonlight client's whole life against a real host that streams the test pattern."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.moonlight.client import MoonlightClient
from tests.conformance.moonlight.errors import HttpFailed, PairingFailed
from tests.conformance.moonlight.identity import Identity
from tests.conformance.moonlight.impair import Impairment
from tests.conformance.moonlight.options import Encryption, StreamOptions
from tests.conformance.moonlight.stream import Stream
from tests.e2e.host_process import HostProcess, descendants_of, running_host
from tests.e2e.moonlight_tools import desktop_id, pair, paired_client, wait_for_attempt

pytestmark = pytest.mark.e2e

TIMING = ("timing.",)
"""What a busy machine may break."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with running_host(tmp_path_factory.mktemp("host"), "--display", "synthetic") as running:
        yield running


def running(pids: set[int]) -> set[int]:
    """Those that still exist."""
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def workers(host: HostProcess) -> list[int]:
    """Process ids of the workers that stream (a spare one is among them)."""
    return [
        pid for pid in host.descendants() if b"punktfunk.gamestream.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


async def eventually(condition: object, timeout_s: float = 5.0) -> None:
    """Wait until a function is true."""
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_pair_launch_quit_resume_cancel(host: HostProcess) -> None:
    async with paired_client(host) as client:
        assert (await client.serverinfo(https=True)).current_game == 0
        app = await desktop_id(client)
        stream = await client.launch(app, StreamOptions(width=1280, height=720, fps=60))
        frames = await stream.wait_for_frames(60)
        assert [f.index for f in frames] == list(range(1, 61))
        await stream.close()
        assert (await client.serverinfo(https=True)).current_game == app
        stream = await client.resume(app, StreamOptions(width=1920, height=1080, fps=30))
        await stream.wait_for_frames(20)
        await stream.close()
        await client.cancel()
        assert (await client.serverinfo(https=True)).current_game == 0
        assert not client.violations.excluding(*TIMING), client.violations


async def test_a_wrong_pin_pairs_nobody(host: HostProcess) -> None:
    identity = Identity.load_or_create(host.folder / "wrong")
    async with MoonlightClient("127.0.0.1", host.base_port, identity=identity) as client:
        await client.serverinfo()
        with pytest.raises(PairingFailed):
            await pair(host, client, "1111", typed="2222")
        with pytest.raises(PairingFailed):
            await pair(host, client, "1111", typed="1112")
        await pair(host, client, "1111")


async def test_two_clients_that_pair_at_once_are_told_apart(host: HostProcess) -> None:
    clients = [
        MoonlightClient("127.0.0.1", host.base_port, identity=Identity.load_or_create(host.folder / name))
        for name in ("left", "right")
    ]
    pairings = []
    for client, pin in zip(clients, ("1234", "5678"), strict=True):
        await client.serverinfo()
        pairings.append(asyncio.create_task(client.pair(pin)))
        await wait_for_attempt(host)
        await asyncio.sleep(0.2)
    attempts = (await asyncio.to_thread(host.json, "pair", "--list"))["attempts"]
    if len(attempts) == 2:  # both clients share one address and one unique id: the newer may have taken its place
        refused = await asyncio.to_thread(lambda: host.command("pair", "1234", check=False))
        assert refused.returncode
    for attempt, pin in zip(attempts, ("1234", "5678")[-len(attempts) :], strict=True):
        await asyncio.to_thread(host.command, "pair", pin, "--attempt", attempt["attempt"])
    results = await asyncio.gather(*pairings, return_exceptions=True)
    assert not isinstance(results[-1], BaseException)
    for client in clients:
        await client.aclose()


async def test_refusals_have_their_codes(host: HostProcess) -> None:
    stranger = Identity.load_or_create(host.folder / "stranger")
    async with paired_client(host, "refused") as client:
        app = await desktop_id(client)
        for verb, app_id, status in (("launch", 4242, 404), ("resume", app, 503)):
            with pytest.raises(HttpFailed) as failure:
                await client.request_launch(app_id, StreamOptions(), verb)
            assert failure.value.status == status
        stream = await client.launch(app, StreamOptions())
        with pytest.raises(HttpFailed) as failure:
            await client.request_launch(app, StreamOptions())
        assert failure.value.status == 400
        pinned = client.http.pinned
        async with MoonlightClient("127.0.0.1", host.base_port, identity=stranger, pinned=pinned) as other:
            with pytest.raises(HttpFailed) as failure:
                await other.app_list()
            assert failure.value.status == 401
        await stream.close()
        await client.cancel()


@pytest.mark.parametrize(
    "options",
    [
        StreamOptions(encryption=Encryption.NONE, core_version=0),
        StreamOptions(encryption=Encryption.NONE),
        StreamOptions(encryption=Encryption.CONTROL),
        StreamOptions(encryption=Encryption.CONTROL | Encryption.AUDIO, channels=6, packet_ms=10),
        StreamOptions(channels=8, bitrate_kbps=20_000, high_quality_audio=True),
        StreamOptions(channels=6, bitrate_kbps=20_000, high_quality_audio=True, packet_size=1024),
        StreamOptions(width=640, height=360, fps=120, bitrate_kbps=2000, slices=4),
        StreamOptions(chroma444=True),
        StreamOptions(fps=60, refresh_x100=5994, colour_space=0, full_range=True),
        StreamOptions(width=1920, height=1080, fps=30, bitrate_kbps=80_000),
    ],
    ids=str,
)
async def test_every_way_of_streaming(host: HostProcess, options: StreamOptions) -> None:
    async with paired_client(host, "ways") as client:
        stream = await client.launch(await desktop_id(client), options)
        await stream.wait_for_frames(45, 20)
        await asyncio.sleep(0.6)
        statistics = stream.statistics()
        await stream.close()
        await client.cancel()
        assert statistics.audio_delivered > 0
        assert not client.violations.excluding(*TIMING), client.violations


async def test_two_clients_each_with_a_picture_of_its_own(host: HostProcess) -> None:
    async with paired_client(host, "one") as one, paired_client(host, "two") as two:
        streams: list[Stream] = []
        for client, options in ((one, StreamOptions()), (two, StreamOptions(width=640, height=480, fps=30))):
            streams.append(await client.launch(await desktop_id(client), options))
        for stream in streams:
            await stream.wait_for_frames(60)
        for client, stream in zip((one, two), streams, strict=True):
            await stream.close()
            await client.cancel()
            assert not client.violations.excluding(*TIMING), client.violations


@pytest.mark.parametrize(
    "impairment",
    [
        Impairment(seed=1, loss=0.05),
        Impairment(seed=2, loss=0.002, burst=20),
        Impairment(seed=3, reorder=0.05, duplicate=0.05),
    ],
    ids=str,
)
async def test_a_bad_network(host: HostProcess, impairment: Impairment) -> None:
    async with paired_client(host, "lossy") as client:
        stream = await client.launch(await desktop_id(client), StreamOptions(bitrate_kbps=15_000), impair=impairment)
        await stream.wait_for_frames(300, 20)
        statistics = stream.statistics()
        await stream.close()
        await client.cancel()
        assert statistics.longest_stall_s < 0.5
        assert not client.violations.excluding(*TIMING), client.violations


async def test_a_killed_worker_is_replaced_under_the_same_connection(host: HostProcess) -> None:
    async with paired_client(host, "survivor") as client:
        stream = await client.launch(await desktop_id(client), StreamOptions())
        await stream.wait_for_frames(60)
        for pid in workers(host):
            os.kill(pid, signal.SIGKILL)
        await stream.wait_for_frames(60)
        statistics = stream.statistics()
        await stream.close()
        await client.cancel()
        assert 2 <= statistics.idrs_wire <= 3  # the client may ask for one more while the first is on its way
        assert statistics.longest_stall_s < 2.0
        assert not client.violations.excluding(*TIMING, "audio.", "video.sequence-gap"), client.violations


async def test_a_client_that_vanishes_leaves_its_app_for_a_resume(host: HostProcess) -> None:
    async with paired_client(host, "vanisher") as client:
        app = await desktop_id(client)
        stream = await client.launch(app, StreamOptions())
        await stream.wait_for_frames(10)
        await stream.vanish()
        sessions = host.json("sessions", "list")["sessions"]
        assert [s["state"] for s in sessions] == ["live"]
        await eventually(lambda: host.json("sessions", "list")["sessions"][0]["state"] == "lingering", 20)
        stream = await client.resume(app, StreamOptions())
        await stream.wait_for_frames(10)
        await stream.close()
        await client.cancel()


async def test_unpairing_cuts_a_live_stream_within_a_second(host: HostProcess) -> None:
    async with paired_client(host, "revoked") as client:
        stream = await client.launch(await desktop_id(client), StreamOptions())
        await stream.wait_for_frames(10)
        live = [d for d in host.json("devices", "list")["devices"] if d["connected"]]
        removed_at = time.monotonic()
        await asyncio.to_thread(host.command, "devices", "remove", live[0]["fingerprint"])
        assert await stream.wait_ended(5) == 0
        assert time.monotonic() - removed_at < 2.5  # the command's own start included
        with pytest.raises(HttpFailed) as failure:
            await client.app_list()
        assert failure.value.status == 401


async def test_junk_at_full_speed_does_not_stop_a_stream(host: HostProcess) -> None:
    async with paired_client(host, "flooded") as client:
        stream = await client.launch(await desktop_id(client), StreamOptions(bitrate_kbps=5000))
        await stream.wait_for_frames(10)
        stop = asyncio.Event()

        def flood() -> int:
            sent = 0
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                while not stop.is_set():
                    for offset in (9, 10, 11):
                        sock.sendto(os.urandom(64) * (1 + sent % 20), ("127.0.0.1", host.base_port + offset))
                        sent += 1
            return sent

        flooding = asyncio.create_task(asyncio.to_thread(flood))
        await stream.wait_for_frames(120, 20)
        stop.set()
        assert await flooding > 1000
        await stream.close()
        await client.cancel()
        # Client, host and flood share the processors here: that every picture came is asserted, not when.
        assert not client.violations.excluding(*TIMING), client.violations


async def test_stopping_the_host_says_goodbye_and_leaves_nothing(tmp_path: Path) -> None:
    with running_host(tmp_path / "host", "--display", "synthetic") as host:
        async with paired_client(host) as client:
            stream = await client.launch(await desktop_id(client), StreamOptions())
            await stream.wait_for_frames(10)
            children = host.descendants()
            assert await asyncio.to_thread(host.stop) == 0
            assert await stream.wait_ended(5) == 0
            assert not running(children)
    assert "Traceback" not in host.log()


async def test_a_killed_host_leaves_nothing_and_the_next_start_is_clean(tmp_path: Path) -> None:
    with running_host(tmp_path / "host", "--display", "synthetic") as host:
        async with paired_client(host) as client:
            stream = await client.launch(await desktop_id(client), StreamOptions())
            await stream.wait_for_frames(10)
            children = descendants_of(host.process.pid)  # type: ignore[union-attr]
            assert children
            host.kill()
            await eventually(lambda: not running(children))
            await stream.vanish()
            host.start()
            assert (await client.serverinfo(https=True)).paired
            assert (await client.serverinfo(https=True)).current_game == 0


def test_a_second_start_says_who_is_there(host: HostProcess, tmp_path: Path) -> None:
    other = HostProcess(tmp_path / "other", "--display", "synthetic", base_port=host.base_port)
    with pytest.raises(AssertionError, match=r"(?s)did not start.*process"):
        other.start()
    assert other.process is not None
    assert other.process.wait() != 0
    assert "Traceback" not in other.log()
