"""Outputs for a stream against a stand-in for KWin."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.kwin_stand_in import GLOBALS, SCREENCAST, Manners, StandIn

from punktfunk.media.displays.kwin import screencast
from punktfunk.media.displays.kwin.screencast import EMBEDDED, VirtualOutput
from punktfunk.media.wayland.wire import WaylandError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wayland-0"


def opened(server: StandIn, *, width: int = 1280, height: int = 720) -> VirtualOutput:
    return VirtualOutput(str(server.path), "punktfunk", width, height)


def test_an_output_is_made_and_taken_away(path: Path) -> None:
    server = StandIn(path)
    output = opened(server)
    assert output.node == 77
    assert server.of("virtual_output") == [("virtual_output", "punktfunk", 1280, 720, 1.0, EMBEDDED)]
    output.close()
    output.close()
    server.wait_for("close", "punktfunk")
    server.kill()


def test_it_goes_with_its_connection(path: Path) -> None:
    closed: list[str] = []
    server = StandIn(path, Manners(on_close=closed.append))
    output = opened(server)
    output._connection._socket.close()  # as a kill would
    server.wait_for("gone")
    assert closed == ["punktfunk"]
    server.kill()


def fails(_name: str, _width: int, _height: int) -> int:
    raise RuntimeError("Could not find output")


@pytest.mark.parametrize(
    ("manners", "words"),
    [
        (Manners(offers={name: version for name, version in GLOBALS.items() if name != SCREENCAST}), "does not offer"),
        (Manners(offers=GLOBALS | {SCREENCAST: 1}), "outputs need 2"),
        (Manners(stream=fails), "no output of 1280x720: Could not find output"),
        (Manners(stream=None), "no output within"),
    ],
)
def test_one_that_makes_none(path: Path, manners: Manners, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screencast, "START_TIMEOUT_S", 0.2)
    server = StandIn(path, manners)
    with pytest.raises(WaylandError, match=words):
        opened(server)
    server.wait_for("gone")
    server.kill()


def test_a_newer_interface_is_used_as_the_one_that_is_known(path: Path) -> None:
    server = StandIn(path, Manners(offers=GLOBALS | {SCREENCAST: 9}))
    opened(server).close()
    server.kill()


def test_nobody_there(path: Path) -> None:
    with pytest.raises(WaylandError, match="no compositor listens"):
        VirtualOutput(str(path), "punktfunk", 1280, 720)
