"""KDE: an output that KWin makes for the stream. Keys and mouse take another way (`displays/kwin/seat.py`)."""

from __future__ import annotations

import socket
from collections.abc import Callable

from punktfunk.media.displays.kwin.screencast import VirtualOutput
from punktfunk.media.plan import Mode
from punktfunk.media.portal.back import BackError, Cursor, Shown
from punktfunk.media.wayland.wire import WaylandError

_CONNECT_TIMEOUT_S = 2.0


class KwinBack:
    """One output of the name ``output`` in the desktop behind ``wayland_display``; ``made`` is called for each. See
    PortalBack."""

    def __init__(self, wayland_display: str, output: str, pipewire_socket: str, made: Callable[[], None]) -> None:
        self._tell_made = made
        self._wayland_display, self._output, self._pipewire_socket = wayland_display, output, pipewire_socket
        self._made: VirtualOutput | None = None

    def start(self, mode: Mode, cursor: Cursor) -> Shown:
        """Have the output made, in the place of one of another size. The pointer is always part of the picture: what
        the library asks for changes only to have it ask again. Raises BackError."""
        self.stop()
        try:
            self._made = VirtualOutput(self._wayland_display, self._output, mode.width, mode.height)
        except WaylandError as error:
            raise BackError(str(error)) from error
        self._tell_made()
        return Shown(self._made.node)

    def open_pipewire(self) -> int:
        """A connection as it is: the output has one size. Raises BackError."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(_CONNECT_TIMEOUT_S)
        try:
            sock.connect(self._pipewire_socket)
        except OSError as error:
            sock.close()
            raise BackError(f"PipeWire cannot be reached at {self._pipewire_socket}: {error}") from error
        sock.setblocking(True)
        return sock.detach()

    def connect_eis(self) -> int | None:
        """None: input does not come this way."""
        return None

    def notify_key(self, code: int, pressed: bool) -> None:
        """Nobody types this way."""

    def notify_keysym(self, keysym: int, pressed: bool) -> None:
        """Nobody types this way."""

    def notify_motion(self, dx: float, dy: float) -> None:
        """Nobody points this way."""

    def notify_position(self, x: float, y: float) -> None:
        """Nobody points this way."""

    def notify_button(self, code: int, pressed: bool) -> None:
        """Nobody clicks this way."""

    def notify_axis(self, dx: float, dy: float, *, finished: bool) -> None:
        """Nobody scrolls this way."""

    def notify_steps(self, axis: int, steps: int) -> None:
        """Nobody scrolls this way."""

    def shown(self, mode: Mode) -> None:
        """Nothing is left to do."""

    def stop(self) -> None:
        """Have the output taken away; KWin does so too when the connection ends in another way."""
        made, self._made = self._made, None
        if made is not None:
            made.close()


class NoTypist:
    """Where text does not come this way either. See Typist."""

    def tap(self, keysym: int) -> None:
        """Nobody types this way."""

    def close(self) -> None:
        """It took nothing."""
