"""Which desktops' clipboards and pictures the programs for them reach."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from punktfunk.media.plan import Mode
from punktfunk.media.video_source import (
    DisplayTarget,
    HostCompositor,
    OwnCompositor,
    PortalScreen,
    Synthetic,
    X11Display,
)
from punktfunk.session import session as module
from punktfunk.session.desktops.base import NoDesktop
from punktfunk.session.plan import App
from punktfunk.session.session import Session, SessionRequest

MODE = Mode(1280, 720, 60_000)
WAYLAND = {"WAYLAND_DISPLAY": "wayland-1"}
KWIN, MUTTER = (PortalScreen(name, "/f", "unix:path=/bus", "/pipewire-0") for name in ("kwin", "mutter"))


class Desktop(NoDesktop):
    """A desktop with this target and this environment."""

    def __init__(self, target: DisplayTarget, environment: dict[str, str]) -> None:
        super().__init__()
        self._target, self._environment = target, environment

    @property
    def target(self) -> DisplayTarget:
        return self._target

    @property
    def environment(self) -> dict[str, str]:
        return self._environment


class FakeSnapshots:
    def __init__(self, environment: dict[str, str], _user: object) -> None:
        self.environment = environment

    async def take(self, _mode: Mode, output: str) -> bytes:
        return f"of {output or 'all'}".encode()


def session_of(target: DisplayTarget, environment: dict[str, str]) -> Session:
    around: Any = SimpleNamespace(linger_s=0.0, user=None)
    session = Session(SessionRequest("id", "client", "name", "native", App(0, "Desktop"), MODE), around)
    session._desktop = Desktop(target, environment)
    return session


@pytest.mark.parametrize(
    ("target", "environment", "reached"),
    [
        (HostCompositor("/w"), WAYLAND, True),
        (OwnCompositor("/w"), WAYLAND, True),
        (KWIN, WAYLAND, True),
        (MUTTER, WAYLAND, False),
        (X11Display(":0", "", "id"), {"DISPLAY": ":0"}, False),
        (Synthetic(), {}, False),
    ],
)
def test_clipboards_that_are_reached(target: DisplayTarget, environment: dict[str, str], reached: bool) -> None:
    assert (session_of(target, environment).open_clipboard() is not None) is reached


@pytest.mark.parametrize(
    ("target", "environment", "picture"),
    [
        (HostCompositor("/w"), WAYLAND, b"of all"),
        (HostCompositor("/w", output="HEADLESS-2"), WAYLAND, b"of HEADLESS-2"),
        (OwnCompositor("/w"), WAYLAND, b"of all"),
        (KWIN, WAYLAND, None),
        (MUTTER, WAYLAND, None),
        (X11Display(":0", "", "id"), {"DISPLAY": ":0"}, None),
        (Synthetic(), {}, None),
    ],
)
async def test_pictures_that_are_had(
    target: DisplayTarget, environment: dict[str, str], picture: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Snapshots", FakeSnapshots)
    assert await session_of(target, environment).picture() == picture


async def test_without_a_desktop_there_is_neither() -> None:
    session = session_of(Synthetic(), {})
    session._desktop = None
    assert session.open_clipboard() is None
    assert await session.picture() is None
