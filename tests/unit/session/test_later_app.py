"""Apps that wait for their place."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from punktfunk.session.desktops import later
from punktfunk.session.desktops.base import DesktopError, RunningApp
from punktfunk.session.desktops.later import NOT_STARTED, LaterApp


class App:
    def __init__(self) -> None:
        self.stopped = False

    async def wait(self) -> int:
        return 7

    async def stop(self) -> None:
        self.stopped = True


async def test_it_starts_once_the_sign_is_there_and_is_stopped(tmp_path: Path) -> None:
    app, started = App(), asyncio.Event()

    async def launch() -> RunningApp:
        started.set()
        return app

    waiting = LaterApp(tmp_path / "sign", launch)
    ended = asyncio.create_task(waiting.wait())
    await asyncio.sleep(0.1)
    assert not started.is_set()
    (tmp_path / "sign").touch()
    assert await asyncio.wait_for(ended, 5) == 7
    await waiting.stop()
    await waiting.stop()
    assert app.stopped


async def test_it_is_not_started_when_it_is_stopped_before(tmp_path: Path) -> None:
    async def launch() -> RunningApp:
        raise AssertionError

    waiting = LaterApp(tmp_path / "sign", launch)
    await asyncio.sleep(0)
    await waiting.stop()
    await waiting.stop()


async def test_it_starts_without_a_sign_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(later, "PATIENCE_S", 0.05)

    async def launch() -> RunningApp:
        return App()

    assert await asyncio.wait_for(LaterApp(tmp_path / "sign", launch).wait(), 5) == 7


async def test_one_that_cannot_start_has_ended(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "sign").touch()

    async def launch() -> RunningApp:
        raise DesktopError("there is no such program")

    assert await LaterApp(tmp_path / "sign", launch).wait() == NOT_STARTED
    assert "there is no such program" in caplog.text
