"""A person's GNOME is streamed, with a stand-in for mutter that shows real PipeWire nodes of whatever size is asked
for: size and rate, picture, input, mode changes, crashes of everybody, and nothing left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.e2e.host_process import HostProcess
from tests.e2e.kwin_tools import START_S, needs_pipewire, until
from tests.e2e.native_tools import eventually, paired_identity, pictures, session, workers
from tests.pipewire_producer import PICTURE_COLOR

from punktfunk.client.connection import Mode
from punktfunk.client.session import Options, Session
from punktfunk.media.stamp import read_stamp
from punktfunk.session.sound_server import write_wireplumber_settings
from punktfunk.wire.punktfunk1.caps import HostCaps

pytestmark = [pytest.mark.e2e, needs_pipewire]

OPTIONS = Options(mode=Mode(1366, 768, 60), bitrate_kbps=8000)
LARGER = Mode(1600, 900, 30)
LETTER_A, SHIFT = 0x41, 0xA0
KEYSYM_A, KEYSYM_SHARP_S = 0x61, 0xDF


@dataclass
class GnomeSession:
    """Runs from `start` to `stop`, as the user that the tests run as. ``folder`` is its runtime folder."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="pf-gnome-")))
    mutter: subprocess.Popen[bytes] | None = None
    _programs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """That of a terminal in it."""
        kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
        address = f"unix:path={self.folder}/bus"
        return {
            **kept,
            "XDG_RUNTIME_DIR": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "DBUS_SESSION_BUS_ADDRESS": address,
        }

    def start(self) -> GnomeSession:
        """Start everything and wait until it works."""
        self._run("dbus-daemon", "--session", f"--address=unix:path={self.folder}/bus", "--nofork", "--nopidfile")
        until((self.folder / "bus").is_socket, "the bus is there", START_S)
        self._run("pipewire")
        until((self.folder / "pipewire-0").is_socket, "PipeWire is there", START_S)
        # With its own settings it gives up where there is no logind.
        write_wireplumber_settings(self.folder / "config")
        self._run("wireplumber")
        self.start_mutter()
        return self

    def start_mutter(self) -> None:
        """For the first time or again."""
        before = len(self.seen("started"))
        self.mutter = self._run(sys.executable, "-m", "tests.stand_in_mutter", str(self.folder), log="mutter")
        until(lambda: len(self.seen("started")) > before, "mutter is there", START_S)

    def kill_mutter(self) -> None:
        """As a crash would."""
        assert self.mutter is not None
        self.mutter.kill()
        self.mutter.wait()

    def seen(self, *kinds: str) -> list[list[Any]]:
        """What mutter was told and did, since the session began."""
        text = (self.folder / "mutter").read_text() if (self.folder / "mutter").exists() else ""
        lines = text[: text.rfind("\n") + 1].splitlines()
        return [what for what in map(json.loads, lines) if not kinds or what[0] in kinds]

    def wait_for(self, *what: object) -> None:
        """Until it was told this, or did it."""
        until(lambda: list(what) in self.seen(), f"{what} in {self.seen()[-30:]}")

    def monitors(self) -> dict[str, list[float]]:
        """Those that are there, by their client, with width, height and rate."""
        there: dict[str, list[float]] = {}
        for kind, *values in self.seen("started", "monitor", "mode", "gone"):
            if kind == "started":
                there.clear()
            elif kind == "gone":
                there.pop(values[0])
            else:
                there[values[0]] = values[1:]
        return there

    def stop(self) -> None:
        """End everything."""
        for program in reversed(self._programs):
            if program.poll() is None:
                program.kill()
            program.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, *command: str, log: str = "log") -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as out, (self.folder / "log").open("ab") as errors:
            program = subprocess.Popen(
                command,
                env=self.environment,
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                start_new_session=True,
            )
        self._programs.append(program)
        return program


@pytest.fixture(scope="module")
def gnome() -> Iterator[GnomeSession]:
    session = GnomeSession()
    try:
        yield session.start()
    finally:
        session.stop()


@contextlib.contextmanager
def host_for(gnome: GnomeSession, folder: Path) -> Iterator[HostProcess]:
    # The bus lets only its own user's programs in, which is whoever runs the tests.
    user = f'[display]\nuser = "{"root" if os.geteuid() == 0 else ""}"\n'
    flags = ("--display", "mutter", "--audio", "off")
    host = HostProcess(folder, *flags, environment=gnome.environment, settings=user).start()
    try:
        yield host
    except BaseException:
        print(host.log()[-6000:], (gnome.folder / "log").read_text()[-2000:])
        raise
    finally:
        assert host.process is not None
        if host.process.poll() is None:
            assert host.stop() == 0


