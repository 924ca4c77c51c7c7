"""Apps run real processes of the current user: short shell commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from punktfunk.session.desktops.apps import AppProcess
from punktfunk.session.desktops.base import DesktopError
from punktfunk.session.plan import App, PrepareCommand

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/"}


def note(path: Path, word: str) -> str:
    return f"echo {word} >> {path}"


async def launch(app: App) -> AppProcess:
    return await AppProcess.launch(app, ENVIRONMENT, None)


async def test_preparations_come_first_and_are_undone_in_reverse(tmp_path: Path) -> None:
    log = tmp_path / "log"
    prepare = (
        PrepareCommand(note(log, "do1"), note(log, "undo1")),
        PrepareCommand("", note(log, "undo2")),
        PrepareCommand(note(log, "do3")),
    )
    process = await launch(App(1, "app", note(log, "app"), prepare=prepare))
    assert await process.wait() == 0
    await process.stop()
    await process.stop()
    assert log.read_text().split() == ["do1", "do3", "app", "undo2", "undo1"]


async def test_a_failed_preparation_is_undone_and_nothing_starts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    prepare = (PrepareCommand("true", note(log, "undo1")), PrepareCommand("exit 3", note(log, "undo2")))
    with pytest.raises(DesktopError, match="status 3"):
        await launch(App(1, "app", note(log, "app"), prepare=prepare))
    assert log.read_text().split() == ["undo2", "undo1"]


async def test_environment_and_working_folder(tmp_path: Path) -> None:
    process = await launch(
        App(1, "app", 'echo "$PWD $HOME $WORD" > out', working_dir=str(tmp_path), environment={"WORD": "hello"})
    )
    await process.wait()
    await process.stop()
    assert (tmp_path / "out").read_text() == f"{tmp_path} / hello\n"


async def test_a_missing_working_folder_is_named() -> None:
    with pytest.raises(DesktopError, match="/does/not/exist"):
        await launch(App(1, "app", "true", working_dir="/does/not/exist"))


async def test_exit_status_and_stop() -> None:
    process = await launch(App(1, "app", "exit 7"))
    assert await process.wait() == 7
    await process.stop()
    process = await launch(App(1, "app", "sleep 1000"))
    await process.stop()
    assert await process.wait() != 0


async def test_an_app_without_command_runs_until_it_is_stopped() -> None:
    process = await launch(App(1, "app"))
    await process.stop()
    assert await process.wait() == 0
