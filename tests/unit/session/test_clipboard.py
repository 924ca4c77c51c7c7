"""Reading a desktop's clipboard through its helper program, here one that misbehaves."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from punktfunk.session import clipboard
from punktfunk.session.clipboard import DesktopClipboard

Install = Callable[[str], DesktopClipboard]


@pytest.fixture
def wl_paste(tmp_path: Path) -> Install:
    def install(script: str) -> DesktopClipboard:
        program = tmp_path / "wl-paste"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)
        return DesktopClipboard({"PATH": f"{tmp_path}:{os.environ['PATH']}"}, None)

    return install


@pytest.fixture(autouse=True)
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The program is looked up where the host runs, not in the desktop's environment.
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


async def read(desktop: DesktopClipboard) -> bytes | None:
    async with asyncio.timeout(10):
        return await desktop.read("text/plain")


async def test_the_content(wl_paste: Install) -> None:
    assert await read(wl_paste("printf %s 'words'")) == b"words"


async def test_too_much_is_nothing_and_holds_nobody_up(wl_paste: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clipboard, "MAX_CONTENT_BYTES", 1000)
    assert await read(wl_paste("exec head -c 3000000 /dev/zero")) is None


async def test_an_endless_content_is_given_up(wl_paste: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clipboard, "MAX_CONTENT_BYTES", 1000)
    monkeypatch.setattr(clipboard, "COMMAND_TIMEOUT_S", 0.3)
    assert await read(wl_paste("exec cat /dev/zero")) is None


async def test_a_program_that_fails_has_said_nothing(wl_paste: Install) -> None:
    assert await read(wl_paste("printf words; exit 1")) is None


async def test_whoever_copied_is_heard_out_by_the_watch(wl_paste: Install, tmp_path: Path) -> None:
    """A program that writes its content into a pipe that nobody reads may die of it."""
    told = asyncio.Event()
    status = tmp_path / "status"
    desktop = wl_paste(f'shift; {{ head -c 3000000 /dev/zero; echo $? > {status}; }} | "$@"; exec sleep 60')
    desktop.watch(told.set)
    async with asyncio.timeout(10):
        await told.wait()
        written = await asyncio.to_thread(_when_written, status)
    await desktop.close()
    assert written == "0\n"


def _when_written(path: Path) -> str:
    while not path.exists() or not path.read_text():
        time.sleep(0.01)
    return path.read_text()
