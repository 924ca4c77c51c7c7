"""An X11 desktop that runs already: the person's own, borrowed for as long as it is streamed.

Nothing of it is started or ended here, but for the apps that sessions launch. What streaming changes (the mode of an
output without monitor, locks, spare keycodes) is noted on the X server itself and given back at the end, by the next
host when this one was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from punktfunk.media.plan import Mode
from punktfunk.media.video_source import SourceError, TargetKeyboard, X11Display
from punktfunk.media.x11.connection import X11Connection, X11Error, X11Gone
from punktfunk.media.x11.keyboard import layout_names
from punktfunk.media.x11.loan import borrow, give_back, give_back_keys, read_loan, show_mode, write_loan
from punktfunk.media.x11.randr import RandR
from punktfunk.session.desktops.apps import AppProcess
from punktfunk.session.desktops.base import DesktopError, RunningApp
from punktfunk.session.desktops.lasting import until_ended
from punktfunk.session.identity import UserIdentity
from punktfunk.session.plan import App
from punktfunk.session.processes import host_is_alive, host_mark
from punktfunk.session.runtime_dirs import RuntimeDir
from punktfunk.session.snapshot import X11Snapshots

_NEEDED = ("RANDR", "XTEST", "XKEYBOARD", "MIT-SHM")

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class X11Place:
    """Which X server, and the files that may hold its cookie, the best one first."""

    display: str
    authorities: tuple[str, ...] = ()

    @property
    def authority(self) -> str:
        """The file that is there now, as some are made at each login; "" for none: a server need not want one."""
        return next((path for path in self.authorities if os.path.isfile(path)), "")

    def open(self) -> X11Connection:
        """Raises X11Gone, X11Error."""
        return X11Connection(self.display, self.authority)

    @property
    def environment(self) -> dict[str, str]:
        """For programs that are to reach it."""
        authority = self.authority
        return {"DISPLAY": self.display, **({"XAUTHORITY": authority} if authority else {})}


def find_place(display: str, user: UserIdentity, environment: Mapping[str, str]) -> X11Place:
    """The display of a setting, else the one of the host's environment; its cookie as that user's programs find it.

    Raises DesktopError when neither names one.
    """
    name = display or environment.get("DISPLAY", "")
    if not name:
        raise DesktopError("no X11 desktop is named: DISPLAY is not set, and display.x11_display is empty")
    named = (environment["XAUTHORITY"],) if environment.get("XAUTHORITY") else ()
    return X11Place(name, (*named, f"/run/user/{user.uid}/gdm/Xauthority", f"{user.home}/.Xauthority"))


def worker_environment(place: X11Place, runtime: RuntimeDir) -> dict[str, str]:
    """For workers, which are started ahead, maybe before anybody has logged in: `X11Desktop` keeps the link right."""
    return {"DISPLAY": place.display, "XAUTHORITY": str(_authority_link(runtime))}


def _authority_link(runtime: RuntimeDir) -> Path:
    return runtime.path / "xauthority"


def examine(place: X11Place) -> str:
    """What of this server stands in the way of streaming it; "" when nothing does."""
    try:
        with place.open() as x:
            missing = [name for name in _NEEDED if x.extension(name) is None]
            if missing:
                return f"the X server of {place.display} lacks {' and '.join(missing)}"
            if RandR(x).is_xwayland:
                return f"{place.display} is Xwayland, a guest of a Wayland desktop, and shows nothing of it"
    except SourceError as error:
        return str(error)
    except struct.error:
        return f"what answers for {place.display} is no X server"
    return ""


def recover(place: X11Place) -> None:
    """Give back what a host borrowed that does not live any more. Raises X11Gone, X11Error."""
    with place.open() as x:
        loan = read_loan(x)
        if loan is not None and not host_is_alive(loan.host):
            log.info("%s was left by a host that was killed; giving back what it borrowed", place.display)
            give_back(x, loan)


class SharedX11:
    """What all sessions of this host do with one X server: the first borrows it, the last gives it back.

    The first session's mode is that of the desktop; when it ends, the next one may choose. While another host has
    borrowed the desktop, it keeps its mode.
    """

    def __init__(self, place: X11Place) -> None:
        self.place = place
        self._lock = asyncio.Lock()
        self._host = host_mark(os.getpid())
        self._sessions: list[str] = []
        self._keycodes: tuple[int, ...] = ()

    async def join(self, session_id: str) -> X11Display:
        """A session begins. Raises DesktopError."""
        return await self._ask(lambda: self._join(session_id))

    async def set_mode(self, session_id: str, mode: Mode) -> Mode:
        """The mode that the desktop really has then. Raises DesktopError."""
        return await self._ask(lambda: self._set_mode(session_id, mode))

    async def leave(self, session_id: str) -> None:
        """A session is over; safe to repeat, and when the server has gone."""
        if session_id in self._sessions:
            with contextlib.suppress(DesktopError):
                await self._ask(lambda: self._leave(session_id))

    async def _ask(self, work: Callable[[], T]) -> T:
        """One at a time, beside the event loop."""
        async with self._lock:
            try:
                return await asyncio.to_thread(work)
            except SourceError as error:
                raise DesktopError(str(error)) from error
            except struct.error as error:
                raise DesktopError(f"what answers for {self.place.display} is no X server") from error

    def _join(self, session_id: str) -> X11Display:
        recover(self.place)
        with self.place.open() as x:
            loan = read_loan(x) or borrow(x, self._host, session_id)
            if loan.host == self._host and loan.holder not in (session_id, *self._sessions):
                write_loan(x, loan := msgspec.structs.replace(loan, holder=session_id))
            self._sessions.append(session_id)
            self._keycodes = loan.keycodes
            keyboard = TargetKeyboard(*layout_names(x))
        return X11Display(self.place.display, self.place.authority, session_id, loan.keycodes, keyboard)

    def _set_mode(self, session_id: str, mode: Mode) -> Mode:
        with self.place.open() as x:
            loan = read_loan(x)
            kept = show_mode(x, mode) if loan is not None and loan.holder == session_id else "another client chose it"
            region = RandR(x).region()
            if kept:
                log.info(
                    "the desktop stays at %dx%d instead of %s, because %s", region.width, region.height, mode, kept
                )
            return Mode(region.width, region.height, mode.refresh_mhz)

    def _leave(self, session_id: str) -> None:
        if session_id not in self._sessions:
            return
        self._sessions.remove(session_id)
        with self.place.open() as x:
            noted = read_loan(x)
            if noted is None and not self._sessions:
                # Another host had borrowed the desktop, and has given it back before us.
                give_back_keys(x, self._keycodes)
            if noted is None or noted.host != self._host:
                return
            if not self._sessions:
                give_back(x, noted)
            elif noted.holder == session_id:
                write_loan(x, msgspec.structs.replace(noted, holder=self._sessions[0]))


@functools.cache
def shared_x11(place: X11Place) -> SharedX11:
    """The one for this server: settings that change while sessions run must not make another."""
    return SharedX11(place)


class X11Desktop:
    """One session at a desktop that others may use as well. See Desktop."""

    def __init__(self, shared: SharedX11, session_id: str, runtime: RuntimeDir, environment: dict[str, str]) -> None:
        self._shared = shared
        self._id = session_id
        self._runtime = runtime
        self._user = runtime.owner
        self._session_environment = environment
        self._target: X11Display | None = None
        self._watch: asyncio.Task[None] | None = None
        self._snapshots = X11Snapshots(shared.place.open)
        self._ended = asyncio.Event()

    @property
    def target(self) -> X11Display:
        """What a worker captures; valid after ``start``."""
        assert self._target is not None
        return self._target

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to show its windows there."""
        user = self._user
        runtime = user.runtime_dir or str(self._runtime.path)
        bus = Path(runtime, "bus")
        return {
            **user.environment(runtime),
            **({"DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}"} if bus.is_socket() else {}),
            **self._session_environment,
            **self._shared.place.environment,
            "XDG_SESSION_TYPE": "x11",
        }

    async def start(self, mode: Mode) -> None:
        """Borrow the desktop, and watch it. Raises DesktopError."""
        if obstacle := await asyncio.to_thread(examine, self._shared.place):
            raise DesktopError(obstacle)
        self._target = await self._shared.join(self._id)
        try:
            _point(_authority_link(self._runtime), self._target.authority)
            x = await asyncio.to_thread(self._shared.place.open)
            reader, writer = await asyncio.open_unix_connection(sock=x.take_socket())
        except (X11Gone, X11Error, OSError) as error:
            await self.stop()
            raise DesktopError(str(error)) from error
        self._watch = asyncio.create_task(self._until_gone(reader, writer), name="x11 desktop")

    async def set_mode(self, mode: Mode) -> Mode:
        """The mode where the desktop can have it, else the one that it has. Raises DesktopError."""
        return await self._shared.set_mode(self._id, mode)

    async def picture(self, mode: Mode) -> bytes | None:
        """A small PNG of what is streamed."""
        return await self._snapshots.take(mode)

    async def launch(self, app: App) -> RunningApp:
        """Run an app there. Raises DesktopError."""
        return await AppProcess.launch(app, self.environment, self._user)

    async def wait(self) -> int:
        """Until its X server ends, as when its person logs out, or until stopped."""
        await self._ended.wait()
        return 0

    async def stop(self) -> None:
        """Give the desktop back; its programs and windows stay."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        self._ended.set()
        await self._shared.leave(self._id)

    async def _until_gone(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """This connection also keeps a server from starting over, as some do when their last client leaves."""
        await until_ended(reader, writer)
        log.warning("the X server of %s has ended", self._shared.place.display)
        self._ended.set()


def _point(link: Path, authority: str) -> None:
    fresh = link.with_name(f"{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(authority or "/nonexistent")
    fresh.replace(link)
