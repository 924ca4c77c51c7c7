"""A person's own sway is streamed: an output for each session, picture, typing, pointer, crashes, and all as before."""

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
from tests.conformance.moonlight.options import StreamOptions
from tests.e2e.desktop_tools import DESKTOP_USER, desktop, file_appears, read
from tests.e2e.desktop_tools import press as press_moonlight
from tests.e2e.host_process import HostProcess, running_host
from tests.e2e.moonlight_tools import paired_client
from tests.e2e.native_tools import event, eventually, paired_identity, session, workers
from tests.e2e.sway_tools import MONITORS, OURS, PersonsSway, needs_user_sway

from punktfunk.client.connection import Mode
from punktfunk.client.errors import ConnectionClosedError
from punktfunk.client.session import Options, Session
from punktfunk.session.desktops.sway_outputs import WAITING_MODE
from punktfunk.wire.punktfunk1 import messages as m
from punktfunk.wire.punktfunk1.caps import HostCaps

pytestmark = [pytest.mark.e2e, needs_user_sway]

OPTIONS = Options(mode=Mode(1280, 720, 30), bitrate_kbps=8000)
SMALL = Options(mode=Mode(960, 540, 30), bitrate_kbps=5000)
ENTER, SHIFT = 0x0D, 0xA0
TEXT = "text/plain;charset=utf-8"
PATIENCE_S = 10.0
MINE = {name: str(number) for number, name in enumerate(MONITORS, 1)}
"""What the monitors show before anybody streams."""

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def sway() -> Iterator[PersonsSway]:
    running = PersonsSway({"XKB_DEFAULT_LAYOUT": "de"}).start()
    try:
        yield running
    finally:
        running.stop()


def folder_for_host(sway: PersonsSway, settings: str = "") -> Path:
    folder = Path(tempfile.mkdtemp(prefix="pf-wlroots-"))
    (folder / "config").mkdir(0o700)
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
        kind = "wlroots"
        wayland_display = "{sway.display}"
        {settings}
        [[apps]]
        name = "Terminal"
        command = "foot --title=app sh"
        """
    )
    return folder


@contextlib.contextmanager
def host_of(sway: PersonsSway, settings: str = "") -> Iterator[HostProcess]:
    folder = folder_for_host(sway, settings)
    try:
        with running_host(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def host(sway: PersonsSway) -> Iterator[HostProcess]:
    with host_of(sway) as running:
        yield running


@pytest.fixture
def as_before(sway: PersonsSway) -> Iterator[None]:
    assert sway.shown().items() >= MINE.items()
    sway.control.run("focus output HEADLESS-1")
    yield
    deadline = time.monotonic() + PATIENCE_S
    while not is_as_before(sway):
        assert time.monotonic() < deadline, sway.facts()
        time.sleep(0.05)


def is_as_before(sway: PersonsSway) -> bool:
    """The monitors show what they showed, one of them has the focus, and other outputs are out of the way."""
    outputs = sway.outputs()
    waiting = [output["current_mode"]["width"] for name, output in outputs.items() if name not in MONITORS]
    sizes = {name: (outputs[name]["rect"]["width"], outputs[name]["rect"]["height"]) for name in MONITORS}
    return (
        {name: shown for name, shown in sway.shown().items() if name in MONITORS} == MINE
        and sway.focused_output() == "HEADLESS-1"
        and sizes == {name: (width, height) for name, (width, height, _) in MONITORS.items()}
        and all(width == WAITING_MODE.width for width in waiting)
    )


def ours(sway: PersonsSway) -> list[str]:
    return [
        name
        for name, output in sway.outputs().items()
        if name not in MONITORS and output["current_mode"]["width"] != WAITING_MODE.width
    ]


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


def has_color(picture: Picture, color: str, at: tuple[int, int] = (-20, -20)) -> bool:
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return bool(np.abs(picture[at].astype(int) - wanted).max() < 20)


async def terminal(sway: PersonsSway, host: HostProcess, name: str) -> Path:
    """A terminal of the person's that opens where the focus is, and keeps what is typed into it."""
    typed = host.folder / name
    ready = host.folder / f"{name}-ready"
    sway.control.run(f"exec foot --title={name} sh -c 'stty raw -echo; echo > {ready}; exec cat > {typed}'")
    await file_appears(ready, PATIENCE_S)
    await until(lambda: name in sway.windows(), sway.facts())
    return typed


def press(live: Session, key: int) -> None:
    live.input.key(key, True)
    live.input.key(key, False)


