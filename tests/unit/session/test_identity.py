from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from punktfunk.session.identity import DEFAULT_DESKTOP_USER, IdentityError, desktop_user, is_private_dir

ROOT = pwd.getpwuid(0)
ALICE = pwd.struct_passwd(("alice", "x", 1234, 1234, "", "/home/alice", "/bin/bash"))


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: ALICE)


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"root": ROOT, "alice": ALICE}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: ROOT)
    monkeypatch.setattr(pwd, "getpwnam", known.__getitem__)


@pytest.mark.usefixtures("as_user")
def test_without_root_it_is_the_current_user() -> None:
    user = desktop_user(None)
    assert (user.name, user.uid, user.home, user.shell) == ("alice", 1234, "/home/alice", "/bin/bash")
    assert desktop_user("alice") == user


@pytest.mark.usefixtures("as_user")
def test_without_root_nobody_else_is_possible() -> None:
    with pytest.raises(IdentityError, match="only root"):
        desktop_user("bob")


@pytest.mark.usefixtures("as_root")
def test_root_takes_the_requested_user() -> None:
    assert desktop_user("alice").uid == 1234


@pytest.mark.usefixtures("as_root")
def test_root_never_becomes_the_desktop_unasked() -> None:
    with pytest.raises(IdentityError, match=rf"useradd .*{DEFAULT_DESKTOP_USER}"):
        desktop_user(None)
    assert desktop_user("root").uid == 0


@pytest.mark.usefixtures("as_root")
def test_missing_user_tells_the_command() -> None:
    with pytest.raises(IdentityError, match=r"useradd .*bob"):
        desktop_user("bob")


def test_environment_holds_nothing_of_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "1")
    user = desktop_user(pwd.getpwuid(os.geteuid()).pw_name)
    environment = user.environment("/run/x")
    assert environment["XDG_RUNTIME_DIR"] == "/run/x"
    assert set(environment) == {"HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "XDG_RUNTIME_DIR"}


def test_private_dir_is_real_owned_and_closed(tmp_path: Path) -> None:
    private, link = tmp_path / "private", tmp_path / "link"
    private.mkdir(mode=0o700)
    link.symlink_to(private)
    assert is_private_dir(str(private), os.geteuid())
    assert not is_private_dir(str(private), os.geteuid() + 1)
    assert not is_private_dir(str(link), os.geteuid())
    private.chmod(0o750)
    assert not is_private_dir(str(private), os.geteuid())
