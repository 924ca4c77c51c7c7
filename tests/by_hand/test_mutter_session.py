"""A person's GNOME is streamed, with the real mutter: a monitor for each session, picture, keys, pointer, text,
crashes, and all as before. Needs mutter (58 MB more packages); what every machine tests is test_mutter_stand_in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.by_hand.mutter_tools import MONITOR, PersonsGnome, needs_mutter
from tests.e2e.desktop_tools import DESKTOP_USER, file_appears, read
from tests.e2e.host_process import HostProcess, running_host
from tests.e2e.native_tools import eventually, paired_identity, session, workers

from punktfunk.client.connection import Mode
from punktfunk.client.errors import ConnectionClosedError
from punktfunk.client.session import Options, Session
from punktfunk.wire.punktfunk1.caps import HostCaps

pytestmark = [pytest.mark.e2e, needs_mutter]

OPTIONS = Options(mode=Mode(1280, 720, 30), bitrate_kbps=8000)
SMALL = Options(mode=Mode(960, 540, 30), bitrate_kbps=5000)
ENTER = 0x0D
PATIENCE_S = 15.0

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def gnome() -> Iterator[PersonsGnome]:
    running = PersonsGnome()
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def host(gnome: PersonsGnome) -> Iterator[HostProcess]:
    folder = Path(tempfile.mkdtemp(prefix="pf-mutter-"))
    if os.geteuid() == 0:
        shutil.chown(folder, DESKTOP_USER, DESKTOP_USER)
    (folder / "host.toml").write_text(
        f"""
        [host]
        name = "test-host"
        config_dir = "{folder}/config"
        state_dir = "{folder}/state"
        runtime_dir = "{folder}/run"
        [network]
        mdns = false
        bind_address = "127.0.0.1"
        [audio]
        mode = "off"
        [display]
        kind = "mutter"
        [[apps]]
        name = "Terminal"
        command = "foot --title=app sh -c 'echo > {folder}/app; sleep 1000'"
        """
    )
    (folder / "host.toml").chmod(0o644)
    try:
        with running_host(folder, prefix=gnome.prefix) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def as_before(gnome: PersonsGnome) -> Iterator[None]:
    assert not gnome.ours()
    before = gnome.monitors()
    yield
    deadline = time.monotonic() + PATIENCE_S
    while gnome.monitors() != before:
        assert time.monotonic() < deadline, gnome.monitors()
        time.sleep(0.1)


@contextlib.asynccontextmanager
async def watching(live: Session) -> AsyncIterator[list[Picture]]:
    """The newest picture, as the only item of a list."""
    newest: list[Picture] = []

    async def watch() -> None:
        async for picture in live.pictures():
            newest[:] = [picture.frame.to_ndarray(format="rgb24")]

    task = asyncio.create_task(watch())
    try:
        yield newest
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionClosedError):
            await task


async def until(condition: Callable[[], Any], what: str, limit_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


async def monitors(gnome: PersonsGnome, sizes: list[list[int]]) -> None:
    """Wait until those for streams have these sizes."""
    deadline = time.monotonic() + PATIENCE_S
    while sorted((found := await asyncio.to_thread(gnome.ours)).values()) != sorted(sizes):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def terminal(gnome: PersonsGnome, host: HostProcess, name: str) -> AsyncIterator[Path]:
    """A terminal of the person's that keeps what is typed into it."""
    typed, ready = host.folder / name, host.folder / f"{name}-ready"
    keep = f"stty raw -echo; echo > {ready}; exec cat > {typed}"
    program = gnome.open("foot", f"--title={name}", "sh", "-c", keep)
    await file_appears(ready, PATIENCE_S)
    await asyncio.sleep(0.5)
    try:
        yield typed
    finally:
        gnome.close(program)


def press(live: Session, key: int) -> None:
    live.input.key(key, True)
    live.input.key(key, False)


