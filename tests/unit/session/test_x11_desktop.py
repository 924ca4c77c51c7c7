from __future__ import annotations

from pathlib import Path

import pytest

from punktfunk.media.plan import Mode
from punktfunk.session.desktops.base import DesktopError, TakesPictures
from punktfunk.session.desktops.choice import choose_desktop
from punktfunk.session.desktops.look import LookSettings
from punktfunk.session.desktops.x11 import X11Desktop, examine, find_place, shared_x11
from punktfunk.session.identity import UserIdentity
from punktfunk.session.runtime_dirs import RuntimeDir


def person(home: Path) -> UserIdentity:
    return UserIdentity("someone", 12_345, 12_345, str(home), "")


def test_the_setting_comes_before_the_environment(tmp_path: Path) -> None:
    environment = {"DISPLAY": ":1"}
    assert find_place(":2", person(tmp_path), environment).display == ":2"
    assert find_place("", person(tmp_path), environment).display == ":1"


def test_no_display_is_told_with_both_ways_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(DesktopError, match=r"DISPLAY is not set, and display\.x11_display is empty"):
        find_place("", person(tmp_path), {})


def test_the_cookie_is_looked_for_where_programs_look(tmp_path: Path) -> None:
    """And each time anew: the host may have been started before the login that made the file."""
    named = tmp_path / "named"
    place = find_place(":0", person(tmp_path), {"XAUTHORITY": str(named)})
    assert place.authority == ""
    (tmp_path / ".Xauthority").touch()
    assert place.authority == str(tmp_path / ".Xauthority")
    named.touch()
    assert place.authority == str(named)
    assert find_place(":0", person(tmp_path), {}).authority == str(tmp_path / ".Xauthority")


def test_programs_are_told_where_it_is(tmp_path: Path) -> None:
    place = find_place(":3", person(tmp_path), {})
    assert place.environment == {"DISPLAY": ":3"}
    (tmp_path / ".Xauthority").touch()
    place = find_place(":3", person(tmp_path), {})
    assert place.environment == {"DISPLAY": ":3", "XAUTHORITY": f"{tmp_path}/.Xauthority"}


def test_another_machines_display_is_refused(tmp_path: Path) -> None:
    assert "no X11 display of this machine" in examine(find_place("host:0", person(tmp_path), {}))


async def test_a_desktop_that_is_not_there_yet_is_chosen_and_then_told(tmp_path: Path) -> None:
    runtime = RuntimeDir(tmp_path, person(tmp_path), -1)
    choice = choose_desktop("x11", runtime, LookSettings(), environment={"DISPLAY": ":54321"})
    assert choice.kind == "x11"
    assert "no X server answers for :54321" in choice.why
    assert choice.worker_environment == {"DISPLAY": ":54321", "XAUTHORITY": f"{tmp_path}/xauthority"}
    desktop = choice.make("id", {"PULSE_SERVER": "somewhere"})
    assert isinstance(desktop, X11Desktop)
    assert desktop.environment["PULSE_SERVER"] == "somewhere"
    assert desktop.environment["DISPLAY"] == ":54321"
    assert "WAYLAND_DISPLAY" not in desktop.environment
    assert isinstance(desktop, TakesPictures)
    assert await desktop.picture(Mode(1280, 720, 60_000)) is None
    with pytest.raises(DesktopError, match="no X server answers"):
        await desktop.start(None)  # type: ignore[arg-type]
    await desktop.stop()
    await desktop.stop()
    assert await desktop.wait() == 0


def test_settings_that_change_do_not_forget_who_shares_a_desktop(tmp_path: Path) -> None:
    place = find_place(":4", person(tmp_path), {})
    assert shared_x11(place) is shared_x11(find_place(":4", person(tmp_path), {"DISPLAY": ":1"}))
    assert shared_x11(place) is not shared_x11(find_place(":5", person(tmp_path), {}))


async def test_a_display_in_the_environment_changes_nothing_unless_asked(tmp_path: Path) -> None:
    runtime = RuntimeDir(tmp_path, person(tmp_path), -1)
    environment = {"DISPLAY": ":0", "XAUTHORITY": "/x", "WAYLAND_DISPLAY": "wayland-0"}
    choice = choose_desktop("auto", runtime, LookSettings(), environment=environment, which=lambda _name: None)
    assert (choice.kind, dict(choice.worker_environment)) == ("bare", {})
    assert "DISPLAY" not in environment_of(choice.make("id", {}))


def environment_of(desktop: object) -> dict[str, str]:
    return desktop.environment  # type: ignore[attr-defined,no-any-return]
