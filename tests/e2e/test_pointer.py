"""Mouse, wheels, fingers and pen in the embedded desktop, as a game that locks the pointer and a plain window do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pixelflux")
pytest.importorskip("pywayland")

from tests.e2e.desktop_tools import read
from tests.e2e.embedded_tools import Embedded, embedded, needs_sway

from punktfunk.input.events import (
    ButtonChanged,
    ContactPhase,
    InputEvent,
    PenMoved,
    PenTool,
    PointerMoved,
    PointerPlaced,
    Scrolled,
    Touched,
)
from punktfunk.media.plan import Mode

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.e2e, needs_sway]

MODE = Mode(640, 360, 30_000)
PATIENCE_S = 10.0
LEFT, RIGHT = 0x110, 0x111
WHEEL, VERTICAL, HORIZONTAL = 0, 0, 1
DOWN, MOVE, UP = ContactPhase.DOWN, ContactPhase.MOVE, ContactPhase.UP


class Window:
    """What a window in the desktop says of its input."""

    def __init__(self, desktop: Embedded, file: Path) -> None:
        self._desktop = desktop
        self._file = file
        self._seen = 0

    def said(self) -> list[list[Any]]:
        return [json.loads(line) for line in read(self._file).splitlines()]

    async def says(self, *wanted: object) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while list(wanted) not in self.said():
            assert time.monotonic() < deadline, f"no {wanted} in {self.said()}"
            await asyncio.sleep(0.05)

    async def after(self, *events: InputEvent, pause_s: float = 0.02) -> list[list[Any]]:
        """What it says to these events, once it is quiet again."""
        before = len(self.said())
        for event in events:
            self._desktop.injector.inject(event)
            await asyncio.sleep(pause_s)
        quiet, known = time.monotonic(), before
        while time.monotonic() - quiet < 0.4:
            if len(self.said()) != known:
                quiet, known = time.monotonic(), len(self.said())
            await asyncio.sleep(0.05)
        return self.said()[before:]


@pytest.fixture(scope="module")
def patch() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@contextlib.asynccontextmanager
async def window(desktop: Embedded, *options: str) -> AsyncIterator[Window]:
    file = desktop.folder / f"window-{'-'.join(options)}"
    environment = {**os.environ, "WAYLAND_DISPLAY": desktop.target.wayland_display}
    with file.open("wb") as out:
        command = (sys.executable, "-m", "tests.wayland_client", *options)
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=out, stderr=out)
    try:
        found = Window(desktop, file)
        await found.says("size", MODE.width, MODE.height)
        await asyncio.sleep(0.3)
        desktop.injector.inject(PointerPlaced(0.5, 0.5))
        yield found
    finally:
        process.kill()
        await process.wait()


def only(kind: str, said: list[list[Any]]) -> list[list[Any]]:
    return [each[1:] for each in said if each[0] == kind]


async def test_pointer_wheels_and_fingers(patch: pytest.MonkeyPatch) -> None:
    async with embedded("sleep 1000", MODE, patch) as desktop:
        async with window(desktop, "lock") as game:
            await game.says("locked")
            await game.after()
            steps = [(5, 0), (0, -7), (100, 50), (-300, 3), (1, 1)]
            said = await game.after(*(PointerMoved(*step) for step in steps))
            assert only("relative", said) == [[float(x), float(y)] for x, y in steps]
            # The pointer itself stays: the game has it.
            assert only("pointer", said) == []
        async with window(desktop) as shown:
            await shown.says("pointer", 320.0, 180.0)
            await mouse(shown)
            await wheels(shown)
            await fingers(shown)
            await pen(shown)


async def mouse(shown: Window) -> None:
    said = await shown.after(PointerPlaced(0.25, 0.5), PointerMoved(10, -20), ButtonChanged(LEFT, True))
    assert only("pointer", said) == [[160.0, 180.0], [170.0, 160.0]]
    said = await shown.after(ButtonChanged(LEFT, False), ButtonChanged(RIGHT, True), ButtonChanged(RIGHT, False))
    assert only("button", said) == [[LEFT, 0], [RIGHT, 1], [RIGHT, 0]]


async def wheels(shown: Window) -> None:
    """Ten units are a notch, on both axes; parts of a notch arrive as parts."""
    said = await shown.after(Scrolled(vertical=120), Scrolled(horizontal=-240), Scrolled(vertical=-15))
    assert only("axis", said) == [[VERTICAL, -10.0], [HORIZONTAL, -20.0], [VERTICAL, 1.25]]
    assert only("axis_source", said) == [[WHEEL]] * 3
    assert only("axis_discrete", said) == [[VERTICAL, -1], [HORIZONTAL, -2]]


async def fingers(shown: Window) -> None:
    said = await shown.after(Touched(DOWN, 1, 0.75, 0.25), Touched(UP, 1))
    assert only("pointer", said) == [[480.0, 90.0]]
    assert only("button", said) == [[LEFT, 1], [LEFT, 0]]
    said = await shown.after(Touched(DOWN, 1, 0.5, 0.5), Touched(UP, 1), pause_s=0.6)
    assert only("button", said) == [[RIGHT, 1], [RIGHT, 0]]
    said = await shown.after(Touched(DOWN, 1, 0.25, 0.5), Touched(MOVE, 1, 0.5, 0.5), Touched(UP, 1))
    assert [each for each in said if each[0] in ("button", "pointer")] == [
        *(["pointer", 160.0, 180.0], ["button", LEFT, 1], ["pointer", 320.0, 180.0], ["button", LEFT, 0])
    ]
    two = [
        Touched(DOWN, 1, 0.5, 0.5),
        Touched(DOWN, 2, 0.6, 0.5),
        Touched(MOVE, 1, 0.5, 0.75),
        Touched(MOVE, 2, 0.6, 0.75),
    ]
    said = await shown.after(*two, Touched(UP, 1), Touched(UP, 2))
    assert only("button", said) == []
    assert sum(value for axis, value in only("axis", said) if axis == VERTICAL) == pytest.approx(-30.0, abs=0.1)


async def pen(shown: Window) -> None:
    tool = PenTool.PEN
    said = await shown.after(
        PenMoved(ContactPhase.HOVER, tool, 0.25, 0.25),
        PenMoved(DOWN, tool, 0.25, 0.25, 0.8),
        PenMoved(MOVE, tool, 0.5, 0.25, 0.8),
        PenMoved(UP, tool, 0.5, 0.25),
    )
    assert only("button", said) == [[LEFT, 1], [LEFT, 0]]
    assert only("pointer", said)[-1] == [320.0, 90.0]
