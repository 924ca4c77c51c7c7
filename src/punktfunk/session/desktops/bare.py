"""The fallback without sway: the worker's own compositor, with one program at a time in it and no desktop around it.

Its programs are the worker's guests: they lose their display when the worker ends, and the program that the desktop
consists of is started again on the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from pathlib import Path

from punktfunk.input.xkb import KeyboardLayout
from punktfunk.media.plan import Mode
from punktfunk.media.video_source import OwnCompositor
from punktfunk.session.desktops.apps import AppProcess
from punktfunk.session.desktops.base import RunningApp, target_keyboard
from punktfunk.session.desktops.look import Programs
from punktfunk.session.plan import App
from punktfunk.session.runtime_dirs import RuntimeDir

_POLL_S = 0.02
_RESTART_PAUSE_S = 1.0
_SOCKET = "wayland-0"


class BareDesktop:
    """Programs for a compositor that the worker brings. See Desktop.

    ``command`` (default: a terminal) is the program that is started whenever a worker brings the compositor.
    """

    def __init__(
        self,
        runtime: RuntimeDir,
        environment: dict[str, str],
        command: str = "",
        *,
        keyboard: KeyboardLayout | None = None,
    ) -> None:
        self._runtime = runtime
        self._session_environment = environment
        self._command = command or Programs.installed().terminal
        self._keyboard = keyboard or KeyboardLayout()
        self._folder: Path | None = None
        self._guest: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    @property
    def target(self) -> OwnCompositor:
        """The compositor that the worker is to bring."""
        assert self._folder is not None
        return OwnCompositor(str(self._folder / _SOCKET), target_keyboard(self._keyboard))

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program in this desktop; valid after ``start``."""
        user = self._runtime.owner
        return {
            **user.environment(str(self._folder)),
            **self._session_environment,
            "WAYLAND_DISPLAY": _SOCKET,
            "XDG_SESSION_TYPE": "wayland",
            "MOZ_ENABLE_WAYLAND": "1",
        }

    async def start(self, mode: Mode) -> None:
        """Make room for the worker's compositor; programs start once it is there."""
        self._folder = self._runtime.subdir(f"d{secrets.token_hex(3)}")
        if self._command:
            self._guest = asyncio.create_task(self._keep_guest(), name="bare desktop")

    async def set_mode(self, mode: Mode) -> Mode:
        """The worker's compositor takes the mode of its plan."""
        return mode

    async def launch(self, app: App) -> RunningApp:
        """Run an app once the compositor is there. Raises DesktopError."""
        if app.command:
            await self._compositor()
        return await AppProcess.launch(app, self.environment, self._runtime.owner)

    async def wait(self) -> int:
        """Until stopped: without a worker there is nothing that could end."""
        await self._ended.wait()
        return 0

    async def stop(self) -> None:
        """End the program."""
        guest, self._guest = self._guest, None
        if guest is not None:
            guest.cancel()
            await asyncio.gather(guest, return_exceptions=True)
        self._ended.set()

    async def _compositor(self) -> None:
        while not self._compositor_is_there():  # noqa: ASYNC110 - it is another process that makes the socket
            await asyncio.sleep(_POLL_S)

    def _compositor_is_there(self) -> bool:
        return os.path.exists(self.target.socket_link)

    async def _keep_guest(self) -> None:
        while True:
            await self._compositor()
            guest = await AppProcess.launch(App(0, "desktop", self._command), self.environment, self._runtime.owner)
            try:
                await guest.wait()
            finally:
                with contextlib.suppress(OSError):
                    await guest.stop()
            await asyncio.sleep(_RESTART_PAUSE_S)
