"""What the doctor says about an X11 desktop that runs already."""

from __future__ import annotations

import pytest

from punktfunk.host.doctor import Context, Status
from punktfunk.host.doctor import x11 as module
from punktfunk.host.doctor.machine import judge_injector
from punktfunk.host.doctor.software import desktop, keyboard_layout
from punktfunk.host.doctor.stream import keyboard, tone
from punktfunk.host.doctor.x11 import x11
from punktfunk.host.settings import DisplaySettings, Settings
from punktfunk.session.identity import UserIdentity


@pytest.fixture(autouse=True)
def someone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Context, "desktop_user", lambda _context: UserIdentity("someone", 1, 1, "/nowhere", ""))


def context_with(kind: str, environment: dict[str, str] | None = None, display: str = "") -> Context:
    return Context(Settings(display=DisplaySettings(kind=kind, x11_display=display)), environment or {}, None)


def obstacle_is(monkeypatch: pytest.MonkeyPatch, obstacle: str) -> None:
    monkeypatch.setattr(module, "examine", lambda _place: obstacle)


async def test_who_does_not_ask_is_told_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    obstacle_is(monkeypatch, "")
    outcome = await x11(context_with("auto", {"DISPLAY": ":3"}))
    assert (outcome.status, outcome.message) == (Status.SKIP, "not asked for; --display x11 would stream :3")
    obstacle_is(monkeypatch, ":3 is Xwayland")
    assert (await x11(context_with("auto", {"DISPLAY": ":3"}))).message == "not asked for; :3 is Xwayland"
    assert (await x11(context_with("auto"))).status is Status.SKIP


async def test_what_stands_in_the_way_is_told_with_a_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = await x11(context_with("x11"))
    assert outcome.status is Status.FAIL
    assert "display.x11_display" in outcome.fix
    obstacle_is(monkeypatch, "no X server answers for :3")
    outcome = await x11(context_with("x11", display=":3"))
    assert (outcome.status, outcome.message) == (Status.FAIL, "no X server answers for :3")
    assert "XAUTHORITY" in outcome.fix


async def test_what_can_be_streamed_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    obstacle_is(monkeypatch, "")
    monkeypatch.setattr(module, "_describe", lambda place: f"{place.display} can be streamed")
    outcome = await x11(context_with("x11", {"DISPLAY": ":3"}, ":4"))
    assert (outcome.status, outcome.message) == (Status.OK, ":4 can be streamed")


async def test_nothing_is_done_to_a_desktop_that_somebody_uses() -> None:
    context = context_with("x11", {"DISPLAY": ":3"})
    for check in (desktop, keyboard_layout, keyboard, tone):
        assert (await check(context)).status is Status.SKIP
    assert "XTEST" in judge_injector(context, "").message
