from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from punktfunk.session.desktops.bare import BareDesktop
from punktfunk.session.desktops.base import DesktopError, NoDesktop
from punktfunk.session.desktops.choice import choose_desktop
from punktfunk.session.desktops.embedded import SwayDesktop
from punktfunk.session.desktops.look import LookSettings
from punktfunk.session.identity import UserIdentity
from punktfunk.session.runtime_dirs import RuntimeDir


def runtime(uid: int) -> RuntimeDir:
    return RuntimeDir(Path("/nowhere"), UserIdentity("someone", uid, uid, "/", ""), -1)


def which(*names: str) -> Callable[[str], str | None]:
    return lambda name: name if name in names else None


@pytest.mark.parametrize(
    ("kind", "uid", "installed", "expected", "desktop"),
    [
        ("auto", 1000, ("sway",), "embedded", SwayDesktop),
        ("embedded", 1000, ("sway",), "embedded", SwayDesktop),
        ("auto", 1000, (), "bare", BareDesktop),
        ("auto", 0, ("sway",), "bare", BareDesktop),
        ("bare", 1000, ("sway",), "bare", BareDesktop),
        ("synthetic", 0, (), "synthetic", NoDesktop),
    ],
)
async def test_choice(kind: str, uid: int, installed: tuple[str, ...], expected: str, desktop: type) -> None:
    choice = choose_desktop(kind, runtime(uid), LookSettings(), which=which(*installed))
    assert choice.kind == expected
    assert choice.why
    assert isinstance(choice.make("id", dict(os.environ)), desktop)


@pytest.mark.parametrize(
    ("kind", "uid", "message"),
    [("embedded", 1000, "not installed"), ("embedded", 0, "not installed"), ("quartz", 1000, "no display of kind")],
)
def test_what_cannot_be_had_is_refused_with_the_reason(kind: str, uid: int, message: str) -> None:
    with pytest.raises(DesktopError, match=message):
        choose_desktop(kind, runtime(uid), LookSettings(), which=which())


def test_root_gets_told_why_there_is_no_sway() -> None:
    with pytest.raises(DesktopError, match="as root"):
        choose_desktop("embedded", runtime(0), LookSettings(), which=which("sway"))


def test_without_shared_memory_there_is_no_sway(tmp_path: Path) -> None:
    nowhere = tmp_path / "shm"
    with pytest.raises(DesktopError, match=r"needs shared memory, and .*shm: No such file"):
        choose_desktop("embedded", runtime(1000), LookSettings(), which=which("sway"), shared=nowhere)
    nowhere.mkdir(mode=0o755)
    choice = choose_desktop("auto", runtime(os.geteuid() + 1), LookSettings(), which=which("sway"), shared=nowhere)
    assert choice.kind == "bare"
    assert "may be written by user id" in choice.why
    nowhere.chmod(0o1777)
    choice = choose_desktop("auto", runtime(os.geteuid() + 1), LookSettings(), which=which("sway"), shared=nowhere)
    assert choice.kind == "embedded"
