"""The KDE session that runs already, with an output more for the stream. See docs/decisions/0043-kwin.md."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from punktfunk.media.displays.kwin import fake_input, screencast
from punktfunk.media.displays.kwin.held import HeldMemory
from punktfunk.media.displays.kwin.seat import PERMISSION_FIX, KwinSeat
from punktfunk.media.displays.kwin.source import entered_sign, held_memory
from punktfunk.media.plan import Mode
from punktfunk.media.portal.session_bus import BusError, SessionBus
from punktfunk.media.video_source import PortalScreen, SourceLost
from punktfunk.media.wayland.connection import WaylandConnection
from punktfunk.media.wayland.wire import WaylandError
from punktfunk.session.desktops.apps import AppProcess
from punktfunk.session.desktops.base import DesktopError, RunningApp
from punktfunk.session.desktops.later import LaterApp
from punktfunk.session.desktops.user_session import UserSession
from punktfunk.session.plan import App
from punktfunk.session.runtime_dirs import RuntimeDir

OUTPUT = "punktfunk"
NEEDED = {fake_input.INTERFACE: fake_input.KEYS_SINCE, screencast.INTERFACE: screencast.VIRTUAL_SINCE}
MAX_SOCKETS = 16
"""Of a runtime folder that are looked at."""
_LOST = 1
_KWINS_OWN = ("org_kde_plasma_shell", "kde_output_management_v2")
"""What KWin offers to everybody, and other compositors do not have."""

log = logging.getLogger(__name__)


class OutputNames:
    """The names of this host's outputs: the same ones again and again, so that KWin knows their places."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self) -> str:
        """The first that is free."""
        number = 1
        while (name := OUTPUT if number == 1 else f"{OUTPUT}-{number}") in self._taken:
            number += 1
        self._taken.add(name)
        return name

    def give_back(self, name: str) -> None:
        """It is free again."""
        self._taken.discard(name)


