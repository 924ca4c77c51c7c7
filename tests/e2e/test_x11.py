"""The person's own X11 desktop, streamed by a real host: seen, typed into, changed, and as before afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import av
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.conformance.moonlight.options import StreamOptions
from tests.e2e.desktop_tools import all_gone, children_running, desktop, file_appears, is_alive, type_command
from tests.e2e.host_process import HostProcess
from tests.e2e.moonlight_tools import paired_client
from tests.e2e.native_tools import command, event, eventually, paired_identity, pictures, refusal, session, workers
from tests.e2e.x11_tools import (
    BUTTON_PRESS,
    BUTTON_RELEASE,
    HEIGHT,
    WIDTH,
    X11Server,
    X11Window,
    needs_x11,
    x11_server,
)

from punktfunk.client.connection import Mode
from punktfunk.client.errors import ConnectionClosedError
from punktfunk.client.session import Options, Session
from punktfunk.media.plan import Mode as ScreenMode
from punktfunk.media.x11.randr import RandR
from punktfunk.wire.punktfunk1 import messages as m
from punktfunk.wire.punktfunk1.caps import HostCaps
from punktfunk.wire.punktfunk1.enums import CloseCode

pytestmark = [pytest.mark.e2e, needs_x11]

OPTIONS = Options(bitrate_kbps=10_000, mode=Mode(1280, 720, 60))
FULL_HD = Mode(1920, 1080, 60)
ENTER, LETTER_A, CAPS_LOCK = 0x0D, 0x41, 0x14
KEYCODE_A = 38
RED = 0xE01010
TEXT = "Grüße, Жук ∞ 漢字! {}~@"


@pytest.fixture
def server() -> Iterator[X11Server]:
    with x11_server() as running:
        yield running


@contextlib.contextmanager
def host_for(server: X11Server, folder: Path, *flags: str) -> Iterator[HostProcess]:
    host = HostProcess(folder, "--display", "x11", "--audio", "off", *flags, environment=server.environment).start()
    try:
        yield host
    except BaseException:
        print(host.log()[-6000:])
        raise
    finally:
        assert host.process is not None
        if host.process.poll() is None:
            assert host.stop() == 0


@pytest.fixture
def host(server: X11Server, tmp_path: Path) -> Iterator[HostProcess]:
    with host_for(server, tmp_path / "host") as running:
        yield running


@contextlib.asynccontextmanager
async def streaming(host: HostProcess, name: str = "Guest", options: Options = OPTIONS) -> AsyncIterator[Session]:
    identity = await paired_identity(host, name)
    async with session(host, identity, options) as live:
        await pictures(live, 5)
        yield live


async def picture_with(live: Session, x: int, y: int, size: tuple[int, int], limit_s: float = 10.0) -> None:
    """Wait for a picture of this size that is red there."""
    wanted = np.array([RED >> 16, RED >> 8 & 255, RED & 255], np.int16)
    async with asyncio.timeout(limit_s):
        async for picture in live.pictures():
            pixels: NDArray[np.uint8] = picture.frame.to_ndarray(format="rgb24")
            if pixels.shape[1::-1] == size and np.abs(pixels[y, x].astype(np.int16) - wanted).max() < 40:
                return
    raise AssertionError(f"the session ended: {live.closed}")


async def test_keys_and_text_reach_a_program_and_the_desktop_is_as_before(server: X11Server, host: HostProcess) -> None:
    typed = server.folder / "typed"
    server.run(
        "xterm",
        "-u8",
        "-geometry",
        "80x24+40+40",
        "-e",
        "sh",
        "-c",
        f"head -n 2 > {typed}.part; mv {typed}.part {typed}",
    )
    before = server.state()
    async with streaming(host) as live:
        assert HostCaps.TEXT_INPUT in live.welcome.host_caps
        assert HostCaps.CLIPBOARD not in live.welcome.host_caps
        assert server.size() == (1280, 720)
        live.input.move_to(200, 200, 1280, 720)
        await asyncio.sleep(1.0)
        for start in range(0, len(TEXT), 4):
            live.input.text(TEXT[start : start + 4])
            await asyncio.sleep(0.1)
        for key in (ENTER, LETTER_A, ENTER):
            live.input.key(key, True)
            live.input.key(key, False)
        assert await file_appears(typed) == f"{TEXT}\na\n"
        live.input.key(CAPS_LOCK, True)
        live.input.key(CAPS_LOCK, False)
        live.input.key(LETTER_A, True)
        await asyncio.sleep(0.2)
        assert KEYCODE_A in server.held_keys()
    await unchanged(server, before)


async def test_a_moonlight_client_sees_and_types(server: X11Server, host: HostProcess) -> None:
    typed = server.folder / "typed"
    server.run("xterm", "-geometry", "80x24+40+40", "-bg", "#e01010", "-e", "sh", "-c", f"head -n 1 > {typed}")
    before = server.state()
    async with paired_client(host) as client:
        async with desktop(client, StreamOptions(width=1280, height=720, fps=60)) as (stream, screen):
            picture = await screen.until(lambda picture: bool(picture[200, 300, 0] > 180 and picture[200, 300, 1] < 60))
            assert picture.shape == (720, 1280, 3)
            stream.mouse_position(300, 200, 1280, 720)
            await pointer_at(server, (300, 200))
            stream.utf8_text("é")
            await asyncio.sleep(0.2)
            await type_command(stream, "Ok 1")
            assert await file_appears(typed) == "éOk 1\n"
        assert not client.violations.excluding("timing.", "audio."), client.violations
    await unchanged(server, before)


async def test_the_pointer_and_the_wheel(server: X11Server, host: HostProcess) -> None:
    window = X11Window(server, 0, 0, WIDTH, HEIGHT, RED)
    try:
        async with streaming(host, options=replace(OPTIONS, mode=FULL_HD)) as live:
            live.input.move_to(960, 270, 1920, 1080)
            await pointer_at(server, (960, 270))
            live.input.move_to(50, 100, 100, 100)
            await pointer_at(server, (960, 1079))
            live.input.move(-100, -79)
            await pointer_at(server, (860, 1000))
            for button in (1, 2, 3, 4, 5):
                live.input.button(button, True)
                live.input.button(button, False)
            await asyncio.to_thread(window.until, BUTTON_RELEASE, 5)
            assert window.of_kind(BUTTON_PRESS) == [1, 2, 3, 8, 9]
            window.events.clear()
            live.input.scroll(120)
            live.input.scroll(-240)
            for _ in range(4):
                live.input.scroll(horizontal=30)
            live.input.scroll(horizontal=-120)
            await asyncio.to_thread(window.until, BUTTON_RELEASE, 5)
            assert window.of_kind(BUTTON_PRESS) == [4, 5, 5, 7, 6]
    finally:
        window.close()


async def test_a_mode_change_is_seen_in_the_picture(server: X11Server, host: HostProcess) -> None:
    before = server.state()
    window = X11Window(server, 1500, 900, 200, 100, RED)
    try:
        async with streaming(host) as live:
            assert (await live.reconfigure(FULL_HD)).accepted
            await picture_with(live, 1600, 950, (1920, 1080))
            assert server.size() == (1920, 1080)
            # The library follows a screen by itself: the picture may be there before the former mode is taken away.
            await eventually(lambda: made_modes(server) == {"punktfunk-1920x1080@60"})
            live.input.move_to(1910, 1070, 1920, 1080)
            await pointer_at(server, (1910, 1070))
    finally:
        window.close()
    await unchanged(server, before)


async def test_the_console_shows_a_small_picture(server: X11Server, host: HostProcess) -> None:
    window = X11Window(server, 0, 0, WIDTH // 4, HEIGHT, RED)
    try:
        async with streaming(host):
            png = await asyncio.to_thread(console_picture, host)
        decoder = cast(av.VideoCodecContext, av.CodecContext.create("png", "r"))
        pixels = decoder.decode(av.Packet(png))[0].to_ndarray(format="rgb24")
        assert pixels.shape == (240, 426, 3)
        assert tuple(pixels[100, 100]) == (0xE0, 0x10, 0x10)
        assert tuple(pixels[100, 400]) == (0, 0, 0)
    finally:
        window.close()


def console_picture(host: HostProcess) -> bytes:
    """Of the one session, as the console gets it."""
    token = (host.folder / "config/mgmt-token").read_text().strip().removeprefix("PUNKTFUNK_MGMT_TOKEN=")
    context = ssl.create_default_context(cafile=str(host.folder / "config/native-cert.pem"))
    context.check_hostname = False
    (live,) = host.json("sessions", "list")["sessions"]
    url = f"https://127.0.0.1:{host.mgmt_port}/api/v1/sessions/{live['session']}/picture"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, verify=context)
    assert answer.status_code == 200, answer.text
    return answer.content


async def test_a_mode_that_the_server_cannot_show_is_told_to_the_client(server: X11Server, host: HostProcess) -> None:
    before = server.state()
    window = X11Window(server, 2400, 1400, 100, 30, RED)
    try:
        async with streaming(host, options=replace(OPTIONS, mode=Mode(3840, 2160, 60))) as live:
            told = await event(live, m.Reconfigured)
            assert (told.accepted, told.width, told.height) == (True, WIDTH, HEIGHT)
            await picture_with(live, 2450, 1410, (WIDTH, HEIGHT))
            live.input.move_to(3839, 2159, 3840, 2160)
            await pointer_at(server, (WIDTH - 1, HEIGHT - 1))
            assert f"stays at {WIDTH}x{HEIGHT} instead of 3840x2160@60, because the screen can be at most" in host.log()
    finally:
        window.close()
    await unchanged(server, before)


async def test_pictures_follow_a_screen_that_its_person_changes(server: X11Server, host: HostProcess) -> None:
    window = X11Window(server, 1300, 800, 100, 50, RED)
    try:
        async with streaming(host) as live:
            with server.connect() as x:
                RandR(x).set_mode(ScreenMode(1400, 900, 75_000))
            await picture_with(live, 1350, 825, (1400, 900))
            live.input.move_to(99, 99, 100, 100)
            await pointer_at(server, (1386, 891))
    finally:
        window.close()


async def test_two_clients_share_the_desktop_and_the_first_ones_mode(server: X11Server, host: HostProcess) -> None:
    before = server.state()
    window = X11Window(server, 600, 300, 200, 100, RED)
    try:
        async with (
            streaming(host, "First") as first,
            streaming(host, "Second", replace(OPTIONS, mode=FULL_HD)) as second,
        ):
            told = await event(second, m.Reconfigured)
            assert (told.width, told.height) == (1280, 720)
            await picture_with(first, 700, 350, (1280, 720))
            await picture_with(second, 700, 350, (1280, 720))
            first.input.move_to(10, 10, 1280, 720)
            await pointer_at(server, (10, 10))
            second.input.move_to(30, 20, 1280, 720)
            await pointer_at(server, (30, 20))
            await first.close(CloseCode.USER_QUIT)
            await second_may_choose(second)
            assert server.size() == (1920, 1080)
    finally:
        window.close()
    await unchanged(server, before)


async def second_may_choose(live: Session) -> None:
    deadline = time.monotonic() + 10
    while True:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.6)
        if not (await live.reconfigure(FULL_HD)).accepted:
            continue
        with contextlib.suppress(TimeoutError):
            await picture_with(live, 700, 350, (1920, 1080), 3.0)
            return


async def test_two_hosts_leave_the_desktop_as_the_first_found_it(server: X11Server, tmp_path: Path) -> None:
    before = server.state()
    window = X11Window(server, 600, 300, 200, 100, RED)
    try:
        with host_for(server, tmp_path / "a") as one, host_for(server, tmp_path / "b") as other:
            async with streaming(other, "Second") as lender:
                async with streaming(one, "First", replace(OPTIONS, mode=FULL_HD)) as guest:
                    await picture_with(guest, 700, 350, (1280, 720))
                    await lender.close(CloseCode.USER_QUIT)
                    await picture_with(guest, 700, 350, (WIDTH, HEIGHT))
                    guest.input.text("ß")
                    guest.input.key(LETTER_A, True)
                    await asyncio.sleep(0.3)
                await unchanged(server, before)
    finally:
        window.close()


async def test_a_client_that_will_come_back_lets_go_of_its_keys(server: X11Server, host: HostProcess) -> None:
    before = server.state()
    identity = await paired_identity(host)
    async with session(host, identity, OPTIONS, quit_host=False) as live:
        await pictures(live, 5)
        live.input.key(LETTER_A, True)
        for character in "ß∞":
            live.input.text(character)
        await asyncio.sleep(0.5)
        assert server.held_keys() == {KEYCODE_A}
    await eventually(lambda: server.held_keys() == set())
    assert server.size() == (1280, 720)
    async with session(host, identity, OPTIONS) as live:
        await pictures(live, 5)
    await unchanged(server, before)


async def test_a_killed_worker_leaves_no_key_down(server: X11Server, host: HostProcess) -> None:
    async with streaming(host) as live:
        live.input.key(LETTER_A, True)
        await asyncio.sleep(0.2)
        assert KEYCODE_A in server.held_keys()
        os.kill(busiest(workers(host)), signal.SIGKILL)
        await pictures(live, 100, 20)
        assert server.held_keys() == set()
        assert server.size() == (1280, 720)


def busiest(processes: list[int]) -> int:
    """The worker that streams; the spare one has used next to no time."""

    def ticks(pid: int) -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    return max(processes, key=ticks)


async def test_a_killed_host_is_made_good_by_the_next(server: X11Server, tmp_path: Path) -> None:
    before = server.state()
    with host_for(server, tmp_path / "host") as host:
        identity = await paired_identity(host)
        async with session(host, identity, OPTIONS) as live:
            await pictures(live, 5)
            live.input.key(LETTER_A, True)
            live.input.text("ß")
            await asyncio.sleep(0.3)
            processes = host.descendants()
            host.kill()
            await all_gone(processes)
        assert server.size() == (1280, 720)
        host.start()
        assert server.state() == before
        async with session(host, identity, OPTIONS) as live:
            await pictures(live, 5)
            assert server.size() == (1280, 720)
    assert server.state() == before


async def test_a_server_that_ends_ends_the_session_and_not_the_host(server: X11Server, host: HostProcess) -> None:
    identity = await paired_identity(host)
    async with session(host, identity, OPTIONS) as live:
        await pictures(live, 5)
        began = time.monotonic()
        server.kill()
        async with asyncio.timeout(10):
            closed = await live.wait_closed()
        assert isinstance(closed, ConnectionClosedError)
        assert closed.code == CloseCode.APP_EXITED
        assert time.monotonic() - began < 3
    assert f"the X server of {server.display} has ended" in host.log()
    assert "0 sessions" in await command(host, "status")
    assert host.process is not None
    assert host.process.poll() is None
    refused = str(await refusal(host, identity, OPTIONS))
    assert "no X server answers" in refused
    server.start(server.number)
    async with session(host, identity, OPTIONS) as live:
        await pictures(live, 5)
        assert server.size() == (1280, 720)


def environment_of(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


async def test_a_host_that_was_there_before_the_desktop(server: X11Server, tmp_path: Path) -> None:
    server.kill()
    os.unlink(server.authority)
    with host_for(server, tmp_path / "host") as host:
        assert f"no X server answers for {server.display}" in host.log()
        server.start(server.number)
        async with streaming(host) as live:
            await pictures(live, 5)
            assert server.size() == (1280, 720)


async def test_an_app_is_ended_and_the_persons_programs_are_not(server: X11Server, tmp_path: Path) -> None:
    folder = tmp_path / "host"
    folder.mkdir()
    with host_for(server, folder) as first:
        text = first.config.read_text()
    (folder / "host.toml").write_text(f'{text}\n[[apps]]\nname = "Terminal"\ncommand = "xterm -e sleep 600"\n')
    own = server.run("xterm", "-e", "sleep", "500")
    with host_for(server, folder) as host:
        identity = await paired_identity(host)
        catalogue = replace(OPTIONS, launch_id="Terminal")
        async with session(host, identity, catalogue) as live:
            await pictures(live, 5)
            app = children_running(host, "xterm")
            assert len(app) == 1
            environment = environment_of(app[0])
            assert f"DISPLAY={server.display}".encode() in environment
            assert f"XAUTHORITY={server.authority}".encode() in environment
        await all_gone(app)
    assert is_alive(own.pid)


async def test_a_display_that_is_not_there_is_told(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "XAUTHORITY")}
    nameless = HostProcess(tmp_path / "a", "--display", "x11", environment=environment)
    nameless.spawn()
    assert nameless.process is not None
    assert await asyncio.to_thread(nameless.process.wait, 20) == 1
    assert "DISPLAY is not set, and display.x11_display is empty" in nameless.log()
    named = HostProcess(
        tmp_path / "b", "--display", "x11", "--set", "display.x11_display=:54321", environment=environment
    ).start()
    try:
        assert "no X server answers for :54321" in named.log()
    finally:
        assert named.stop() == 0


def made_modes(server: X11Server) -> set[str]:
    return {name for name in server.mode_names() if name.startswith("punktfunk-")}


async def pointer_at(server: X11Server, place: tuple[int, int], limit_s: float = 5.0) -> None:
    deadline = time.monotonic() + limit_s
    while (found := await asyncio.to_thread(server.pointer)) != place:
        assert time.monotonic() < deadline, f"{found} instead of {place}"
        await asyncio.sleep(0.02)


async def unchanged(server: X11Server, before: tuple[object, ...], limit_s: float = 5.0) -> None:
    """Wait until the desktop is as before; the session ends a little after its client."""
    deadline = time.monotonic() + limit_s
    while (now := await asyncio.to_thread(server.state)) != before:
        assert time.monotonic() < deadline, [pair for pair in zip(before, now, strict=True) if pair[0] != pair[1]]
        await asyncio.sleep(0.05)
