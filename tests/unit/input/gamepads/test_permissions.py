"""The set-up plan: what it says, what it does, and that it can be undone."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from punktfunk.cli import setup
from punktfunk.input.gamepads import permissions
from punktfunk.input.gamepads.permissions import RemoveFile, Run, Step, StepFailed, WriteFile, perform

REPOSITORY = Path(__file__).parents[4]


def test_the_packaged_rules_are_the_same() -> None:
    packaged = REPOSITORY / "packaging" / "udev" / "60-punktfunk-input.rules"
    assert packaged.read_text() == permissions.UDEV_RULES


def test_everything_written_is_removed_again() -> None:
    written = {step.path for step in permissions.installation("ann") if isinstance(step, WriteFile)}
    removed = {step.path for step in permissions.removal("ann") if isinstance(step, RemoveFile)}
    assert written == removed == set(permissions.FILES)


def test_the_nodes_are_given_back_before_other_rules_apply_again() -> None:
    commands = [step.command for step in permissions.removal("ann") if isinstance(step, Run)]
    closed = commands.index(("chmod", "0600", "/dev/uinput", "/dev/uhid"))
    assert commands.index(("udevadm", "control", "--reload")) < closed < len(commands) - 1
    assert commands[-1][:2] == ("udevadm", "trigger")


def test_files_are_written_and_removed(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file"
    perform(WriteFile(file, "text"))
    assert file.read_text() == "text"
    perform(RemoveFile(file))
    perform(RemoveFile(file))
    assert not file.exists()


def test_a_command_that_fails_is_one_sentence_unless_it_may() -> None:
    with pytest.raises(StepFailed, match="say no: false: exit code 1"):
        perform(Run(("false",), "say no"))
    perform(Run(("false",), "say no", optional=True))
    with pytest.raises(StepFailed, match="No such file"):
        perform(Run(("/nowhere/at-all",), "start"))


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    steps: list[Step] = []
    monkeypatch.setattr(setup, "perform", steps.append)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return steps


def test_it_shows_the_plan_asks_and_does_it(done: list[Step]) -> None:
    result = CliRunner().invoke(setup.app, ["input", "--user", "ann"], input="y\n")
    assert result.exit_code == 0
    assert done == permissions.installation("ann")
    assert all(str(step) in result.output for step in done)


def test_no_is_no(done: list[Step]) -> None:
    result = CliRunner().invoke(setup.app, ["input", "--user", "ann"], input="n\n")
    assert (result.exit_code, done) == (1, [])


def test_remove_undoes_without_asking_when_told(done: list[Step]) -> None:
    assert CliRunner().invoke(setup.app, ["input", "--user", "ann", "--yes", "--remove"]).exit_code == 0
    assert done == permissions.removal("ann")


def test_without_root_it_says_so_and_does_nothing(done: list[Step], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    result = CliRunner().invoke(setup.app, ["input", "--user", "ann", "--yes"])
    assert result.exit_code == 1
    assert done == []
    assert "sudo" in result.output
