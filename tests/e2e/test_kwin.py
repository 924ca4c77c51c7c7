"""A person's KDE session is streamed, with a stand-in for KWin that shows real PipeWire nodes: output, picture, input,
mode changes, crashes of everybody, and nothing left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.e2e.desktop_tools import file_appears
from tests.e2e.host_process import HostProcess
from tests.e2e.kwin_tools import KdeSession, kde_session, needs_pipewire, until
from tests.e2e.native_tools import eventually, paired_identity, pictures, refusal, session, workers
from tests.pipewire_producer import PICTURE_COLOR

from punktfunk.client.connection import Mode
from punktfunk.client.session import Options, Session
from punktfunk.media.stamp import read_stamp
from punktfunk.wire.punktfunk1.caps import HostCaps

pytestmark = [pytest.mark.e2e, needs_pipewire]

OPTIONS = Options(mode=Mode(1280, 720, 60), bitrate_kbps=8000)
LARGER = Mode(1600, 900, 60)
LETTER_A, SHIFT = 0x41, 0xA0
KEY_A, KEY_SHIFT = 30, 42


@pytest.fixture(scope="module")
def kde() -> Iterator[KdeSession]:
    with kde_session() as running:
        yield running


@contextlib.contextmanager
def host_for(kde: KdeSession, folder: Path, settings: str = "") -> Iterator[HostProcess]:
    # KWin lets only its own user's programs in, which is whoever runs the tests.
    user = f'[display]\nuser = "{"root" if os.geteuid() == 0 else ""}"\n'
    flags = ("--display", "kwin", "--audio", "off")
    host = HostProcess(folder, *flags, environment=kde.environment, settings=user + settings).start()
    try:
        yield host
    except BaseException:
        print(host.log()[-6000:], (kde.folder / "log").read_text()[-2000:])
        raise
    finally:
        assert host.process is not None
        if host.process.poll() is None:
            assert host.stop() == 0


@pytest.fixture
def host(kde: KdeSession, tmp_path: Path) -> Iterator[HostProcess]:
    with host_for(kde, tmp_path / "host") as running:
        yield running
    until(lambda: not kde.outputs() and not kde.nodes(), "no output is left")


@contextlib.asynccontextmanager
async def streaming(host: HostProcess, name: str = "Guest") -> AsyncIterator[Session]:
    identity = await paired_identity(host, name)
    async with session(host, identity, OPTIONS) as live:
        await pictures(live, 5)
        yield live


async def moving_picture(live: Session, width: int, height: int, limit_s: float = 15.0) -> None:
    """Wait for two pictures of this size, in the right colour and one later than the other."""
    stamps: set[int] = set()
    async with asyncio.timeout(limit_s):
        async for picture in live.pictures():
            pixels = picture.frame.to_ndarray(format="rgb24")
            if pixels.shape[:2] != (height, width):
                continue
            assert np.abs(pixels[height // 2, width // 2].astype(int) - PICTURE_COLOR).max() < 12
            if stamp := read_stamp(pixels):
                stamps.add(stamp.frame)
            if len(stamps) > 1:
                return
    raise AssertionError(f"the session ended: {live.closed}")


async def test_an_output_of_its_own_is_seen_and_typed_into(kde: KdeSession, host: HostProcess) -> None:
    began = len(kde.seen())
    async with streaming(host) as live:
        assert HostCaps.TEXT_INPUT in live.welcome.host_caps
        await moving_picture(live, 1280, 720)
        assert kde.seen("virtual_output")[-1] == ["virtual_output", "punktfunk", 1280, 720, 1.0, 2]
        # The output lies at 1920,0 in the desktop; the pointer is put into its middle for a start.
        await asyncio.to_thread(kde.wait_for, "motion_absolute", 2560.0, 360.0, since=began)
        live.input.move_to(320, 180, 1280, 720)
        live.input.move(5, -3)
        live.input.button(1, True)
        live.input.button(1, False)
        live.input.scroll(120)
        live.input.key(LETTER_A, True)
        live.input.key(LETTER_A, False)
        live.input.text("ß@")
        live.input.touch(7, 640, 360, 1280, 720, began=True)
        live.input.touch_up(7)
        live.input.key(SHIFT, True)
        await asyncio.to_thread(kde.wait_for, "key", KEY_SHIFT, 1, since=began)
    await asyncio.to_thread(kde.wait_for, "close", "punktfunk", since=began)
    done = kde.seen()[began:]
    assert [what for what in done if what[0] in ("motion", "button", "axis")] == [
        ["motion", 5.0, -3.0],
        ["button", 0x110, 1],
        ["button", 0x110, 0],
        ["axis", 0, -10.0],
    ]
    assert ["motion_absolute", 2240.0, 180.0] in done
    assert [what for what in done if what[0] in ("touch_down", "touch_up")] == [
        ["touch_down", 0, 2560.0, 360.0],
        ["touch_up", 0],
    ]
    # In the layout of the desktop, which is German; what was held is released at the end.
    pressed = [(code, state) for what, code, state in (what for what in done if what[0] == "key")]
    altgr_q = [(100, 1), (16, 1), (16, 0), (100, 0)]
    assert pressed == [(KEY_A, 1), (KEY_A, 0), (12, 1), (12, 0), *altgr_q, (KEY_SHIFT, 1), (KEY_SHIFT, 0)]


async def test_another_mode_is_another_output(kde: KdeSession, host: HostProcess) -> None:
    async with streaming(host) as live:
        assert (await live.reconfigure(LARGER)).accepted
        await moving_picture(live, 1600, 900)
        assert kde.seen("virtual_output")[-1] == ["virtual_output", "punktfunk", 1600, 900, 1.0, 2]
        assert kde.outputs() == ["punktfunk"]
        assert kde.nodes() == 1
        began = len(kde.seen())
        live.input.move_to(1599, 899, 1600, 900)
        await asyncio.to_thread(kde.wait_for, "motion_absolute", 1920 + 1599.0, 899.0, since=began)


async def test_two_clients_have_two_outputs(kde: KdeSession, host: HostProcess) -> None:
    async with streaming(host, "One"), streaming(host, "Two") as second:
        assert kde.outputs() == ["punktfunk", "punktfunk-2"]
        await moving_picture(second, 1280, 720)


async def test_a_killed_worker_is_replaced_and_what_it_held_is_let_go(kde: KdeSession, host: HostProcess) -> None:
    async with streaming(host) as live:
        began = len(kde.seen())
        live.input.key(LETTER_A, True)
        await asyncio.to_thread(kde.wait_for, "key", KEY_A, 1, since=began)
        for pid in workers(host):
            os.kill(pid, signal.SIGKILL)
        # KWin 5 goes on holding it: the next one has to let go.
        await asyncio.to_thread(kde.wait_for, "key", KEY_A, 0, since=began)
        # Pictures of the old output are still on their way.
        await asyncio.to_thread(kde.wait_for, "virtual_output", "punktfunk", 1280, 720, 1.0, 2, since=began)
        await moving_picture(live, 1280, 720)
        assert kde.outputs() == ["punktfunk"]


async def test_a_killed_host_leaves_no_output(kde: KdeSession, host: HostProcess) -> None:
    with contextlib.suppress(Exception):
        async with streaming(host):
            assert kde.outputs() == ["punktfunk"]
            host.kill()
            await asyncio.to_thread(until, lambda: not kde.outputs(), "the output is gone")
            raise ConnectionError
    assert not kde.outputs()


async def test_kwin_dies_and_comes_back(kde: KdeSession, host: HostProcess) -> None:
    identity = await paired_identity(host)
    async with session(host, identity, OPTIONS) as live:
        await pictures(live, 5)
        kde.kill_kwin()
        await eventually(lambda: live.closed is not None, 20)
    assert "KWin is gone" in host.log()
    kde.start_kwin()
    async with session(host, identity, OPTIONS) as live:
        await moving_picture(live, 1280, 720)


async def test_a_kwin_that_does_not_let_this_program_in_is_said_so(kde: KdeSession, host: HostProcess) -> None:
    identity = await paired_identity(host)
    kde.kill_kwin()
    kde.start_kwin("zkde_screencast_unstable_v1")
    try:
        await refusal(host, identity, OPTIONS)
        assert "zkde_screencast_unstable_v1 is not offered; run `punktfunk-host setup desktop`" in host.log()
    finally:
        kde.kill_kwin()
        kde.start_kwin()


async def test_an_app_of_the_client_starts_when_its_output_is_there(kde: KdeSession, tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = tmp_path / "game"
    script.write_text(f"env > {told}.part\ncp {kde.folder}/kwin {told}.kwin\nmv {told}.part {told}\nexec sleep 99\n")
    apps = f'[[apps]]\nname = "Game"\ncommand = "sh {script}"\n'
    with host_for(kde, tmp_path / "host", apps) as host:
        identity = await paired_identity(host)
        began = len(kde.seen())
        async with session(host, identity, replace(OPTIONS, launch_id="Game")) as live:
            await pictures(live, 5)
            assert f"WAYLAND_DISPLAY={kde.folder}/wayland-0" in await file_appears(told)
            asked = [json.loads(line)[0] for line in (await file_appears(Path(f"{told}.kwin"))).splitlines()[began:]]
            assert asked.index("virtual_output") < asked.index("motion_absolute")
            (sleeper,) = [pid for pid in host.descendants() if b"sleep\x0099" in command_line(pid)]
        await eventually(lambda: not command_line(sleeper))


def command_line(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


async def test_a_kwin_that_hangs_holds_up_nobody(kde: KdeSession, host: HostProcess) -> None:
    identity = await paired_identity(host)
    assert kde.kwin is not None
    async with session(host, identity, OPTIONS) as live:
        await pictures(live, 5)
        asked = len(kde.seen())
        os.kill(kde.kwin.pid, signal.SIGSTOP)
        try:
            for _ in range(200):
                live.input.key(LETTER_A, True)
                live.input.move(1, 1)
                live.input.key(LETTER_A, False)
                await asyncio.sleep(0.005)
            for _ in range(5):
                began = time.monotonic()
                await asyncio.to_thread(host.command, "status")
                assert time.monotonic() - began < 5
        finally:
            os.kill(kde.kwin.pid, signal.SIGCONT)
        # No key is lost, and the pictures go on.
        until_all = partial(kde.wait_for_count, 200, "key", KEY_A, 0, since=asked)
        await asyncio.to_thread(until_all)
        keys = [what for what in kde.seen()[asked:] if what[0] == "key"]
        assert keys == [["key", KEY_A, 1], ["key", KEY_A, 0]] * 200
        await moving_picture(live, 1280, 720)
