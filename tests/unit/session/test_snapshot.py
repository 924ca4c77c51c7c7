"""Still pictures of a desktop: how often, how large, and what happens where none can be had."""

from __future__ import annotations

import os
import stat

import pytest

from punktfunk.media.plan import Mode
from punktfunk.session import snapshot
from punktfunk.session.snapshot import Snapshots

MODE = Mode(1920, 1080, 60_000)


@pytest.fixture
def grim(tmp_path, monkeypatch):
    """A grim that notes its arguments and draws what it is told; the real one needs a compositor."""

    def install(script: str) -> None:
        program = tmp_path / "grim"
        program.write_text(f'#!/bin/sh\necho "$WAYLAND_DISPLAY $@" >> {tmp_path}/calls\n{script}\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    install.calls = lambda: (tmp_path / "calls").read_text().splitlines()
    return install


def of_a_desktop() -> Snapshots:
    return Snapshots({"WAYLAND_DISPLAY": "wayland-7", "PATH": os.environ["PATH"]}, None)


async def test_a_small_picture_of_this_desktop(grim):
    grim("printf picture")
    assert await of_a_desktop().take(MODE) == b"picture"
    assert grim.calls() == ["wayland-7 -t png -s 0.250 -"]


async def test_many_who_look_cost_one_copy(grim):
    grim("printf picture")
    snapshots = of_a_desktop()
    assert [await snapshots.take(MODE) for _ in range(5)] == [b"picture"] * 5
    assert len(grim.calls()) == 1


@pytest.mark.parametrize("script", ["printf picture; exit 1", "exec head -c 3000000 /dev/zero"])
async def test_what_is_no_picture_is_none(grim, script):
    grim(script)
    assert await of_a_desktop().take(MODE) is None


async def test_a_grim_that_hangs_is_given_up(grim, monkeypatch):
    monkeypatch.setattr(snapshot, "TIMEOUT_S", 0.1)
    grim("exec sleep 60")
    assert await of_a_desktop().take(MODE) is None


async def test_without_grim_there_is_no_picture(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await of_a_desktop().take(MODE) is None


async def test_one_output_of_a_desktop_is_shown_alone(grim):
    grim("printf picture")
    assert await of_a_desktop().take(MODE, "HEADLESS-2") == b"picture"
    assert grim.calls() == ["wayland-7 -t png -s 0.250 -o HEADLESS-2 -"]
