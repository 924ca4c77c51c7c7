from __future__ import annotations

import os
import pwd
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.session.fake_sway import FakeSway

from punktfunk.host.doctor import wlroots as doctor
from punktfunk.host.doctor.check import Context, Status
from punktfunk.host.settings import DisplaySettings, Settings
from punktfunk.input.xkb import KeyboardLayout
from punktfunk.media.plan import Mode
from punktfunk.media.video_source import TargetKeyboard
from punktfunk.media.wayland.look import Compositor, LookError, Output
from punktfunk.session.desktops import wayland_session, wlroots
from punktfunk.session.desktops.base import DesktopError
from punktfunk.session.desktops.choice import choose_desktop
from punktfunk.session.desktops.look import LookSettings
from punktfunk.session.desktops.sway_outputs import SwayOutputs
from punktfunk.session.desktops.wayland_session import Wanted, find_session
from punktfunk.session.desktops.wlroots import WlrootsDesktop, describe, shown_output
from punktfunk.session.identity import UserIdentity

WLROOTS = frozenset({"zwlr_virtual_pointer_manager_v1", "zwlr_screencopy_manager_v1", "wl_output"})
OUTPUTS = (Output(38, "DP-1", Mode(2560, 1440, 59_951)), Output(39, "HDMI-A-1", Mode(1920, 1080, 60_000)))
MODE = Mode(1280, 720, 60_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def user(folder: Path) -> UserIdentity:
    entry = pwd.getpwuid(os.geteuid())
    return UserIdentity(entry.pw_name, entry.pw_uid, entry.pw_gid, str(folder), str(folder))


@pytest.fixture
def sway(folder: Path) -> Iterator[FakeSway]:
    fake = FakeSway(folder / "sway-ipc.1000.7.sock")
    yield fake
    fake.close()


@pytest.fixture
def compositors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Compositor]]:
    """Those that answer, by the name of their socket; the sockets are made as they are put in."""
    listening: list[socket.socket] = []

    class Found(dict[str, Compositor]):
        def __setitem__(self, name: str, compositor: Compositor) -> None:
            made = socket.socket(socket.AF_UNIX)
            listening.append(made)
            made.bind(str(folder / name))
            made.listen()
            super().__setitem__(name, compositor)

    found = Found()

    def look(path: str) -> Compositor:
        try:
            return found[Path(path).name]
        except KeyError:
            raise LookError(f"no Wayland compositor answers on {path}") from None

    monkeypatch.setattr(wayland_session, "look", look)
    yield found
    for each in listening:
        each.close()


def compositor(outputs: tuple[Output, ...] = OUTPUTS, **more: Any) -> Compositor:
    return Compositor(outputs, more.pop("interfaces", WLROOTS), **more)


def test_sway_is_found_with_the_control_socket_of_the_same_process(
    folder: Path, user: UserIdentity, sway: FakeSway, compositors: dict[str, Compositor]
) -> None:
    compositors["wayland-1"] = compositor()
    found = find_session(user, Wanted())
    assert (found.display, found.sway_socket) == (str(folder / "wayland-1"), str(sway.path))
    assert describe(found, Wanted()) == "your sway 1.7, with an output of its own for each session"
    assert found.environment["WAYLAND_DISPLAY"] == "wayland-1"
    assert found.environment["XDG_RUNTIME_DIR"] == str(folder)
    assert found.environment["SWAYSOCK"] == str(sway.path)


def test_another_compositors_control_socket_is_not_taken(
    user: UserIdentity, sway: FakeSway, compositors: dict[str, Compositor], monkeypatch: pytest.MonkeyPatch
) -> None:
    compositors["wayland-1"] = compositor()
    real = wayland_session._listener
    monkeypatch.setattr(wayland_session, "_listener", lambda path: real(path) + path.endswith(".sock"))
    assert find_session(user, Wanted()).sway_socket == ""


def test_the_hosts_own_environment_comes_first(user: UserIdentity, compositors: dict[str, Compositor]) -> None:
    compositors["wayland-1"], compositors["wayland-2"] = compositor(), compositor()
    assert find_session(user, Wanted()).display.endswith("wayland-1")
    assert find_session(user, Wanted({"WAYLAND_DISPLAY": "wayland-2"})).display.endswith("wayland-2")
    assert find_session(user, Wanted({"WAYLAND_DISPLAY": "wayland-9"})).display.endswith("wayland-1")


def test_a_display_that_is_asked_for_is_not_replaced_by_another(
    user: UserIdentity, compositors: dict[str, Compositor]
) -> None:
    compositors["wayland-1"] = compositor()
    with pytest.raises(DesktopError, match=r"there is no Wayland socket .*wayland-7"):
        find_session(user, Wanted(display="wayland-7"))