@pytest.fixture
def host(gnome: GnomeSession, tmp_path: Path) -> Iterator[HostProcess]:
    with host_for(gnome, tmp_path / "host") as running:
        yield running
    until(lambda: not gnome.monitors(), "no monitor is left")


@contextlib.asynccontextmanager
async def streaming(host: HostProcess, name: str = "Guest", options: Options = OPTIONS) -> AsyncIterator[Session]:
    identity = await paired_identity(host, name)
    async with session(host, identity, options) as live:
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


async def test_a_monitor_of_the_clients_size_is_seen_and_typed_into(gnome: GnomeSession, host: HostProcess) -> None:
    async with streaming(host) as live:
        await moving_picture(live, 1366, 768)
        assert list(gnome.monitors().values()) == [[1366, 768, 60]]
        assert HostCaps.CLIPBOARD not in live.welcome.host_caps
        stream = gnome.seen("NotifyPointerMotionAbsolute")[-1][1]
        began = len(gnome.seen())
        live.input.move_to(683, 384, 1366, 768)
        live.input.move(5, -3)
        live.input.button(1, True)
        live.input.button(1, False)
        live.input.scroll(120)
        live.input.key(LETTER_A, True)
        live.input.key(LETTER_A, False)
        live.input.text("ß")
        await asyncio.to_thread(gnome.wait_for, "NotifyKeyboardKeysym", KEYSYM_SHARP_S, False)
        told = [what for what in gnome.seen()[began:] if what[0].startswith("Notify")]
        assert told == [
            ["NotifyPointerMotionAbsolute", stream, 683.0, 384.0],
            ["NotifyPointerMotionRelative", 5.0, -3.0],
            ["NotifyPointerButton", 0x110, True],
            ["NotifyPointerButton", 0x110, False],
            ["NotifyPointerAxisDiscrete", 0, -1],
            ["NotifyKeyboardKeysym", KEYSYM_A, True],
            ["NotifyKeyboardKeysym", KEYSYM_A, False],
            ["NotifyKeyboardKeysym", KEYSYM_SHARP_S, True],
            ["NotifyKeyboardKeysym", KEYSYM_SHARP_S, False],
        ]


async def test_the_rate_is_the_clients_too_and_a_mode_change_keeps_the_monitor(
    gnome: GnomeSession, host: HostProcess
) -> None:
    async with streaming(host, options=Options(mode=Mode(1024, 768, 120), bitrate_kbps=8000)) as live:
        ((sender, mode),) = gnome.monitors().items()
        assert mode == [1024, 768, 120]
        assert (await live.reconfigure(LARGER)).accepted
        await moving_picture(live, 1600, 900)
        assert gnome.monitors() == {sender: [1600, 900, 30]}


async def test_two_clients_have_a_monitor_each(gnome: GnomeSession, host: HostProcess) -> None:
    async with (
        streaming(host) as one,
        streaming(host, "Other", Options(mode=Mode(960, 540, 30), bitrate_kbps=5000)) as two,
    ):
        await moving_picture(one, 1366, 768)
        await moving_picture(two, 960, 540)
        assert sorted(gnome.monitors().values()) == [[960, 540, 30], [1366, 768, 60]]


async def test_a_killed_worker_is_replaced_with_one_monitor(gnome: GnomeSession, host: HostProcess) -> None:
    async with streaming(host) as live:
        (before,) = gnome.monitors()
        for pid in workers(host):
            os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(until, lambda: gnome.monitors().keys() - {before}, "another monitor")
        await moving_picture(live, 1366, 768)
        assert len(gnome.monitors()) == 1


async def test_who_ends_the_sharing_at_the_machine_ends_the_session(gnome: GnomeSession, host: HostProcess) -> None:
    async with streaming(host) as live:
        assert gnome.mutter is not None
        gnome.mutter.send_signal(signal.SIGUSR1)
        await eventually(lambda: live.closed is not None, 20)
    assert "somebody at the machine ended the sharing" in host.log()
    assert "replacing" not in host.log()


async def test_a_killed_host_leaves_nothing(gnome: GnomeSession, tmp_path: Path) -> None:
    with host_for(gnome, tmp_path / "killed") as host:
        async with streaming(host):
            assert gnome.monitors()
            host.kill()
        await asyncio.to_thread(until, lambda: not gnome.monitors(), "no monitor is left")


async def test_a_mutter_that_dies_ends_the_session_and_not_the_host(gnome: GnomeSession, host: HostProcess) -> None:
    async with streaming(host) as live:
        gnome.kill_mutter()
        await eventually(lambda: live.closed is not None, 20)
    assert "no GNOME session runs" in host.log()
    await asyncio.to_thread(gnome.start_mutter)
    async with streaming(host, "Again") as live:
        await moving_picture(live, 1366, 768)