class KwinDesktop:
    """An output in the user's KDE session. See Desktop.

    The output is the worker's: KWin takes it away with the connection that made it, whatever ends the worker. What
    lives here is the watch over KWin, and the programs that were launched for the client.
    """

    def __init__(
        self, runtime: RuntimeDir, session: UserSession, environment: dict[str, str], names: OutputNames
    ) -> None:
        self._runtime = runtime
        self._session = session
        self._session_environment = environment
        self._names = names
        self._output = ""
        self._environment: dict[str, str] = {}
        self._display = ""
        self._folder: Path | None = None
        self._watch: WaylandConnection | None = None
        self._status: asyncio.Future[int] | None = None

    @property
    def target(self) -> PortalScreen:
        """What a worker captures; valid after ``start``."""
        assert self._folder is not None
        return PortalScreen(
            "kwin",
            str(self._folder),
            self._session.bus_address,
            self._session.pipewire_socket,
            wayland_display=self._display,
            output=self._output,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program in the session; valid after ``start``."""
        return dict(self._environment)

    async def start(self, mode: Mode) -> None:
        """Look whether KWin is there and lets this program in. Raises DesktopError."""
        try:
            connection = self._watch = await asyncio.to_thread(find_kwin, self._session)
            if missing := missing_interfaces(connection):
                raise DesktopError(f"KWin does not let this program stream it: {missing}; {PERMISSION_FIX}")
            self._environment = await asyncio.to_thread(self._program_environment, connection.path)
        except (DesktopError, BusError) as error:
            await self.stop()
            raise DesktopError(str(error)) from error
        self._display = connection.path
        self._output = self._names.take()
        self._folder = self._runtime.subdir(f"d{secrets.token_hex(3)}")
        loop = asyncio.get_running_loop()
        self._status = loop.create_future()
        loop.add_reader(connection.fileno(), self._heard, connection, self._status)

    async def set_mode(self, mode: Mode) -> Mode:
        """The output takes the mode of the stream that is made of it."""
        return mode

    async def launch(self, app: App) -> RunningApp:
        """Run an app in the session, one with windows as soon as its output is there. Raises DesktopError."""

        async def launch() -> RunningApp:
            return await AppProcess.launch(app, self._environment, self._runtime.owner)

        assert self._folder is not None
        return LaterApp(entered_sign(str(self._folder)), launch) if app.command else await launch()

    async def wait(self) -> int:
        """Until KWin is gone, or `stop`."""
        assert self._status is not None
        return await asyncio.shield(self._status)

    async def stop(self) -> None:
        """Forget it: KWin itself and its programs go on, without what a killed worker held down."""
        watch, self._watch = self._watch, None
        if watch is not None:
            if not watch.lost:
                asyncio.get_running_loop().remove_reader(watch.fileno())
            watch.close()
        if self._status is not None and not self._status.done():
            self._status.set_result(0)
        folder, self._folder = self._folder, None
        if folder is not None:
            self._names.give_back(self._output)
            await asyncio.to_thread(_let_go, self._display, folder)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _heard(self, connection: WaylandConnection, status: asyncio.Future[int]) -> None:
        fd = connection.fileno()
        try:
            connection.pump()
        except WaylandError as error:
            asyncio.get_running_loop().remove_reader(fd)
            log.warning("KWin is gone: %s", error)
            if not status.done():
                status.set_result(_LOST)

    def _program_environment(self, display: str) -> dict[str, str]:
        bus = SessionBus(self._session.bus_address)
        try:
            found = self._session.program_environment(bus)
        finally:
            bus.close()
        return {"XDG_CURRENT_DESKTOP": "KDE", **found, **self._session_environment, "WAYLAND_DISPLAY": display}


def kwin_obstacle(session: UserSession) -> str:
    """Why there can be no such desktop, as far as that can be said without asking anybody; "" when it may work."""
    if not session.user.is_current:
        return f"KWin lets only programs of its own user in; run the host as {session.user.name}"
    if not session.bus_address:
        return f"{session.user.name} has no session bus; is somebody logged in?"
    if not session.pipewire_socket:
        return f"no PipeWire of {session.user.name} runs, through which KWin shows its outputs"
    return ""


def find_kwin(session: UserSession) -> WaylandConnection:
    """A connection to the user's KWin. Blocks for as long as compositors take to answer. Raises DesktopError."""
    problem = "there is no Wayland socket"
    for path in _sockets(session):
        try:
            connection = WaylandConnection(path)
        except WaylandError as error:
            problem = str(error)
            continue
        try:
            connection.roundtrip()
            if any(connection.client.find(interface) for interface in _KWINS_OWN):
                return connection
            problem = f"what listens on {path} is not KWin"
        except WaylandError as error:
            problem = f"{path}: {error}"
        connection.close()
    raise DesktopError(f"no KDE session of {session.user.name} on Wayland was found: {problem}")


def missing_interfaces(connection: WaylandConnection) -> str:
    """What of `NEEDED` is not offered, in words; "" when all is there."""
    missing = []
    for interface, version in NEEDED.items():
        found = connection.client.find(interface)
        if found is None:
            missing.append(f"{interface} is not offered")
        elif found.version < version:
            missing.append(f"{interface} is of version {found.version}, and {version} is needed")
    return ", ".join(missing)


def _sockets(session: UserSession) -> Iterable[str]:
    """The one that the host's own environment names, else all in the user's runtime folder."""
    folder = Path(session.user.runtime_dir or f"/run/user/{session.user.uid}")
    if named := session.variables.get("WAYLAND_DISPLAY"):
        return [str(folder / named)]
    return [str(path) for path in sorted(folder.glob("wayland-*"))[:MAX_SOCKETS] if path.is_socket()]


def _let_go(display: str, folder: Path) -> None:
    """Release what a worker that was killed held, where KWin does not do so."""
    path = held_memory(str(folder))
    if not os.path.exists(path):
        return
    with contextlib.suppress(OSError, WaylandError, SourceLost):
        memory = HeldMemory(path)
        if memory.held():
            KwinSeat.open(display, (), memory).close()
        memory.close()
