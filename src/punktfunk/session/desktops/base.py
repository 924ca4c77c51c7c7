"""What a session needs of a desktop, whatever it is made of."""

from __future__ import annotations

import asyncio
from typing import Protocol, runtime_checkable

from punktfunk.input.xkb import KeyboardLayout
from punktfunk.media.plan import Mode
from punktfunk.media.video_source import DisplayTarget, Synthetic, TargetKeyboard
from punktfunk.session.plan import App


class DesktopError(Exception):
    """The desktop cannot do what was asked; the message is one sentence for the user."""


def target_keyboard(names: KeyboardLayout, keymap: str = "") -> TargetKeyboard:
    """A layout as workers are told it."""
    return TargetKeyboard(names.layout, names.variant, names.options, keymap)


class RunningApp(Protocol):
    """An app that was launched in a desktop."""

    async def wait(self) -> int:
        """Its exit status, once it has ended."""
        ...

    async def stop(self) -> None:
        """End it with everything it started, and undo its preparations. Safe to repeat."""
        ...


class Desktop(Protocol):
    """A display with its programs, outside of the worker that captures it, so that it outlives worker and client."""

    @property
    def target(self) -> DisplayTarget:
        """What the worker is told to capture."""
        ...

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program in it; valid after ``start``."""
        ...

    async def start(self, mode: Mode) -> None:
        """Bring it up; raises DesktopError and leaves nothing behind."""
        ...

    async def set_mode(self, mode: Mode) -> Mode:
        """Change to a mode; the one that it really runs now. Cheap when nothing changes. Raises DesktopError."""
        ...

    async def launch(self, app: App) -> RunningApp:
        """Run an app inside, after its preparations. Raises DesktopError."""
        ...

    async def wait(self) -> int:
        """The exit status, once the desktop has ended by itself or by `stop`."""
        ...

    async def stop(self) -> None:
        """End it with all of its programs. Safe to repeat."""
        ...


@runtime_checkable
class TakesPictures(Protocol):
    """A desktop that shows itself, where the usual program for it does not reach."""

    async def picture(self, mode: Mode) -> bytes | None:
        """A small PNG of it; None where that cannot be had."""
        ...


class NoDesktop:
    """The desktop of a synthetic display: there is none."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()

    @property
    def target(self) -> DisplayTarget:
        """The test pattern."""
        return Synthetic()

    @property
    def environment(self) -> dict[str, str]:
        """No program runs in it."""
        return {}

    async def start(self, mode: Mode) -> None:
        """Nothing to bring up."""

    async def set_mode(self, mode: Mode) -> Mode:
        """Any mode goes."""
        return mode

    async def launch(self, app: App) -> RunningApp:
        """There is nowhere to run it."""
        raise DesktopError(f"{app.name} needs a desktop, and the test pattern has none")

    async def wait(self) -> int:
        """Until stopped."""
        await self._ended.wait()
        return 0

    async def stop(self) -> None:
        """Nothing to end."""
        self._ended.set()
