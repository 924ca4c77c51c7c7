"""GNOME: a virtual monitor of mutter's and its remote desktop, by mutter's own interfaces.

org.gnome.Mutter.ScreenCast and org.gnome.Mutter.RemoteDesktop (their XML is in mutter's sources). These ask nobody, and
know monitors that do not exist yet.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jeepney import DBusAddress

from punktfunk.media.plan import Mode
from punktfunk.media.portal.back import BackError, Cursor, Shown
from punktfunk.media.portal.ei_placer import EiPlacer
from punktfunk.media.portal.mutter_monitors import make_primary, virtual_monitors
from punktfunk.media.portal.pipewire_relay import WishNarrower
from punktfunk.media.portal.relay import Relay
from punktfunk.media.portal.session_bus import BusError, SessionBus

SCREEN_CAST = "org.gnome.Mutter.ScreenCast"
REMOTE_DESKTOP = "org.gnome.Mutter.RemoteDesktop"
CLOSED = (f"{REMOTE_DESKTOP}.Session", "Closed")
"""The signal of a remote desktop that ends, whoever ended it."""
NOTE = "remote-desktop"
"""The file in a session's folder in which the worker notes its remote desktop."""
_CURSOR_MODES = {Cursor.HIDDEN: 0, Cursor.EMBEDDED: 1, Cursor.METADATA: 2}
_AXIS_FINISH = 1
_LEFT_SHIFT = 42
_CONNECT_TIMEOUT_S = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A remote desktop by its path on the bus, and the process that wants it."""

    process: int
    path: str

    def line(self) -> str:
        """For a note."""
        return f"{self.process} {self.path}"

    @classmethod
    def read(cls, note: Path) -> Wanted | None:
        """What is noted; None when nothing is."""
        try:
            process, path = note.read_text().split(" ", 1)
            return cls(int(process), path)
        except (OSError, ValueError):
            return None


class MutterTypist:
    """Types in a remote desktop of its own, because one that has emulated input takes no calls any more. mutter finds
    the key and the modifiers in the layout that is on."""

    def __init__(self, bus_address: str) -> None:
        self._bus_address = bus_address
        self._bus: SessionBus | None = None
        self._remote: DBusAddress | None = None

    def tap(self, keysym: int) -> None:
        """Press and release; the first one opens the remote desktop. Raises BackError."""
        try:
            if self._bus is None or self._remote is None:
                self._bus = SessionBus(self._bus_address)
                self._remote = _open_remote_desktop(self._bus)
                self._bus.call(self._remote, "Start")
            for pressed in (True, False):
                self._bus.call(self._remote, "NotifyKeyboardKeysym", "ub", keysym, pressed)
        except BusError as error:
            self.close()
            raise BackError(str(error)) from error

    def close(self) -> None:
        """Give the remote desktop up."""
        bus, self._bus, self._remote = self._bus, None, None
        if bus is not None:
            bus.close()


class MutterBack:
    """One virtual monitor with keyboard and pointer. See PortalBack.

    Its name on the bus stands in ``note`` while it is wanted, so that whoever hears of its end knows whose wish it was.
    """

    def __init__(self, bus_address: str, pipewire_socket: str, note: Path) -> None:
        self._bus_address, self._pipewire_socket = bus_address, pipewire_socket
        self._note = note
        self._bus: SessionBus | None = None
        self._remote: DBusAddress | None = None
        self._stream = ""
        self._size = (1, 1)
        self._others: frozenset[str] = frozenset()

    def start(self, mode: Mode, cursor: Cursor) -> Shown:
        """Make the monitor; it gets its size when its stream is connected. Raises BackError."""
        self.stop()
        try:
            bus = self._bus = SessionBus(self._bus_address)
            self._others = virtual_monitors(bus)
            return self._start(bus, cursor)
        except BusError as error:
            self.stop()
            raise BackError(f"GNOME makes no virtual monitor: {error}") from error

    def open_pipewire(self) -> int:
        """A connection on which a stream has the size that was asked for. Raises BackError."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(_CONNECT_TIMEOUT_S)
        try:
            sock.connect(self._pipewire_socket)
        except OSError as error:
            sock.close()
            raise BackError(f"PipeWire cannot be reached at {self._pipewire_socket}: {error}") from error
        sock.settimeout(None)
        return Relay(sock, "pipewire relay", WishNarrower().feed).start()

    def connect_eis(self) -> int | None:
        """Emulated input of mutter 45 and later; None before."""
        assert self._bus is not None
        assert self._remote is not None
        try:
            (descriptor,) = self._bus.call(self._remote, "ConnectToEIS", "a{sv}", {})
        except BusError as error:
            log.info("input goes by single calls: %s", error)
            # The first key makes the keyboard, and where there was none before, programs miss that key.
            for pressed in (True, False):
                self.notify_key(_LEFT_SHIFT, pressed)
            return None
        placer = EiPlacer(lambda: self._size)
        return Relay(descriptor.to_socket(), "input relay", placer.up, placer.down).start()

    def notify_key(self, code: int, pressed: bool) -> None:
        """A key by its evdev code."""
        self._notify("KeyboardKeycode", "ub", code, pressed)

    def notify_keysym(self, keysym: int, pressed: bool) -> None:
        """A key by what it types."""
        self._notify("KeyboardKeysym", "ub", keysym, pressed)

    def notify_motion(self, dx: float, dy: float) -> None:
        """Move the pointer."""
        self._notify("PointerMotionRelative", "dd", dx, dy)

    def notify_position(self, x: float, y: float) -> None:
        """Place the pointer on the monitor."""
        self._notify("PointerMotionAbsolute", "sdd", self._stream, x, y)

    def notify_button(self, code: int, pressed: bool) -> None:
        """A mouse button."""
        self._notify("PointerButton", "ib", code, pressed)

    def notify_axis(self, dx: float, dy: float, *, finished: bool) -> None:
        """Smooth scrolling."""
        self._notify("PointerAxis", "ddu", dx, dy, _AXIS_FINISH if finished else 0)

    def notify_steps(self, axis: int, steps: int) -> None:
        """Notches of a wheel."""
        self._notify("PointerAxisDiscrete", "ui", axis, steps)

    def shown(self, mode: Mode) -> None:
        """Have GNOME put its panel, and windows that open, on the monitor: it does so on the main one alone."""
        self._size = mode.width, mode.height
        try:
            with contextlib.closing(SessionBus(self._bus_address)) as bus:
                make_primary(bus, mode, self._others)
        except BusError as error:
            log.warning("the monitor is not GNOME's main one: %s", error)

    def stop(self) -> None:
        """Take the monitor away; mutter does so too when the connection ends in another way."""
        bus, self._bus = self._bus, None
        remote, self._remote = self._remote, None
        if bus is not None:
            self._note.unlink(missing_ok=True)
            if remote is not None:
                with contextlib.suppress(BusError):
                    bus.call(remote, "Stop")
            bus.close()

    def _start(self, bus: SessionBus, cursor: Cursor) -> Shown:
        remote = self._remote = _open_remote_desktop(bus)
        belongs = {"remote-desktop-session-id": ("s", bus.get(remote, "SessionId"))}
        screen_cast = DBusAddress("/org/gnome/Mutter/ScreenCast", SCREEN_CAST, SCREEN_CAST)
        (path,) = bus.call(screen_cast, "CreateSession", "a{sv}", belongs)
        cast = DBusAddress(path, SCREEN_CAST, f"{SCREEN_CAST}.Session")
        (self._stream,) = bus.call(cast, "RecordVirtual", "a{sv}", {"cursor-mode": ("u", _CURSOR_MODES[cursor])})
        stream = DBusAddress(self._stream, SCREEN_CAST, f"{SCREEN_CAST}.Stream")
        with bus.expecting(stream, "PipeWireStreamAdded") as node:
            bus.call(remote, "Start")
            (number,) = node()
        self._note.write_text(Wanted(os.getpid(), remote.object_path).line())
        known = bus.get(stream, "Parameters")
        return Shown(int(number), str(known.get("mapping-id", ("s", ""))[1]))

    def _notify(self, what: str, signature: str, *values: Any) -> None:
        if self._bus is None or self._remote is None:
            return
        try:
            self._bus.call(self._remote, f"Notify{what}", signature, *values)
        except BusError as error:
            raise BackError(str(error)) from error


def _open_remote_desktop(bus: SessionBus) -> DBusAddress:
    where = DBusAddress("/org/gnome/Mutter/RemoteDesktop", REMOTE_DESKTOP, REMOTE_DESKTOP)
    (path,) = bus.call(where, "CreateSession")
    return DBusAddress(path, REMOTE_DESKTOP, f"{REMOTE_DESKTOP}.Session")