def test_desktops_without_wlroots_protocols_are_passed_over(
    user: UserIdentity, compositors: dict[str, Compositor]
) -> None:
    compositors["wayland-0"] = compositor(interfaces=frozenset({"wl_output"}))
    with pytest.raises(DesktopError, match="has not what wlroots' ones have"):
        find_session(user, Wanted())
    compositors["wayland-1"] = compositor()
    assert find_session(user, Wanted()).display.endswith("wayland-1")


def test_nothing_there_is_said_with_what_root_can_do(user: UserIdentity, compositors: dict[str, Compositor]) -> None:
    with pytest.raises(DesktopError, match=r"runs no Wayland session here$"):
        find_session(user, Wanted())
    other = UserIdentity("nobody", user.uid + 4711, 0, "/", "")
    with pytest.raises(DesktopError, match=r"display\.user names the account"):
        find_session(other, Wanted({"WAYLAND_DISPLAY": "wayland-1"}))


def test_sockets_of_others_are_left_alone(folder: Path, user: UserIdentity, compositors: dict[str, Compositor]) -> None:
    compositors["wayland-1"] = compositor()
    other = UserIdentity("nobody", user.uid + 4711, 0, "/", "")
    with pytest.raises(DesktopError, match="belongs to user id"):
        find_session(other, Wanted(display=str(folder / "wayland-1")))


