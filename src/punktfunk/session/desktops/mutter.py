"""The GNOME session that runs already, with a monitor more for the stream. See docs/decisions/0042-mutter.md."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import threading
from pathlib import Path

from punktfunk.input.xkb import KeyboardLayout
from punktfunk.media.plan import Mode
from punktfunk.media.portal.mutter import CLOSED, NOTE, REMOTE_DESKTOP, SCREEN_CAST, Wanted
from punktfunk.media.portal.session_bus import BusError, SessionBus
from punktfunk.media.video_source import PortalScreen
from punktfunk.media.wayland.look import LookError, look
from punktfunk.session.desktops.apps import AppProcess
from punktfunk.session.desktops.base import DesktopError, RunningApp, target_keyboard
from punktfunk.session.desktops.user_session import UserSession
from punktfunk.session.plan import App
from punktfunk.session.runtime_dirs import RuntimeDir

_LOST = 1
_DYING_S = 0.5
"""How long a killed process may take to die."""

log = logging.getLogger(__name__)


class MutterDesktop:
    """A virtual monitor in the user's GNOME session. See Desktop.

    The monitor is the worker's: mutter takes it away with the connection that made it, whatever ends the worker. What
    lives here is the watch over mutter, and the programs that were launched for the client.
    """

    def __init__(
        self,
        runtime: RuntimeDir,
        session: UserSession,
        environment: dict[str, str],
        *,
        keyboard: KeyboardLayout | None = None,
    ) -> None:
        self._runtime = runtime
        self._session = session
        self._session_environment = environment
        self._keyboard = keyboard or KeyboardLayout()
        self._environment: dict[str, str] = {}
        self._keymap = ""
        self._folder: Path | None = None
        self._stopped = threading.Event()
        self._status: asyncio.Future[int] | None = None

    @property
    def target(self) -> PortalScreen:
        """What a worker captures; valid after ``start``."""
        assert self._folder is not None
        return PortalScreen(
            "mutter",
            str(self._folder),
            self._session.bus_address,
            self._session.pipewire_socket,
            target_keyboard(self._keyboard, self._keymap),
        )

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program in the session; valid after ``start``."""
        return dict(self._environment)

    async def start(self, mode: Mode) -> None:
        """Look whether GNOME is there and can do it. Raises DesktopError."""
        try:
            bus = await asyncio.to_thread(self._look)
        except BusError as error:
            raise DesktopError(str(error)) from error
        self._folder = self._runtime.subdir(f"d{secrets.token_hex(3)}")
        loop = asyncio.get_running_loop()
        status = self._status = loop.create_future()

        note = self._folder / NOTE
        result = _LOST

        def ended(path: str) -> bool:
            nonlocal result
            if self._ended_by_hand(note, path):
                log.info("somebody at the machine ended the sharing of the screen")
                result = 0
            return result == 0

        def watch() -> None:
            try:
                bus.wait_until_unowned(SCREEN_CAST, self._stopped, CLOSED, ended)
            except BusError as error:
                log.warning("GNOME cannot be watched: %s", error)
            finally:
                bus.close()
            if not self._stopped.is_set():
                loop.call_soon_threadsafe(_resolve, status, result)

        threading.Thread(target=watch, name="gnome watch", daemon=True).start()

    async def set_mode(self, mode: Mode) -> Mode:
        """The monitor takes the mode of the stream that is made of it."""
        return mode

    async def launch(self, app: App) -> RunningApp:
        """Run an app in the session. Raises DesktopError."""
        return await AppProcess.launch(app, self._environment, self._runtime.owner)

    async def wait(self) -> int:
        """Until GNOME is gone, or somebody ends the sharing in GNOME (0), or `stop` (0)."""
        assert self._status is not None
        return await asyncio.shield(self._status)

    async def stop(self) -> None:
        """Forget it: GNOME itself and its programs go on."""
        self._stopped.set()
        if self._status is not None:
            _resolve(self._status, 0)
        folder, self._folder = self._folder, None
        if folder is not None:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _ended_by_hand(self, note: Path, path: str) -> bool:
        """Whether a remote desktop that ended is one that its worker still wants. A worker that was killed wants
        nothing, but is not dead at once: its connections are closed first."""
        wanted = Wanted.read(note)
        if wanted is None or wanted.path != path or self._stopped.wait(_DYING_S):
            return False
        return Wanted.read(note) == wanted and _is_alive(wanted.process)

    def _look(self) -> SessionBus:
        bus = SessionBus(self._session.bus_address)
        try:
            for name in (SCREEN_CAST, REMOTE_DESKTOP):
                if not bus.has_owner(name):
                    raise BusError(f"no GNOME session runs: nobody answers to {name} on {self._session.bus_address}")
            self._environment = {**self._session.program_environment(bus), **self._session_environment}
            if self._keyboard == KeyboardLayout():
                # The settings say nothing of it.
                self._keymap = self._read_keymap()
        except BaseException:
            bus.close()
            raise
        return bus

    def _read_keymap(self) -> str:
        """The session's own; "" in an X11 session, or where it tells none."""
        display = self._environment.get("WAYLAND_DISPLAY", "")
        path = os.path.join(self._environment.get("XDG_RUNTIME_DIR", ""), display)
        try:
            return look(path).keymap if display else ""
        except LookError as error:
            log.info("keys are those of a US keyboard: %s", error)
            return ""


def mutter_obstacle(session: UserSession) -> str:
    """Why there can be no such desktop, as far as that can be said without asking anybody; "" when it may work."""
    if not session.bus_address:
        return f"{session.user.name} has no session bus; is somebody logged in?"
    if not session.pipewire_socket:
        return f"no PipeWire of {session.user.name} runs, through which GNOME shows its screens"
    return ""


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _resolve(future: asyncio.Future[int], status: int) -> None:
    if not future.done():
        future.set_result(status)