async def typed(file: Path, text: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while (seen := read(file)) != text:
        assert time.monotonic() < deadline, f"{seen!r} instead of {text!r}"
        await asyncio.sleep(0.05)


def close(sway: PersonsSway, title: str) -> None:
    sway.control.run(f'[title="^{title}$"] kill')


@pytest.mark.usefixtures("as_before")
async def test_a_session_has_an_output_of_its_own(sway: PersonsSway, host: HostProcess) -> None:
    identity = await paired_identity(host, "Desk")
    async with session(host, identity, OPTIONS) as live, watching(live) as picture:
        await until(lambda: picture and has_color(picture[0], OURS), "the colour of the session's output")
        (output,) = ours(sway)
        assert picture[0].shape == (720, 1280, 3)
        assert sway.focused_output() == output
        assert sway.shown() == {**MINE, output: "punktfunk"}
        keys = await terminal(sway, host, "one")
        assert sway.windows()["one"] == output
        # The person's layout is German: the key that a US keyboard calls Y.
        press(live, ord("Y"))
        live.input.text("ß∞")
        press(live, ENTER)
        await typed(keys, "zß∞\n")
        close(sway, "one")


@pytest.mark.usefixtures("as_before")
async def test_the_pointer_stays_in_the_streamed_output(sway: PersonsSway, host: HostProcess) -> None:
    identity = await paired_identity(host, "Mouse")
    async with session(host, identity, OPTIONS) as live, watching(live) as picture:
        await until(lambda: picture and has_color(picture[0], OURS), "a picture")
        live.input.move_to(1279, 719, 1280, 720)
        await asyncio.sleep(0.5)
        plain = picture[0].astype(int)

        def pointer() -> tuple[int, int] | None:
            rows, columns = np.nonzero(np.abs(picture[0].astype(int) - plain).max(axis=2) > 60)
            return (int(columns.min()), int(rows.min())) if len(rows) else None

        for x, y in ((100, 50), (640, 360), (1200, 600)):
            live.input.move_to(x, y, 1280, 720)
            await until(lambda x=x, y=y: pointer() in near(x, y), f"the pointer at {x}, {y}, not {pointer()}")
        for _ in range(20):
            live.input.move(-500, -500)
        await until(lambda: pointer() in near(0, 0), f"the pointer in the corner, not at {pointer()}")
        live.input.move(300, 200)
        await until(lambda: pointer() in near(300, 200), f"the pointer at 300, 200, not {pointer()}")


def near(x: int, y: int) -> set[tuple[int, int]]:
    return {(x + dx, y + dy) for dx in range(-3, 4) for dy in range(-3, 4)}


@pytest.mark.usefixtures("as_before")
async def test_a_mode_change_keeps_windows_and_monitors(sway: PersonsSway, host: HostProcess) -> None:
    identity = await paired_identity(host, "Remode")
    async with session(host, identity, OPTIONS) as live, watching(live) as picture:
        await until(lambda: picture and has_color(picture[0], OURS), "a picture")
        (output,) = ours(sway)
        keys = await terminal(sway, host, "kept")
        for mode in (Mode(1920, 1080, 30), Mode(1000, 600, 30)):
            assert (await live.reconfigure(mode)).accepted, mode
            await until(lambda mode=mode: picture[0].shape == (mode.height, mode.width, 3), f"pictures of {mode}")
            assert sway.outputs()[output]["rect"]["width"] == mode.width
            await asyncio.sleep(0.6)  # a mode has to last so long
        press(live, ord("A"))
        await typed(keys, "a")
        assert {**MINE, output: "punktfunk"} == sway.shown()
        close(sway, "kept")


@pytest.mark.usefixtures("as_before")
async def test_two_sessions_have_two_outputs(sway: PersonsSway, host: HostProcess) -> None:
    first, second = await paired_identity(host, "First"), await paired_identity(host, "Second")
    async with session(host, first, OPTIONS) as one, watching(one) as left:
        await until(lambda: left and has_color(left[0], OURS), "the first picture")
        lefts = await terminal(sway, host, "left")
        async with session(host, second, SMALL) as two, watching(two) as right:
            await until(lambda: right and has_color(right[0], OURS), "the second picture")
            rights = await terminal(sway, host, "right")
            assert len(ours(sway)) == 2
            assert left[0].shape != right[0].shape
            assert sway.windows()["left"] != sway.windows()["right"]
            # There is one focus, as there is one desktop: it follows whoever moves the pointer.
            for number, (live, file, mode) in enumerate([(one, lefts, OPTIONS), (two, rights, SMALL)] * 2):
                live.input.move_to(100 + number, 100, mode.mode.width, mode.mode.height)
                await asyncio.sleep(0.3)
                press(live, ord("A"))
                await typed(file, "a" * (number // 2 + 1))
        await until(lambda: len(ours(sway)) == 1, "one output after the second session")
        close(sway, "left")
        close(sway, "right")


@pytest.mark.usefixtures("as_before")
async def test_windows_survive_the_session_and_outputs_are_used_again(sway: PersonsSway, host: HostProcess) -> None:
    identity = await paired_identity(host, "Leaver")
    async with session(host, identity, OPTIONS) as live, watching(live) as picture:
        await until(lambda: picture, "a picture")
        await terminal(sway, host, "stays")
    await until(lambda: not ours(sway), "the output's end")
    assert sway.windows()["stays"] in MONITORS
    known = set(sway.outputs())
    async with session(host, identity, OPTIONS) as live, watching(live) as picture:
        await until(lambda: picture and has_color(picture[0], OURS), "a picture of the output without windows")
        assert len(ours(sway)) == 1
        assert len(set(sway.outputs()) | known) == len(MONITORS) + max(1, len(known) - len(MONITORS))
    close(sway, "stays")


@pytest.mark.usefixtures("as_before")
async def test_who_comes_back_finds_the_output_with_its_windows(sway: PersonsSway, host: HostProcess) -> None:
    identity = await paired_identity(host, "Wanderer")
    async with session(host, identity, OPTIONS, quit_host=False) as live, watching(live) as picture:
        await until(lambda: picture, "a picture")
        keys = await terminal(sway, host, "away")
    (output,) = ours(sway)
    sway.control.run("focus output HEADLESS-1")
    async with session(host, identity, OPTIONS) as live, watching(live) as picture:
        await until(lambda: picture, "a picture")
        assert ours(sway) == [output]
        press(live, ord("A"))
        await typed(keys, "a")
        close(sway, "away")


@pytest.mark.usefixtures("as_before")
async def test_an_app_runs_on_the_output_and_ends_with_the_session(sway: PersonsSway, host: HostProcess) -> None:
    identity = await paired_identity(host, "Player")
    async with (
        session(host, identity, Options(OPTIONS.mode, 8000, launch_id="Terminal")) as live,
        watching(live) as picture,
    ):
        await until(lambda: picture and "app" in sway.windows(), sway.facts())
        assert [sway.windows()["app"]] == ours(sway)
    await until(lambda: "app" not in sway.windows(), "the app's end")


@pytest.mark.usefixtures("as_before")
async def test_the_clipboard_is_the_desktops(sway: PersonsSway, host: HostProcess) -> None:
    identity = await paired_identity(host, "Copier")
    async with session(host, identity, OPTIONS) as live, watching(live) as picture:
        await until(lambda: picture, "a picture")
        assert HostCaps.CLIPBOARD in live.welcome.host_caps
        live.clipboard.enable()
        assert (await event(live, m.ClipState)).enabled
        sway.control.run("exec sh -c 'printf from-the-desktop | wl-copy'")
        await event(live, m.ClipOffer)
        assert await live.clipboard.fetch(TEXT) == b"from-the-desktop"
        live.clipboard.offer({TEXT: "from the client ✓".encode()})

        async def pasted() -> str:
            return (await asyncio.to_thread(sway.run, "wl-paste", "-n")).stdout

        deadline = time.monotonic() + PATIENCE_S
        while await pasted() != "from the client ✓":
            assert time.monotonic() < deadline, await pasted()


@pytest.mark.usefixtures("as_before")
async def test_keys_have_the_keymap_that_the_desktop_has(sway: PersonsSway, host: HostProcess) -> None:
    # Another host's client is a keyboard of the desktop's, as a real one would be.
    with host_of(sway, 'output = "HEADLESS-2"\nkeyboard_layout = "fr(oss)"') as other:
        french, identity = await paired_identity(other, "French"), await paired_identity(host, "Plain")
        async with session(other, french, SMALL) as typist, watching(typist) as mirror:
            await until(lambda: mirror, "a picture of the monitor")
            press(typist, SHIFT)
            async with session(host, identity, OPTIONS) as live, watching(live) as picture:
                await until(lambda: picture, "a picture")
                keys = await terminal(sway, host, "keymap")
                press(live, ord("Q"))
                press(live, ord("2"))
                live.input.text("ß漢")
                await typed(keys, "aéß漢")
                close(sway, "keymap")


@pytest.mark.usefixtures("as_before")
async def test_a_moonlight_client_sees_and_types(sway: PersonsSway, host: HostProcess) -> None:
    options = StreamOptions(width=1280, height=720, fps=30)
    async with paired_client(host) as client, desktop(client, options) as (stream, screen):
        await screen.until(lambda picture: has_color(picture, OURS), PATIENCE_S)
        (output,) = ours(sway)
        assert sway.focused_output() == output
        keys = await terminal(sway, host, "moonlight")
        press_moonlight(stream, ord("A"))
        await typed(keys, "a")
        close(sway, "moonlight")


@pytest.mark.usefixtures("as_before")
async def test_a_killed_worker_leaves_neither_key_nor_button_down(sway: PersonsSway, host: HostProcess) -> None:
    identity = await paired_identity(host, "Holder")
    async with session(host, identity, OPTIONS) as live, watching(live) as picture:
        await until(lambda: picture, "a picture")
        keys = await terminal(sway, host, "held")
        live.input.key(SHIFT, True)
        live.input.key(ord("A"), True)
        live.input.move_to(100, 300, 1280, 720)
        live.input.button(1, True)
        await until(lambda: read(keys).startswith("A"), "the held key's letter")
        (output,) = ours(sway)
        for pid in workers(host):
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(1.0)
        before = read(keys)
        await asyncio.sleep(1.0)
        assert read(keys) == before, "the key still repeats"
        picture.clear()
        await until(lambda: picture, "a picture of the next worker")
        assert ours(sway) == [output]
        await focus_follows_the_pointer(sway, host, live)
        close(sway, "held")


async def focus_follows_the_pointer(sway: PersonsSway, host: HostProcess, live: Session) -> None:
    """As it does not while sway believes that a button is down."""
    windows = {name: await terminal(sway, host, name) for name in ("lefts", "rights")}
    for name in ("rights", "lefts", "rights"):
        live.input.move_to(*sway.middle(name), 1280, 720)
        await asyncio.sleep(0.3)
        before = read(windows[name])
        press(live, ord("B"))
        await typed(windows[name], before + "b")
    for name in windows:
        close(sway, name)


async def test_a_killed_host_is_cleaned_up_after_by_the_next(sway: PersonsSway) -> None:
    sway.control.run("focus output HEADLESS-1")
    folder = folder_for_host(sway)
    host = HostProcess(folder).start()
    try:
        identity = await paired_identity(host, "Crash")
        async with session(host, identity, OPTIONS) as live, watching(live) as picture:
            await until(lambda: picture, "a picture")
            keys = await terminal(sway, host, "crashed")
            live.input.move_to(*sway.middle("crashed"), 1280, 720)
            live.input.key(ord("A"), True)
            live.input.button(1, True)
            await until(lambda: read(keys).startswith("a"), "the held key's letter")
            host.kill()
        assert len(ours(sway)) == 1
        await asyncio.sleep(0.5)
        before = read(keys)
        await asyncio.sleep(1.0)
        assert read(keys) == before, "the key still repeats"
        host.start()
        assert not ours(sway)
        assert "are put away" in host.log()
        assert sway.windows()["crashed"] in MONITORS
        assert {name: shown for name, shown in sway.shown().items() if name in MONITORS} == MINE
        async with session(host, identity, OPTIONS) as live, watching(live) as picture:
            await until(lambda: picture, "a picture")
            await focus_follows_the_pointer(sway, host, live)
        close(sway, "crashed")
    finally:
        host.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.usefixtures("as_before")
async def test_a_monitor_is_streamed_as_it_is(sway: PersonsSway) -> None:
    with host_of(sway, 'output = "HEADLESS-2"') as host:
        assert "your desktop's output HEADLESS-2 as it is, 800x600@60" in host.log()
        identity = await paired_identity(host, "Mirror")
        async with session(host, identity, OPTIONS) as live, watching(live) as picture:
            color = MONITORS["HEADLESS-2"][2]
            await until(lambda: picture and has_color(picture[0], color), "the colour of the monitor")
            assert picture[0].shape == (600, 800, 3)
            assert not ours(sway)
            before = picture[0].astype(int)
            live.input.move_to(640, 360, 1280, 720)
            await until(
                lambda: np.abs(picture[0].astype(int) - before).max(axis=2)[295:320, 395:420].max() > 60,
                "the pointer in the middle of the monitor",
            )
        assert "for the client to scale to 1280x720@30" in host.log()
    sway.control.run("focus output HEADLESS-1")


async def test_a_desktop_that_dies_ends_the_session_and_not_the_host(sway: PersonsSway) -> None:
    with host_of(sway) as host:
        identity = await paired_identity(host, "Witness")
        async with session(host, identity, OPTIONS) as live, watching(live) as picture:
            await until(lambda: picture, "a picture")
            sway.kill()
            await until(lambda: live.closed is not None, "the session's end", 20)
        await eventually(lambda: "ends: " in host.log())
        sway.start()
        async with session(host, identity, OPTIONS) as live, watching(live) as picture:
            await until(lambda: picture and has_color(picture[0], OURS), "a picture of the new desktop")
            assert len(ours(sway)) == 1
