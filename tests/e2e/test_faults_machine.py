"""A machine that misbehaves: full and read-only disks, ports taken, a clock that jumps, impatient and bare starts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.moonlight.errors import ClientError
from tests.conformance.moonlight.options import StreamOptions
from tests.e2e.desktop_tools import Screen, all_gone, needs_desktop, shows_terminal
from tests.e2e.host_process import PORT_OFFSETS, HostProcess, running_host
from tests.e2e.moonlight_tools import desktop_id, paired_client

pytestmark = pytest.mark.e2e

needs_mounts = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
MODE = StreamOptions(width=1280, height=720, fps=60)
STOP_S = 12.0
JUMPING_CLOCK = """
import random, runpy, sys, time
real = time.time
time.time = lambda: real() + random.choice((-10**6, 0, 3600, 10**7))
time.time_ns = lambda: int(time.time() * 1e9)
sys.argv = sys.argv[3:]
runpy.run_module("punktfunk.cli.main", run_name="__main__", alter_sys=True)
"""
"""Runs the arguments after ``python -m`` with a wall clock that jumps by days between any two looks at it."""


@contextlib.contextmanager
def small_disk(folder: Path, kib: int = 256) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k,mode=700", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)


def fill(folder: Path) -> Path:
    rest = folder / "rest"
    with contextlib.suppress(OSError), rest.open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    return rest


def refused_start(host: HostProcess) -> str:
    """What a host says that cannot start: a sentence, an exit status, and no traceback."""
    host.spawn()
    assert host.process is not None
    try:
        status = host.process.wait(20)
    except subprocess.TimeoutExpired:
        host.stop()
        raise
    assert status not in (0, -signal.SIGKILL)
    assert "Traceback" not in host.log()
    assert "Unexpected fault" not in host.log()
    return host.log()


@needs_mounts
async def test_a_disk_that_fills_up_costs_no_pairing_and_no_stream(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "host" / "config") as disk,
        running_host(tmp_path / "host", "--display", "synthetic") as host,
    ):
        async with paired_client(host, "early") as early:
            rest = fill(disk)
            stream = await early.launch(await desktop_id(early), MODE)
            await stream.wait_for_frames(30)
            with contextlib.suppress(ClientError, AssertionError, TimeoutError):
                async with asyncio.timeout(10), paired_client(host, "late"):
                    pass
            await stream.wait_for_frames(30)
            await stream.close()
            await early.cancel()
            host.stop()
            rest.unlink()
            host.start()
            assert (await early.serverinfo(https=True)).paired
        async with paired_client(host, "late"):
            pass
    assert "Traceback" not in host.log()


@needs_mounts
def test_no_room_for_an_identity_is_said_in_a_sentence(tmp_path: Path) -> None:
    with small_disk(tmp_path / "host" / "config", 4) as disk:
        fill(disk)
        assert "No space left" in refused_start(HostProcess(tmp_path / "host", "--display", "synthetic"))


@needs_mounts
async def test_a_read_only_configuration_serves_those_who_are_paired(tmp_path: Path) -> None:
    folder = tmp_path / "host"
    with small_disk(folder / "config") as disk:
        with running_host(folder, "--display", "synthetic") as host:
            async with paired_client(host) as client:
                host.stop()
                read_only(disk)
                host.start()
                stream = await client.launch(await desktop_id(client), MODE)
                await stream.wait_for_frames(10)
                await stream.close()
                await client.cancel()
        assert "Traceback" not in host.log()


@needs_mounts
def test_a_read_only_folder_without_an_identity_is_said_in_a_sentence(tmp_path: Path) -> None:
    with small_disk(tmp_path / "host" / "config") as disk:
        read_only(disk)
        assert "Read-only" in refused_start(HostProcess(tmp_path / "host", "--display", "synthetic"))


@pytest.mark.parametrize("offset", PORT_OFFSETS)
def test_a_port_that_is_taken_is_named(tmp_path: Path, offset: int) -> None:
    host = HostProcess(tmp_path / "host", "--display", "synthetic")
    with contextlib.ExitStack() as stack:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sock = stack.enter_context(socket.socket(socket.AF_INET, kind))
            sock.bind(("127.0.0.1", host.base_port + offset))
            if kind is socket.SOCK_STREAM:
                sock.listen()
        said = refused_start(host)
    assert str(host.base_port + offset) in said
    assert str(os.getpid()) in said


def test_an_address_that_is_not_this_machines_is_said(tmp_path: Path) -> None:
    said = refused_start(HostProcess(tmp_path / "host", "--display", "synthetic", "--bind", "203.0.113.9"))
    assert "this machine has no address 203.0.113.9" in said


async def test_a_wall_clock_that_jumps_is_nobodys_business(tmp_path: Path) -> None:
    prefix = (sys.executable, "-c", JUMPING_CLOCK)
    with running_host(tmp_path / "host", "--display", "synthetic", prefix=prefix) as host:
        async with paired_client(host) as client:
            stream = await client.launch(await desktop_id(client), MODE)
            await stream.wait_for_frames(300, 20)
            statistics = stream.statistics()
            assert statistics.longest_stall_s < 0.5
            await stream.close()
            await client.cancel()


@needs_desktop
@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.3, 0.6])
async def test_a_stop_in_the_middle_of_a_launch_leaves_nothing(tmp_path: Path, after_s: float) -> None:
    with running_host(tmp_path / "host", "--display", "embedded") as host:
        async with paired_client(host) as client:
            app = await desktop_id(client)
            launching = asyncio.create_task(client.launch(app, MODE))
            await asyncio.sleep(after_s)
            children = host.descendants()
            assert host.process is not None
            host.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(host.process.wait, STOP_S) == 0
            await all_gone(children | host.descendants(), 1.0)
            await asyncio.wait([launching], timeout=15)
            if not launching.cancel() and launching.exception() is None:
                await launching.result().vanish()
    assert "Traceback" not in host.log()


@needs_desktop
async def test_an_impatient_second_interrupt_leaves_nothing_either(tmp_path: Path) -> None:
    with running_host(tmp_path / "host", "--display", "embedded") as host:
        async with paired_client(host) as client:
            stream = await client.launch(await desktop_id(client), MODE)
            async with Screen(stream) as screen:
                await screen.until(shows_terminal)
            children = host.descendants()
            assert host.process is not None
            for _ in range(2):
                host.process.send_signal(signal.SIGINT)
                await asyncio.sleep(0.1)
            await asyncio.to_thread(host.process.wait, STOP_S)
            await all_gone(children)
            await stream.vanish()
    assert "Traceback" not in host.log()


@pytest.mark.parametrize("shell", ['exec "$@" <&-', 'exec "$@" <&- >/dev/null', 'cd / && umask 0 && exec "$@"'])
def test_a_start_without_home_terminal_or_input(tmp_path: Path, shell: str) -> None:
    host = HostProcess(
        tmp_path / "host",
        "--display",
        "synthetic",
        prefix=("/bin/sh", "-c", shell, "sh"),
        environment={"PATH": os.environ["PATH"]},
    )
    started_at = time.monotonic()
    host.spawn()
    while not host.runtime.exists():
        assert time.monotonic() < started_at + 15, host.log()
        time.sleep(0.05)
    for _ in range(100):
        if host.command("status", "--json", check=False).returncode == 0:
            break
        time.sleep(0.1)
    assert host.stop() == 0
    assert "Traceback" not in host.log()
    private = [path for path in (tmp_path / "host" / "config").rglob("*") if path.stat().st_mode & 0o077]
    assert not [path for path in private if "key" in path.name]
