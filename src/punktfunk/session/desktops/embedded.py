"""The embedded desktop: a headless sway of the session's own, with panel, terminal and wallpaper.

Why sway, and why outside of the worker: docs/decisions/0001-embedded-desktop.md.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from pathlib import Path

from punktfunk.input.xkb import KeyboardLayout
from punktfunk.media.displays.sway_ipc import SwayControl, SwayError
from punktfunk.media.plan import Mode
from punktfunk.media.video_source import HostCompositor
from punktfunk.session.desktops.apps import AppProcess
from punktfunk.session.desktops.base import DesktopError, RunningApp, target_keyboard
from punktfunk.session.desktops.look import LookSettings, Programs, write_look
from punktfunk.session.identity import UserIdentity
from punktfunk.session.plan import App
from punktfunk.session.processes import ProcessTree, SpawnError
from punktfunk.session.runtime_dirs import RuntimeDir

START_TIMEOUT_S = 6.0
_POLL_S = 0.005
_STOP_GRACE_S = 1.0
_TAKEN_FROM_SWAY = ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS")


class SwayDesktop:
    """One sway with everything in it. See Desktop."""

    def __init__(
        self,
        runtime: RuntimeDir,
        environment: dict[str, str],
        look: LookSettings,
        *,
        keyboard: KeyboardLayout | None = None,
    ) -> None:
        self._runtime = runtime
        self._user: UserIdentity = runtime.owner
        self._session_environment = environment
        self._look = look
        self._keyboard = keyboard or KeyboardLayout()
        self._folder: Path | None = None
        self._tree: ProcessTree | None = None
        self._environment: dict[str, str] = {}
        self._target: HostCompositor | None = None

    @property
    def target(self) -> HostCompositor:
        """What a worker captures; valid after ``start``."""
        assert self._target is not None
        return self._target

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program in this desktop; valid after ``start``."""
        return dict(self._environment)

    async def start(self, mode: Mode) -> None:
        """Start sway and wait until it takes windows. Raises DesktopError."""
        folder = self._folder = self._runtime.subdir(f"d{secrets.token_hex(3)}")
        try:
            config = await asyncio.to_thread(write_look, folder, mode, self._look, Programs.installed(), self._keyboard)
            environment = self._sway_environment(folder)
            self._tree = await ProcessTree.spawn(
                [*_session_bus(), "sway", "--config", str(config)],
                name="sway",
                env=environment,
                cwd=self._user.home,
                user=self._user,
            )
            announced = await asyncio.wait_for(self._announced(folder / "environment"), START_TIMEOUT_S)
        except TimeoutError:
            await self.stop()
            raise DesktopError(f"sway did not come up within {START_TIMEOUT_S:g} s; see the debug log") from None
        except (SpawnError, OSError, DesktopError) as error:
            await self.stop()
            raise DesktopError(f"the desktop cannot be started: {error}") from error
        self._environment = {**environment, **announced}
        display = folder / announced["WAYLAND_DISPLAY"]
        keyboard = target_keyboard(self._keyboard)
        self._target = HostCompositor(str(display), environment["SWAYSOCK"], keyboard=keyboard)

    async def set_mode(self, mode: Mode) -> Mode:
        """Change the mode while nothing captures it; a capture does so by itself. Raises DesktopError."""
        control = SwayControl(self.target.sway_socket)
        try:
            await asyncio.to_thread(control.set_mode, mode)
        except SwayError as error:
            raise DesktopError(str(error)) from error
        return mode

    async def launch(self, app: App) -> RunningApp:
        """Run an app inside. Raises DesktopError."""
        return await AppProcess.launch(app, self._environment, self._user)

    async def wait(self) -> int:
        """Wait for sway to end: 0 when its user ended it."""
        assert self._tree is not None
        return await self._tree.wait()

    async def stop(self) -> None:
        """End sway with all that it started, and remove its files."""
        if self._tree is not None:
            await self._tree.stop(_STOP_GRACE_S)
        folder, self._folder = self._folder, None
        if folder is not None:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _sway_environment(self, folder: Path) -> dict[str, str]:
        return {
            **self._user.environment(str(folder)),
            **self._session_environment,
            "SWAYSOCK": str(folder / "sway.sock"),
            "WLR_BACKENDS": "headless",
            "WLR_LIBINPUT_NO_DEVICES": "1",
            "WLR_HEADLESS_OUTPUTS": "1",
            "WLR_RENDERER": "pixman",
            "XDG_CURRENT_DESKTOP": "sway",
            "XDG_SESSION_TYPE": "wayland",
            "MOZ_ENABLE_WAYLAND": "1",
        }

    async def _announced(self, path: Path) -> dict[str, str]:
        """What sway tells its programs; it runs them once it takes windows."""
        tree = self._tree
        assert tree is not None
        while True:
            found = _read_environment(path)
            if "WAYLAND_DISPLAY" in found:
                return found
            if tree.returncode is not None:
                raise DesktopError(f"sway ended with status {tree.returncode}; see the debug log")
            await asyncio.sleep(_POLL_S)


def _read_environment(path: Path) -> dict[str, str]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    if not data.endswith(b"\0"):
        return {}
    pairs = (item.decode(errors="replace").partition("=") for item in data.split(b"\0"))
    return {name: value for name, _, value in pairs if name in _TAKEN_FROM_SWAY}


def _session_bus() -> list[str]:
    return ["dbus-run-session", "--"] if shutil.which("dbus-run-session") else []
