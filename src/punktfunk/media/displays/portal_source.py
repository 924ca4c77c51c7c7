"""Video of a desktop that is captured through a portal: the capture library, with our own portal before it."""

from __future__ import annotations

import os
from collections.abc import Callable

from punktfunk.media.displays.pixelflux_source import PixelfluxSource
from punktfunk.media.displays.portal_seat import PortalSeat
from punktfunk.media.frames import FrameHandler
from punktfunk.media.plan import VideoPlan
from punktfunk.media.portal.back import PortalBack, Typist
from punktfunk.media.portal.bare_display import BareDisplay
from punktfunk.media.portal.bus import BusConversation
from punktfunk.media.portal.front import PORTAL_NAME, PortalFront
from punktfunk.media.portal.local_server import Connection, LocalServer
from punktfunk.media.video_source import HostCompositor, PortalScreen, SourceError, SourceInfo, SourceLost


class PortalSource:
    """Captures what ``back`` shows. See VideoSource.

    The library finds the portal where DBUS_SESSION_BUS_ADDRESS says, which the supervisor has set to a place of this
    worker's own, so that a process has one such source at a time.
    """

    def __init__(self, target: PortalScreen, back: PortalBack, typist: Typist) -> None:
        self._bus_path = _own_bus()
        self._display_path = display_path = os.path.join(target.folder, f"display-{os.getpid()}")
        self._back = back
        self._inner = PixelfluxSource(HostCompositor(display_path, keyboard=target.keyboard))
        self._seat = PortalSeat(self._inner.seat, typist)
        self._server: LocalServer | None = None
        self._display: BareDisplay | None = None
        self._front: PortalFront | None = None

    @property
    def seat(self) -> PortalSeat:
        """Keyboard and mouse of the desktop."""
        return self._seat

    def start(self, plan: VideoPlan, on_frame: FrameHandler) -> SourceInfo:
        """Begin, with a keyframe. Raises SourceError, SourceLost when the desktop shows nothing."""
        front = self._front = PortalFront(self._back, plan.mode)
        display = self._display = BareDisplay(plan.mode)
        server = self._server = LocalServer("portal")

        def client(connection: Connection) -> BusConversation:
            return BusConversation(connection, PORTAL_NAME, front)

        try:
            server.listen(self._bus_path, client)
            server.listen(self._display_path, display.connect)
        except OSError as error:
            raise SourceError(f"the desktop's capture cannot be prepared: {error}") from error
        server.start()
        info = self._with_reason(lambda: self._inner.start(plan, on_frame))
        self._seat.emulated = front.emulated
        # Windows open where the pointer is.
        self.seat.move_to(info.mode.width / 2, info.mode.height / 2)
        return info

    def request_keyframe(self) -> None:
        """Make one of the next frames an IDR."""
        self._inner.request_keyframe()

    def invalidate(self, first_source_id: int, last_source_id: int) -> bool:
        """Predict from none of these frames; see VideoSource."""
        return self._inner.invalidate(first_source_id, last_source_id)

    def set_bitrate(self, kbps: int) -> None:
        """Change the target bitrate."""
        self._inner.set_bitrate(kbps)

    def reconfigure(self, plan: VideoPlan) -> SourceInfo:
        """Change mode or encoding in place: the monitor stays the same one."""
        assert self._display is not None
        assert self._front is not None
        # The library takes a size that the display denies for refused.
        self._front.mode = plan.mode
        self._display.set_mode(plan.mode)
        return self._with_reason(lambda: self._inner.reconfigure(plan))

    def renew(self, plan: VideoPlan) -> SourceInfo:
        """The same with another screen in the place of the old one, for desktops whose screens keep their size."""
        self._inner.capture_cursor = not self._inner.capture_cursor
        return self.reconfigure(plan)

    def stop(self) -> None:
        """End the capture, and take the screen away."""
        self._inner.stop()
        self._seat.close()
        server, self._server = self._server, None
        if server is not None:
            server.close()
        if self._front is not None:
            self._front.close()

    def _with_reason(self, begin: Callable[[], SourceInfo]) -> SourceInfo:
        """What the desktop said explains more than that no picture came."""
        assert self._front is not None
        try:
            info = begin()
        except SourceLost as error:
            raise SourceLost(self._front.problem or str(error)) from error
        self._back.shown(info.mode)
        return info


def _own_bus() -> str:
    address = os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    path = address.removeprefix("unix:path=")
    if path == address or not os.path.basename(path).startswith("portal-"):
        raise SourceError(f"this process was started for another kind of display: its bus is {address!r}")
    return path
