from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from punktfunk.session import sound_server
from punktfunk.session.identity import UserIdentity
from punktfunk.session.runtime_dirs import RuntimeDir
from punktfunk.session.sound_server import (
    PrivateSoundServer,
    SoundError,
    SoundMode,
    SoundServer,
    open_sound_server,
)

USER = UserIdentity("root", 0, 0, "/root", "")


class SlowWirePlumber(PrivateSoundServer):
    """Knows no default sink during the first ``refusals`` attempts to choose one."""

    def __init__(self, refusals: int) -> None:
        super().__init__(USER, Path("/nonexistent"))
        self.refusals = refusals
        self.asked: list[str] = []

    async def pactl(self, *arguments: str) -> str:
        self.asked.append(arguments[0])
        if arguments[0] == "set-default-sink" and self.refusals:
            self.refusals -= 1
            raise SoundError("pactl set-default-sink failed: Failure: Not supported")
        return ""


class FakeServer(SoundServer):
    """Begins as scripted: False means a failing start."""

    def __init__(self, script: list[bool]) -> None:
        super().__init__(USER, Path("/nonexistent"))
        self.script = script
        self.death = asyncio.Event()
        self.begun = 0
        self.ended = False

    async def _begin(self) -> None:
        self.begun += 1
        if not self.script.pop(0):
            raise SoundError("scripted")

    async def _wait_for_death(self) -> None:
        await self.death.wait()
        self.death.clear()

    async def _end(self) -> None:
        self.ended = True


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_server, "_RESTART_PAUSE_S", (0.0,))


def noting(notes: asyncio.Queue[str], text: str, error: Exception | None = None) -> Callable[[], Awaitable[None]]:
    async def listener() -> None:
        notes.put_nowait(text)
        if error is not None:
            raise error

    return listener


async def test_restart_is_tried_until_it_works_and_then_told_once() -> None:
    server, notes = FakeServer([False, False, True]), asyncio.Queue[str]()
    server.on_restart(noting(notes, "back"))
    server._start_watching()
    server.death.set()
    assert await notes.get() == "back"
    assert (server.begun, server.restarts) == (3, 1)
    await server.close()
    assert server.ended
    assert notes.empty()


async def test_a_private_server_waits_for_the_keeper_of_the_default_sink() -> None:
    server = SlowWirePlumber(refusals=3)
    await server._load_void()
    assert server.asked == ["load-module", *["set-default-sink"] * 4]


async def test_a_default_sink_that_is_never_to_be_had_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_server, "_READY_TIMEOUT_S", 0.0)
    with pytest.raises(SoundError, match="Not supported"):
        await SlowWirePlumber(refusals=1_000_000)._load_void()


async def test_one_failing_listener_does_not_keep_it_from_the_others() -> None:
    server, notes = FakeServer([True]), asyncio.Queue[str]()
    server.on_restart(noting(notes, "first", SoundError("no sink")))
    forget = server.on_restart(noting(notes, "gone"))
    server.on_restart(noting(notes, "last"))
    forget()
    server._start_watching()
    server.death.set()
    assert [await notes.get(), await notes.get()] == ["first", "last"]
    await server.close()


@pytest.mark.parametrize(
    ("missing", "message"),
    [("pactl", "install pulseaudio-utils"), ("wireplumber", "wireplumber missing; install pipewire")],
)
async def test_missing_programs_are_named(
    monkeypatch: pytest.MonkeyPatch, missing: str, message: str, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == missing else f"/usr/bin/{name}")
    with pytest.raises(SoundError, match=message):
        await open_sound_server(SoundMode.PRIVATE, USER, RuntimeDir(tmp_path, USER, -1))


async def test_off_needs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert await open_sound_server(SoundMode.OFF, USER, RuntimeDir(tmp_path, USER, -1)) is None
