"""The GNOME session as a desktop, with a stand-in for mutter on a real bus."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.stand_in_mutter import Bus, StandIn, needs_bus

from punktfunk.input.xkb import KeyboardLayout
from punktfunk.media.plan import Mode
from punktfunk.media.portal.mutter import NOTE, Wanted
from punktfunk.session.desktops.base import DesktopError
from punktfunk.session.desktops.choice import choose_desktop
from punktfunk.session.desktops.look import LookSettings
from punktfunk.session.desktops.mutter import MutterDesktop, mutter_obstacle
from punktfunk.session.desktops.user_session import UserSession
from punktfunk.session.identity import UserIdentity
from punktfunk.session.plan import App
from punktfunk.session.runtime_dirs import RuntimeDir

pytestmark = needs_bus

MODE = Mode(1366, 768, 60_000)
ME = UserIdentity("me", os.geteuid(), os.getegid(), "/tmp", "")


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    with Bus(tmp_path) as bus:
        yield bus


@pytest.fixture
def environment(bus: Bus, tmp_path: Path) -> Iterator[dict[str, str]]:
    with socket.socket(socket.AF_UNIX) as pipewire:
        pipewire.bind(str(tmp_path / "pipewire-0"))
        yield {
            "DBUS_SESSION_BUS_ADDRESS": bus.address,
            "PIPEWIRE_RUNTIME_DIR": str(tmp_path),
            "XDG_CURRENT_DESKTOP": "GNOME",
            "PATH": "/usr/bin:/bin",
            "SECRET": "of the host's own",
        }


@pytest.fixture
def runtime(tmp_path: Path) -> RuntimeDir:
    (tmp_path / "runtime").mkdir(mode=0o700)
    return RuntimeDir(tmp_path / "runtime", ME, -1)


@pytest.fixture
def desktop(runtime: RuntimeDir, environment: dict[str, str]) -> MutterDesktop:
    return MutterDesktop(runtime, UserSession.of(ME, environment), {"PULSE_SINK": "stream"})


def folders(tmp_path: Path) -> list[str]:
    return [str(path) for path in (tmp_path / "runtime").iterdir()]


async def test_a_worker_is_told_where_everything_is(desktop: MutterDesktop, bus: Bus, tmp_path: Path) -> None:
    with contextlib.closing(StandIn(bus)):
        await desktop.start(MODE)
        target = desktop.target
        assert (target.desktop, target.bus_address) == ("mutter", bus.address)
        assert target.pipewire_socket == str(tmp_path / "pipewire-0")
        assert target.folder in folders(tmp_path)
        assert await desktop.set_mode(MODE) == MODE
        await desktop.stop()
        assert target.folder not in folders(tmp_path)
        assert await desktop.wait() == 0


async def test_apps_run_in_the_session(desktop: MutterDesktop, bus: Bus, tmp_path: Path) -> None:
    with contextlib.closing(StandIn(bus)):
        await desktop.start(MODE)
        app = await desktop.launch(App(1, "app", f"env > {tmp_path}/env"))
        assert await app.wait() == 0
        await app.stop()
        said = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
        assert said["DBUS_SESSION_BUS_ADDRESS"] == bus.address
        assert (said["XDG_CURRENT_DESKTOP"], said["PULSE_SINK"]) == ("GNOME", "stream")
        assert "SECRET" not in said
        await desktop.stop()


async def test_a_gnome_that_goes_is_noticed(desktop: MutterDesktop, bus: Bus) -> None:
    mutter = StandIn(bus)
    await desktop.start(MODE)
    watching = asyncio.ensure_future(desktop.wait())
    await asyncio.to_thread(mutter.close)
    assert await asyncio.wait_for(watching, 10) == 1
    await desktop.stop()


async def test_a_person_who_ends_the_sharing_ends_the_session(desktop: MutterDesktop, bus: Bus) -> None:
    with contextlib.closing(StandIn(bus)) as mutter:
        await desktop.start(MODE)
        note = f"{desktop.target.folder}/{NOTE}"
        await asyncio.to_thread(Path(note).write_text, Wanted(os.getpid(), "/ours").line())
        watching = asyncio.ensure_future(desktop.wait())
        for path in ("/somebody/else", "/ours"):
            mutter.end_sharing(path)
        assert await asyncio.wait_for(watching, 10) == 0
        await desktop.stop()


async def test_a_worker_that_ends_or_dies_does_not(desktop: MutterDesktop, bus: Bus) -> None:
    mutter = StandIn(bus)
    await desktop.start(MODE)
    note = f"{desktop.target.folder}/{NOTE}"
    watching = asyncio.ensure_future(desktop.wait())
    mutter.end_sharing("/ours")
    gone = await asyncio.create_subprocess_exec("true")
    await gone.wait()
    await asyncio.to_thread(Path(note).write_text, Wanted(gone.pid, "/ours").line())
    mutter.end_sharing("/ours")
    # The bus keeps the order: once mutter's own end is seen, both were looked at.
    await asyncio.to_thread(mutter.close)
    assert await asyncio.wait_for(watching, 10) == 1
    await desktop.stop()


async def test_without_gnome_there_is_a_sentence(desktop: MutterDesktop) -> None:
    with pytest.raises(DesktopError, match="no GNOME session runs"):
        await desktop.start(MODE)
    await desktop.stop()


def test_what_is_missing_is_said_before_anybody_connects(environment: dict[str, str], tmp_path: Path) -> None:
    assert mutter_obstacle(UserSession.of(ME, environment)) == ""
    assert "PipeWire" in mutter_obstacle(UserSession.of(ME, {**environment, "PIPEWIRE_RUNTIME_DIR": "/nowhere"}))
    stranger = UserIdentity("stranger", 54321, 54321, "/tmp", "")
    assert "no session bus" in mutter_obstacle(UserSession.of(stranger, environment))


def test_workers_of_this_kind_get_a_bus_each(runtime: RuntimeDir, environment: dict[str, str]) -> None:
    choice = choose_desktop("mutter", runtime, LookSettings(), keyboard=KeyboardLayout(), environment=environment)
    assert choice.kind == "mutter"
    assert "{worker}" in choice.worker_environment["DBUS_SESSION_BUS_ADDRESS"]
    with pytest.raises(DesktopError, match="cannot be streamed"):
        choose_desktop("mutter", runtime, LookSettings(), environment={**environment, "PIPEWIRE_RUNTIME_DIR": "/no"})