def test_only_so_many_sockets_are_tried(
    folder: Path, user: UserIdentity, compositors: dict[str, Compositor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wayland_session, "MAX_SOCKETS", 3)
    for number in range(9):
        compositors[f"wayland-{number}"] = compositor(interfaces=frozenset())
    tried = []
    monkeypatch.setattr(wayland_session, "_compositor", lambda path, _user: tried.append(path) or refuse())
    with pytest.raises(DesktopError):
        find_session(user, Wanted())
    assert len(tried) == 3


def refuse() -> Compositor:
    raise DesktopError("no")


def test_which_output_is_shown(user: UserIdentity, compositors: dict[str, Compositor]) -> None:
    compositors["wayland-1"] = compositor()
    found = find_session(user, Wanted())
    assert shown_output(found, Wanted(output="HDMI-A-1")) == OUTPUTS[1]
    with pytest.raises(DesktopError, match=r"has no output 'DP-9'; it has DP-1, HDMI-A-1"):
        shown_output(found, Wanted(output="DP-9"))
    with pytest.raises(DesktopError, match=r"several outputs \(DP-1, HDMI-A-1\); display\.output says"):
        shown_output(found, Wanted())
    wanted = Wanted(output="DP-1")
    assert describe(found, wanted) == "your desktop's output DP-1 as it is, 2560x1440@59.951"


def test_outputs_without_names_cannot_be_told_apart(user: UserIdentity, compositors: dict[str, Compositor]) -> None:
    compositors["wayland-1"] = compositor(outputs=(Output(38, "", MODE),))
    with pytest.raises(DesktopError, match="no names"):
        shown_output(find_session(user, Wanted()), Wanted())


def test_programs_find_what_the_compositor_told_its_children(
    user: UserIdentity, compositors: dict[str, Compositor], monkeypatch: pytest.MonkeyPatch
) -> None:
    compositors["wayland-1"] = compositor()
    monkeypatch.setattr(wayland_session, "_listener", lambda _path: os.getpid())
    with subprocess.Popen(["sleep", "60"], env={"DISPLAY": ":77", "XAUTHORITY": "/a", "OTHER": "x"}) as child:
        try:
            found = find_session(user, Wanted({"DISPLAY": ":1", "WAYLAND_DISPLAY": "wayland-1"}))
        finally:
            child.kill()
    assert found.environment["DISPLAY"] == ":77"
    assert found.environment["XAUTHORITY"] == "/a"
    assert "OTHER" not in found.environment
    found = find_session(user, Wanted({"DISPLAY": ":1", "WAYLAND_DISPLAY": "wayland-1"}))
    assert found.environment["DISPLAY"] == ":1"


def runtime(user: UserIdentity, folder: Path) -> Any:
    (folder / "run").mkdir(exist_ok=True)
    return SimpleNamespace(path=folder / "run" / "abcdef", owner=user)


async def test_sway_gives_an_output_and_takes_it_back(
    folder: Path, user: UserIdentity, sway: FakeSway, compositors: dict[str, Compositor]
) -> None:
    compositors["wayland-1"] = compositor(keymap="xkb_keymap {};")
    desktop = WlrootsDesktop(runtime(user, folder), {"PULSE_SINK": "one"}, Wanted())
    await desktop.start(MODE)
    target = desktop.target
    assert (target.output, target.sway_socket) == ("HEADLESS-1", str(sway.path))
    assert target.keyboard == TargetKeyboard(keymap="xkb_keymap {};")
    assert desktop.environment["PULSE_SINK"] == "one"
    assert await desktop.set_mode(Mode(1920, 1080, 60_000)) == Mode(1920, 1080, 60_000)
    assert sway.outputs["HEADLESS-1"] == (1920, 1080)
    sway.focused = "1"
    await desktop.set_mode(MODE)
    assert sway.focused == "punktfunk", "whoever comes back types into what is streamed"
    waiting = desktop.wait()
    await desktop.stop()
    await desktop.stop()
    assert await waiting in (0, wlroots.LOST)
    assert sway.focused == "1"


async def test_an_output_that_is_shown_keeps_its_mode(
    folder: Path, user: UserIdentity, sway: FakeSway, compositors: dict[str, Compositor]
) -> None:
    compositors["wayland-1"] = compositor()
    desktop = WlrootsDesktop(runtime(user, folder), {}, Wanted(output="HDMI-A-1"))
    await desktop.start(MODE)
    assert (desktop.target.output, desktop.target.sway_socket) == ("HDMI-A-1", "")
    assert await desktop.set_mode(MODE) == OUTPUTS[1].mode
    await desktop.stop()
    assert sway.commands == []


async def test_the_settings_keyboard_goes_before_the_desktops(
    folder: Path, user: UserIdentity, compositors: dict[str, Compositor]
) -> None:
    compositors["wayland-1"] = compositor(keymap="xkb_keymap {};", outputs=OUTPUTS[:1])
    desktop = WlrootsDesktop(runtime(user, folder), {}, Wanted(), keyboard=KeyboardLayout("fr"))
    await desktop.start(MODE)
    assert desktop.target.keyboard == TargetKeyboard("fr")


async def test_a_sway_that_refuses_is_named(
    folder: Path, user: UserIdentity, sway: FakeSway, compositors: dict[str, Compositor]
) -> None:
    sway.can_create = False
    compositors["wayland-1"] = compositor()
    with pytest.raises(DesktopError, match=r"sway makes no output for the session: .*headless backends"):
        await WlrootsDesktop(runtime(user, folder), {}, Wanted()).start(MODE)


def test_the_choice_says_what_there_is_and_goes_on_without(
    folder: Path, user: UserIdentity, sway: FakeSway, compositors: dict[str, Compositor]
) -> None:
    choice = choose_desktop("wlroots", runtime(user, folder), LookSettings(), wanted=Wanted())
    assert choice.kind == "wlroots"
    assert choice.why.startswith("none is there yet, each session looks again: ")
    compositors["wayland-1"] = compositor()
    choice = choose_desktop("wlroots", runtime(user, folder), LookSettings(), wanted=Wanted())
    assert choice.why == "your sway 1.7, with an output of its own for each session"
    assert isinstance(choice.make("s", {}), WlrootsDesktop)


def test_an_automatic_choice_never_takes_a_desktop_of_the_users(
    folder: Path, user: UserIdentity, sway: FakeSway, compositors: dict[str, Compositor]
) -> None:
    compositors["wayland-1"] = compositor()
    wanted = Wanted({"WAYLAND_DISPLAY": "wayland-1"})
    choice = choose_desktop("auto", runtime(user, folder), LookSettings(), wanted=wanted)
    assert choice.kind in ("embedded", "bare")
    assert sway.commands == []


async def test_doctor_says_what_there_is_and_what_is_asked_for(
    folder: Path,
    user: UserIdentity,
    sway: FakeSway,
    compositors: dict[str, Compositor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Context, "desktop_user", lambda _context: user)

    async def said(kind: str) -> tuple[Status, str]:
        settings = Settings(display=DisplaySettings(kind=kind))  # type: ignore[arg-type]
        outcome = await doctor.wlroots(Context(settings, {}, folder / "host.toml"))
        return outcome.status, outcome.message

    assert (await said("wlroots"))[0] is Status.FAIL
    assert (await said("auto"))[0] is Status.SKIP
    compositors["wayland-1"] = compositor()
    status, message = await said("wlroots")
    assert status is Status.OK
    assert message.startswith("your sway 1.7, with an output of its own for each session; keys and mouse by")
    assert "--display wlroots would stream your sway 1.7" in (await said("auto"))[1]


def test_the_first_session_after_a_killed_host_lets_go_of_its_buttons(
    folder: Path, user: UserIdentity, sway: FakeSway, compositors: dict[str, Compositor]
) -> None:
    compositors["wayland-1"] = compositor()
    where = runtime(user, folder)

    def choose() -> list[bool]:
        made = choose_desktop("wlroots", where, LookSettings(), wanted=Wanted()).make
        return [cast(WlrootsDesktop, made(name, {}))._strays for name in ("first", "second")]

    assert choose() == [False, False]
    borrowed = SwayOutputs(str(sway.path), wlroots.output_records(where)).borrow(MODE)
    os.close(borrowed.lock)
    assert choose() == [True, False]
    assert choose() == [False, False]
