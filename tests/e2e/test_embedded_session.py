"""A person at a desktop of the host's own: looks, types, clicks, listens, leaves and comes back."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.conformance.moonlight.inputs import Button
from tests.conformance.moonlight.options import StreamOptions
from tests.conformance.moonlight.server_info import find_app
from tests.conformance.moonlight.stream import Stream
from tests.e2e.desktop_tools import (
    DESKTOP_USER,
    ENTER,
    OWNER,
    Picture,
    Screen,
    as_user,
    desktop,
    different_pixels,
    file_appears,
    hears,
    is_blank,
    needs_desktop,
    press,
    processes_of,
    shared_folder,
    shows_panel,
    shows_terminal,
    type_command,
)
from tests.e2e.host_process import HostProcess, running_host
from tests.e2e.moonlight_tools import desktop_id, paired_client

pytestmark = [pytest.mark.e2e, needs_desktop]

MODE = StreamOptions(width=1280, height=720, fps=60)
TIMING = ("timing.",)
"""What a busy machine may break."""
TONE_HZ = 660
PLAY_TONE = (
    "python3 -c \"import math,struct,sys; sys.stdout.buffer.write(b''.join("
    "struct.pack('<hh',*2*(int(9000*math.sin(i*{hz}*math.tau/48000)),)) for i in range(384000)))\""
    " | pacat --rate=48000 --channels=2 --latency-msec=20"
)
GONE_S = 3.0


@pytest.fixture(scope="module", params=["root", "ordinary user"])
def host(request: pytest.FixtureRequest) -> Iterator[HostProcess]:
    """As root, with desktops of the desktop user; and everything as that user."""
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("needs root")
    prefix = as_user(DESKTOP_USER) if request.param != "root" and os.geteuid() == 0 else ()
    with (
        shared_folder() as folder,
        running_host(folder, "--display", "embedded", prefix=prefix, settings=apps(folder)) as running,
    ):
        yield running


def apps(folder: Path) -> str:
    """Settings: programs that leave traces in this folder."""
    return f"""
        [[apps]]
        name = "Prepared"
        command = "echo $GREETING from $PWD > {folder}/app; sleep 1000"
        working_dir = "/usr"
        environment = {{ GREETING = "hello" }}
        prepare = [
            {{ do = "echo first >> {folder}/steps", undo = "echo undo first >> {folder}/steps" }},
            {{ do = "echo second >> {folder}/steps", undo = "echo undo second >> {folder}/steps" }},
        ]
        [[apps]]
        name = "Short"
        command = "sleep 2"
        [[apps]]
        name = "Unprepared"
        command = "touch {folder}/never"
        prepare = [{{ do = "false" }}]
        [[apps]]
        name = "X11"
        command = "xterm -fullscreen -bg '#c02060' -e sleep 1000"
    """


async def test_first_picture_then_a_typed_command_works(host: HostProcess) -> None:
    async with paired_client(host) as client, desktop(client, MODE) as (stream, screen):
        picture = await screen.until(shows_terminal)
        assert picture.shape == (720, 1280, 3)
        assert not is_blank(picture)
        out = host.folder / "typed"
        await type_command(stream, f'echo "It\'s $((6*7)): {{a,b}} ~ | & done" > {out}; id -un >> {out}')
        expected_user = OWNER
        assert await file_appears(out) == f"It's 42: {{a,b}} ~ | & done\n{expected_user}\n"
    assert not client.violations.excluding(*TIMING), client.violations


async def test_text_beyond_the_keyboard_arrives(host: HostProcess) -> None:
    text = "äöüß €uro ñ Łódź жук 日本語 🎮 'q'"
    async with paired_client(host) as client, desktop(client, MODE) as (stream, screen):
        await screen.until(shows_terminal)
        stream.utf8_text(f'echo "{text}" > {host.folder}/text')
        await asyncio.sleep(0.3)
        press(stream, ENTER)
        assert await file_appears(host.folder / "text") == text + "\n"


async def test_mouse_clicks_moves_and_scrolls(host: HostProcess) -> None:
    async with paired_client(host) as client, desktop(client, MODE) as (stream, screen):
        await screen.until(shows_terminal)
        await screen.until(shows_panel, 15.0)
        before = await screen.settled()
        stream.mouse_position(640, 40, 1280, 720)
        moved = await screen.until(
            lambda picture: different_pixels(picture[20:70, 620:670], before[20:70, 620:670]) > 30
        )
        stream.mouse_move(-300, 0)
        await screen.until(lambda picture: different_pixels(picture[20:70, 320:370], moved[20:70, 320:370]) > 30)
        out = host.folder / "clicked"
        stream.mouse_position(148, 703, 1280, 720)
        await click(stream, Button.LEFT)
        await screen.until(lambda picture: different_pixels(picture, moved) > 20_000)
        await screen.settled()
        await type_command(stream, f"tty > {out}; seq 2000")
        assert (await file_appears(out)).startswith("/dev/pts/")
        bottom = await screen.settled()
        stream.mouse_position(640, 300, 1280, 720)
        await asyncio.sleep(0.1)
        for _ in range(5):
            stream.scroll(120)
            await asyncio.sleep(0.03)
        await screen.until(lambda picture: different_pixels(picture[120:560, 240:900], bottom[120:560, 240:900]) > 500)


async def test_a_tone_of_the_session_is_heard_by_its_client_alone(host: HostProcess) -> None:
    async with (
        paired_client(host, "loud") as loud,
        paired_client(host, "quiet") as quiet,
        desktop(loud, MODE) as (stream, screen),
        desktop(quiet, StreamOptions(width=800, height=600, fps=30)) as (other, _),
    ):
        await screen.until(shows_terminal)
        (host.folder / "tone.sh").write_text(PLAY_TONE.format(hz=TONE_HZ))
        await type_command(stream, f"sh {host.folder}/tone.sh")
        await hears(stream, TONE_HZ)
        with pytest.raises(AssertionError):
            await hears(other, TONE_HZ, 1.0)


async def test_a_resume_at_another_mode_finds_the_same_desktop(host: HostProcess) -> None:
    async with paired_client(host) as client:
        app = await desktop_id(client)
        stream = await client.launch(app, MODE)
        out = host.folder / "resumed"
        async with Screen(stream) as screen:
            await screen.until(shows_terminal)
            await type_command(stream, f"MEMORY=kept; printf '\\e[45m%10000s' ' '; echo now > {out}")
            await file_appears(out)
            await screen.until(has_magenta)
        await stream.close()
        stream = await client.resume(app, StreamOptions(width=1600, height=900, fps=30))
        async with Screen(stream) as screen:
            picture = await screen.until(has_magenta)
            assert picture.shape == (900, 1600, 3)
            await type_command(stream, f"echo $MEMORY > {out}2")
            assert await file_appears(Path(f"{out}2")) == "kept\n"
        await stream.close()
        await client.cancel()
    assert not client.violations.excluding(*TIMING), client.violations


async def test_two_clients_each_at_a_desktop_of_its_own(host: HostProcess) -> None:
    async with (
        paired_client(host, "left") as left,
        paired_client(host, "right") as right,
        desktop(left, MODE) as (one, left_screen),
        desktop(right, StreamOptions(width=1024, height=768, fps=30)) as (two, right_screen),
    ):
        for screen in (left_screen, right_screen):
            await screen.until(shows_terminal)
        await type_command(one, f"echo $WAYLAND_DISPLAY $SWAYSOCK $PULSE_SINK > {host.folder}/one")
        await type_command(two, f"echo $WAYLAND_DISPLAY $SWAYSOCK $PULSE_SINK > {host.folder}/two")
        facts = [set((await file_appears(host.folder / name)).split()[1:]) for name in ("one", "two")]
        assert not facts[0] & facts[1]
        assert [screen.picture.shape for screen in (left_screen, right_screen)] == [(720, 1280, 3), (768, 1024, 3)]


async def test_an_app_has_its_folder_environment_and_preparations(host: HostProcess) -> None:
    steps = host.folder / "steps"
    async with paired_client(host) as client:
        async with desktop(client, MODE, "Prepared"):
            assert await file_appears(host.folder / "app") == "hello from /usr\n"
            assert steps.read_text().split("\n")[:-1] == ["first", "second"]
        assert steps.read_text().split("\n")[2:-1] == ["undo second", "undo first"]
        app = find_app(await client.app_list(), "Unprepared")
        with pytest.raises(Exception, match="503"):
            await client.launch(app.id, MODE)
        assert (await client.serverinfo(https=True)).current_game == 0
    assert not (host.folder / "never").exists()


async def test_the_end_of_an_app_ends_the_session(host: HostProcess) -> None:
    async with paired_client(host) as client:
        stream = await client.launch(find_app(await client.app_list(), "Short").id, MODE)
        assert await stream.wait_ended(8) == 0
        assert "0x80030023" in stream.end_reason
        await stream.close()
        deadline = time.monotonic() + GONE_S
        while (await client.serverinfo(https=True)).current_game:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)


async def test_cancel_leaves_no_process_not_even_daemons(host: HostProcess) -> None:
    async with paired_client(host) as client:
        before = set(processes_of(OWNER))
        async with desktop(client, MODE) as (stream, screen):
            await screen.until(shows_terminal)
            daemon = (
                "import os,time; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); time.sleep(999)"
            )
            await type_command(stream, f"nohup sleep 998 & setsid -f python3 -c '{daemon}'; env -i sleep 997 &")
            await type_command(stream, f"echo started > {host.folder}/daemons")
            await file_appears(host.folder / "daemons")
            running = " ".join(command for pid, command in processes_of(OWNER).items() if pid not in before)
            assert all(mark in running for mark in ("sleep 998", "time.sleep(999)", "sleep 997", "sway"))
        deadline = time.monotonic() + GONE_S
        while left := new_processes(before):
            assert time.monotonic() < deadline, left
            await asyncio.sleep(0.1)


@pytest.mark.skipif(not shutil.which("xterm") or not shutil.which("Xwayland"), reason="needs xterm and Xwayland")
async def test_an_x11_program_shows_up(host: HostProcess) -> None:
    async with paired_client(host) as client, desktop(client, MODE, "X11") as (_, screen):
        await screen.until(lambda picture: near(picture, (0xC0, 0x20, 0x60)).mean() > 0.5, 10)


async def test_a_4k_client_and_an_odd_one(host: HostProcess) -> None:
    async with paired_client(host) as client:
        for width, height in ((3840, 2160), (854, 480)):
            async with desktop(client, StreamOptions(width=width, height=height, fps=30)) as (_, screen):
                assert screen.picture is not None
                assert screen.picture.shape == (height, width, 3)
                await screen.until(lambda picture: not is_blank(picture))


async def click(stream: Stream, button: int) -> None:
    stream.mouse_button(button, True)
    await asyncio.sleep(0.05)
    stream.mouse_button(button, False)


def near(picture: Picture, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(picture.astype(np.int16) - colour).max(axis=2) < 24


def has_magenta(picture: Picture) -> bool:
    """The colour that the terminal's palette has for magenta covers a part of it."""
    return bool(near(picture, (0xB4, 0x8A, 0xD6)).mean() > 0.1)


def new_processes(before: set[int]) -> list[str]:
    """What runs now and did not before, spare workers and their like left out."""
    return [
        command
        for pid, command in processes_of(OWNER).items()
        if pid not in before and "punktfunk" not in command and "pactl" not in command
    ]
