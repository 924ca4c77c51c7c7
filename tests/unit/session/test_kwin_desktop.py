"""The KDE session that a person runs: how it is found, what is missing in it, and the permission for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.kwin_stand_in import FAKE_INPUT, GLOBALS, SCREENCAST, Manners, StandIn
from typer.testing import CliRunner

from punktfunk.cli.main import app
from punktfunk.host.doctor.check import Status
from punktfunk.host.doctor.kwin import judge_kwin
from punktfunk.session.desktops import kde_permission
from punktfunk.session.desktops.base import DesktopError
from punktfunk.session.desktops.kwin import OutputNames, find_kwin, kwin_obstacle, missing_interfaces
from punktfunk.session.desktops.user_session import UserSession
from punktfunk.session.identity import UserIdentity

PLASMA = GLOBALS | {"org_kde_plasma_shell": 8}


def session_in(folder: Path, *, uid: int | None = None, bus: str = "unix:path=/x", display: str = "") -> UserSession:
    user = UserIdentity("anna", os.geteuid() if uid is None else uid, 1, "/home/anna", str(folder))
    return UserSession(user, bus, "/x/pipewire-0", {"WAYLAND_DISPLAY": display} if display else {})


def test_kwin_is_found_among_other_compositors(tmp_path: Path) -> None:
    other = StandIn(tmp_path / "wayland-0")
    (tmp_path / "wayland-1.lock").touch()
    kwin = StandIn(tmp_path / "wayland-2", Manners(offers=PLASMA))
    connection = find_kwin(session_in(tmp_path))
    assert connection.path == str(kwin.path)
    assert not missing_interfaces(connection)
    connection.close()
    with pytest.raises(DesktopError, match="wayland-0 is not KWin"):
        find_kwin(session_in(tmp_path, display="wayland-0"))
    for server in (other, kwin):
        server.kill()


def test_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(DesktopError, match="there is no Wayland socket"):
        find_kwin(session_in(tmp_path))
    with pytest.raises(DesktopError, match="no compositor listens"):
        find_kwin(session_in(tmp_path, display="wayland-7"))


def test_one_that_does_not_answer(tmp_path: Path) -> None:
    server = StandIn(tmp_path / "wayland-0", Manners(mute=True))
    with pytest.raises(DesktopError, match="no answer within 2 s"):
        find_kwin(session_in(tmp_path))
    server.kill()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({FAKE_INPUT: 0}, f"{FAKE_INPUT} is not offered"),
        ({SCREENCAST: 0, FAKE_INPUT: 0}, f"{FAKE_INPUT} is not offered, {SCREENCAST} is not offered"),
        ({SCREENCAST: 1}, f"{SCREENCAST} is of version 1, and 2 is needed"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, changed: dict[str, int], words: str) -> None:
    offers = {name: version for name, version in (PLASMA | changed).items() if version}
    server = StandIn(tmp_path / "wayland-0", Manners(offers=offers))
    connection = find_kwin(session_in(tmp_path))
    assert missing_interfaces(connection) == words
    connection.close()
    server.kill()


def test_obstacles(tmp_path: Path) -> None:
    assert not kwin_obstacle(session_in(tmp_path))
    assert "run the host as anna" in kwin_obstacle(session_in(tmp_path, uid=os.geteuid() + 1))
    assert "no session bus" in kwin_obstacle(session_in(tmp_path, bus=""))


def test_outputs_have_the_same_names_again() -> None:
    names = OutputNames()
    assert [names.take() for _ in range(3)] == ["punktfunk", "punktfunk-2", "punktfunk-3"]
    names.give_back("punktfunk-2")
    assert [names.take(), names.take()] == ["punktfunk-2", "punktfunk-4"]


def test_doctor_words() -> None:
    assert judge_kwin("kwin", "an output", "").status is Status.OK
    refused = judge_kwin("kwin", "an output", "x is not offered")
    assert (refused.status, "setup desktop" in refused.fix) == (Status.FAIL, True)
    assert judge_kwin("auto", "an output", "").status is Status.SKIP


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SUDO_USER", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_permission_is_given_and_taken_back(home: Path) -> None:
    file = home / ".local/share/applications/punktfunk-host.desktop"
    done = CliRunner().invoke(app, ["setup", "desktop", "--yes"])
    assert done.exit_code == 0, done.output
    lines = file.read_text().splitlines()
    assert f"Exec={os.readlink('/proc/self/exe')}" in lines
    assert f"X-KDE-Wayland-Interfaces={FAKE_INPUT},{SCREENCAST}" in lines
    assert CliRunner().invoke(app, ["setup", "desktop", "--yes", "--remove"]).exit_code == 0
    assert not file.exists()


def test_nothing_is_done_without_a_yes_or_for_somebody_else(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CliRunner().invoke(app, ["setup", "desktop"], input="n\n").exit_code != 0
    monkeypatch.setenv("SUDO_USER", "anna")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    refused = CliRunner().invoke(app, ["setup", "desktop", "--yes"])
    assert refused.exit_code != 0
    assert "Run it as anna" in refused.output
    assert not (home / ".local").exists()


def test_the_packaged_file_is_the_same() -> None:
    packaged = Path(__file__).parents[3] / "packaging/kde/punktfunk-host.desktop"
    assert packaged.read_text() == kde_permission.DESKTOP_FILE
