"""Processes that die in the middle of a stream of the embedded desktop, each killed as a crash or the kernel would."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.moonlight.options import StreamOptions
from tests.e2e.desktop_tools import (
    Screen,
    all_gone,
    children_running,
    desktop,
    file_appears,
    hears,
    needs_desktop,
    shows_terminal,
    type_command,
)
from tests.e2e.host_process import HostProcess, running_host
from tests.e2e.moonlight_tools import desktop_id, paired_client

pytestmark = [pytest.mark.e2e, needs_desktop]

MODE = StreamOptions(width=1280, height=720, fps=60)
WORKER = "punktfunk.gamestream.worker"
BACK_AFTER_S = 2.0
DESKTOP_BACK_AFTER_S = 5.0
TONE_HZ = 550
TONE = (
    "import math,struct,sys,time\n"
    "block = b''.join(struct.pack('<h', int(9000 * math.sin(i * {hz} * math.tau / 48000))) for i in range(48000))\n"
    "while True: sys.stdout.buffer.write(block)\n"
)
UNAVOIDABLE = ("timing.", "audio.", "video.sequence-gap")
"""A busy machine, and packets that died with the worker."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostProcess]:
    tmp_path.chmod(0o755)
    with running_host(tmp_path / "host", "--display", "embedded") as running:
        running.folder.chmod(0o777)
        running.folder.parent.parent.chmod(0o755)
        running.folder.parent.parent.parent.chmod(0o755)
        yield running


def runtime_folders() -> set[Path]:
    return set(Path("/run/punktfunk").glob("??????")) if os.geteuid() == 0 else set()


def kill(processes: list[int]) -> None:
    """Kill all that still live; short-lived helpers come and go between the look and the kill."""
    assert processes
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def test_a_killed_worker_costs_a_keyframe_and_nothing_else(host: HostProcess) -> None:
    async with paired_client(host) as client, desktop(client, MODE) as (stream, screen):
        await screen.until(shows_terminal)
        await type_command(stream, f"MEMORY=kept; echo set > {host.folder}/before")
        await file_appears(host.folder / "before")
        for keyframes in (2, 3):
            # The spare worker dies along, so that the replacement has to be started from nothing.
            kill(children_running(host, WORKER))
            killed_at = time.monotonic()
            await screen.until(lambda _picture, n=keyframes: stream.statistics().idrs_seen == n, BACK_AFTER_S)  # type: ignore[misc]
            print(f"back after {time.monotonic() - killed_at:.2f} s")
            await asyncio.sleep(0.5)
        await screen.until(shows_terminal)
        await type_command(stream, f"echo $MEMORY > {host.folder}/after")
        assert await file_appears(host.folder / "after") == "kept\n"
        assert stream.statistics().idrs_wire == 3
        assert stream.statistics().longest_stall_s < BACK_AFTER_S
    assert not client.violations.excluding(*UNAVOIDABLE), client.violations


async def test_a_killed_desktop_comes_back_under_the_same_connection(host: HostProcess) -> None:
    async with paired_client(host) as client, desktop(client, MODE) as (stream, screen):
        await screen.until(shows_terminal)
        await type_command(stream, f"sleep 1000 & echo started > {host.folder}/before")
        await file_appears(host.folder / "before")
        old = children_running(host, "sway", "foot", "sleep", "waybar")
        before = screen.pictures
        kill(children_running(host, "sway"))
        killed_at = time.monotonic()
        await screen.until(lambda _picture: screen.pictures > before + 5, DESKTOP_BACK_AFTER_S)
        await screen.until(shows_terminal, DESKTOP_BACK_AFTER_S)
        print(f"back after {time.monotonic() - killed_at:.2f} s")
        await all_gone(old)
        await type_command(stream, f"echo again > {host.folder}/after")
        assert await file_appears(host.folder / "after") == "again\n"
    assert not client.violations.excluding(*UNAVOIDABLE), client.violations


async def test_killed_sound_comes_back_while_the_picture_goes_on(host: HostProcess) -> None:
    (host.folder / "tone.py").write_text(TONE.format(hz=TONE_HZ))
    async with paired_client(host) as client, desktop(client, MODE) as (stream, screen):
        await screen.until(shows_terminal)
        play = f"python3 {host.folder}/tone.py | pacat --raw --format=s16le --rate=48000 --channels=1"
        await type_command(stream, f"while :; do {play}; sleep .2; done")
        await hears(stream, TONE_HZ)
        for program in ("pipewire", "wireplumber", "pipewire-pulse"):
            kill(children_running(host, program))
            await asyncio.sleep(0.5)
            stream.audio_packets.clear()
            killed_at = time.monotonic()
            await hears(stream, TONE_HZ)
            print(f"{program}: heard again after {time.monotonic() - killed_at:.2f} s")
        assert stream.statistics().longest_stall_s < 0.5
        assert stream.statistics().idrs_wire == 1


async def test_a_killed_host_leaves_nothing_running_and_the_next_start_is_clean(host: HostProcess) -> None:
    async with paired_client(host) as client:
        stream = await client.launch(await desktop_id(client), MODE)
        async with Screen(stream) as screen:
            await screen.until(shows_terminal)
            await type_command(stream, f"setsid -f sleep 1234; echo started > {host.folder}/daemon")
            await file_appears(host.folder / "daemon")
            children = host.descendants()
            assert len(children) > 10
            host.kill()
            await all_gone(children)
        await stream.vanish()
        folders = runtime_folders()
        host.start()
        assert len(runtime_folders() - folders) <= 1
        assert (await client.serverinfo(https=True)).current_game == 0
        async with desktop(client, MODE) as (stream, screen):
            await screen.until(shows_terminal)


async def test_every_helper_process_dies_at_once_and_the_host_stays(host: HostProcess) -> None:
    """Whatever is left of the session, the client gets an end or a picture, and can launch again."""
    async with paired_client(host) as client:
        app = await desktop_id(client)
        stream = await client.launch(app, MODE)
        async with Screen(stream) as screen:
            await screen.until(shows_terminal)
            kill(sorted(host.descendants()))
            await asyncio.sleep(4)
        await stream.vanish()
        if (await client.serverinfo(https=True)).current_game:
            await client.cancel()
        async with desktop(client, MODE) as (stream, screen):
            await screen.until(shows_terminal)