async def typed(file: Path, text: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while (seen := read(file)) != text:
        assert time.monotonic() < deadline, f"{seen!r} instead of {text!r}"
        await asyncio.sleep(0.05)


@pytest.mark.usefixtures("as_before")
async def test_a_session_has_a_monitor_of_its_own_and_it_is_the_main_one(
    gnome: PersonsGnome, host: HostProcess
) -> None:
    identity = await paired_identity(host, "Desk")
    async with session(host, identity, OPTIONS) as live, watching(live) as picture:
        await until(lambda: picture, "a picture")
        assert picture[0].shape == (720, 1280, 3)
        assert HostCaps.CLIPBOARD not in live.welcome.host_caps
        await monitors(gnome, [[1280, 720]])
        found = await asyncio.to_thread(gnome.monitors)
        assert list(MONITOR) in found["sizes"].values()
        assert [found["primary"]] == found["virtual"]
        async with terminal(gnome, host, "one") as keys:
            press(live, ord("Y"))
            live.input.text("aB!")
            press(live, ENTER)
            await typed(keys, "yaB!\n")


@pytest.mark.usefixtures("as_before")
async def test_the_pointer_is_placed_in_the_streamed_monitor(gnome: PersonsGnome, host: HostProcess) -> None:
    identity = await paired_identity(host, "Mouse")
    async with session(host, identity, OPTIONS) as live, watching(live) as picture:
        await until(lambda: picture, "a picture")
        await at(live, picture, 1279, 719)
        plain = picture[0].astype(int)

        def pointer() -> tuple[int, int] | None:
            rows, columns = np.nonzero(np.abs(picture[0].astype(int) - plain).max(axis=2) > 60)
            return (int(columns.min()), int(rows.min())) if len(rows) else None

        for x, y in ((100, 50), (640, 360), (1200, 600)):
            await at(live, picture, x, y)
            await until(
                lambda x=x, y=y: (found := pointer()) and abs(found[0] - x) < 5 and abs(found[1] - y) < 5,
                f"the pointer at {x}, {y}, not {pointer()}",
            )


async def at(live: Session, picture: list[Picture], x: int, y: int) -> None:
    """Go there in steps: mutter 43 shows a pointer over a still picture one move late."""
    for step in (3, 2, 1, 0):
        live.input.move_to(max(0, x - step), y, 1280, 720)
        await asyncio.sleep(0.2)


@pytest.mark.usefixtures("as_before")
async def test_a_mode_change_keeps_the_monitor_and_its_windows(gnome: PersonsGnome, host: HostProcess) -> None:
    identity = await paired_identity(host, "Remode")
    async with session(host, identity, OPTIONS) as live, watching(live) as picture:
        await until(lambda: picture, "a picture")
        (connector,) = await asyncio.to_thread(gnome.ours)
        async with terminal(gnome, host, "kept") as keys:
            for mode in (Mode(1600, 900, 30), Mode(1000, 600, 30)):
                assert (await live.reconfigure(mode)).accepted, mode
                await until(lambda mode=mode: picture[0].shape == (mode.height, mode.width, 3), f"pictures of {mode}")
                assert await asyncio.to_thread(gnome.ours) == {connector: [mode.width, mode.height]}
                assert (await asyncio.to_thread(gnome.monitors))["primary"] == connector
                await asyncio.sleep(0.6)  # a mode has to last so long
            press(live, ord("A"))
            await typed(keys, "a")


@pytest.mark.usefixtures("as_before")
async def test_two_sessions_have_two_monitors(gnome: PersonsGnome, host: HostProcess) -> None:
    first, second = await paired_identity(host, "First"), await paired_identity(host, "Second")
    async with session(host, first, OPTIONS) as one, watching(one) as left:
        await until(lambda: left, "the first picture")
        main = (await asyncio.to_thread(gnome.monitors))["primary"]
        async with session(host, second, SMALL) as two, watching(two) as right:
            await until(lambda: right, "the second picture")
            await monitors(gnome, [[1280, 720], [960, 540]])
            assert (left[0].shape, right[0].shape) == ((720, 1280, 3), (540, 960, 3))
            assert (await asyncio.to_thread(gnome.monitors))["primary"] == main
            async with terminal(gnome, host, "both") as keys:
                press(one, ord("A"))
                await typed(keys, "a")
                press(two, ord("B"))
                await typed(keys, "ab")
        await monitors(gnome, [[1280, 720]])


@pytest.mark.usefixtures("as_before")
async def test_an_app_runs_in_the_session_and_ends_with_it(gnome: PersonsGnome, host: HostProcess) -> None:
    identity = await paired_identity(host, "Player")
    options = Options(OPTIONS.mode, 8000, launch_id="Terminal")
    async with session(host, identity, options) as live, watching(live) as picture:
        await until(lambda: picture, "a picture")
        await file_appears(host.folder / "app", PATIENCE_S)
        assert "title=app" in running(gnome)
    await until(lambda: "title=app" not in running(gnome), "the app's end")


def running(gnome: PersonsGnome) -> str:
    return gnome.run("ps", "-eo", "args").stdout


@pytest.mark.usefixtures("as_before")
async def test_a_killed_worker_leaves_one_monitor_and_no_key_down(gnome: PersonsGnome, host: HostProcess) -> None:
    identity = await paired_identity(host, "Holder")
    async with session(host, identity, OPTIONS) as live, watching(live) as picture:
        await until(lambda: picture, "a picture")
        async with terminal(gnome, host, "held") as keys:
            live.input.key(ord("A"), True)
            await until(lambda: read(keys).startswith("a"), "the held key's letter")
            for pid in workers(host):
                os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(1.5)
            before = read(keys)
            await asyncio.sleep(1.0)
            assert read(keys) == before, "the key still repeats"
            picture.clear()
            await until(lambda: picture, "a picture of the next worker")
            await monitors(gnome, [[1280, 720]])
            press(live, ord("B"))
            await typed(keys, before + "b")


async def test_a_mutter_that_dies_ends_the_session_and_not_the_host(gnome: PersonsGnome, host: HostProcess) -> None:
    identity = await paired_identity(host, "Witness")
    async with session(host, identity, OPTIONS) as live, watching(live) as picture:
        await until(lambda: picture, "a picture")
        gnome.kill_mutter()
        await until(lambda: live.closed is not None, "the session's end", 20)
    await eventually(lambda: "ends: " in host.log())
    assert "no GNOME session runs" in host.log()
    await asyncio.to_thread(gnome.start_mutter)
    async with session(host, identity, OPTIONS) as live, watching(live) as picture:
        await until(lambda: picture, "a picture of the new desktop")
        await monitors(gnome, [[1280, 720]])
