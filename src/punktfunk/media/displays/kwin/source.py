"""Video of an output that KWin makes for the stream, with a seat through KWin's fake input."""

from __future__ import annotations

import contextlib
from pathlib import Path

from punktfunk.media.displays.kwin.held import HeldMemory
from punktfunk.media.displays.kwin.seat import KwinSeat
from punktfunk.media.displays.portal_source import PortalSource
from punktfunk.media.frames import FrameHandler
from punktfunk.media.plan import VideoPlan
from punktfunk.media.portal.kwin import KwinBack, NoTypist
from punktfunk.media.video_source import PortalScreen, SourceError, SourceInfo, SourceLost
from punktfunk.media.wayland.wire import WaylandError


class KwinSource:
    """Captures an output of its own; see VideoSource."""

    def __init__(self, target: PortalScreen) -> None:
        self._sign = entered_sign(target.folder)
        back = KwinBack(target.wayland_display, target.output, target.pipewire_socket, self._enter)
        self._screen = PortalSource(target, back, NoTypist())
        try:
            # KWin calls the output of a stream by its name with this before it.
            names = (f"Virtual-{target.output}", target.output)
            self._seat = KwinSeat.open(target.wayland_display, names, HeldMemory(held_memory(target.folder)))
        except (OSError, WaylandError) as error:
            raise SourceError(f"KWin takes no input: {error}") from error

    @property
    def seat(self) -> KwinSeat:
        """Keyboard, mouse and touch of the desktop."""
        return self._seat

    def start(self, plan: VideoPlan, on_frame: FrameHandler) -> SourceInfo:
        """Begin, with a keyframe. Raises SourceError, SourceLost when KWin shows nothing."""
        return self._settle(self._screen.start(plan, on_frame))

    def request_keyframe(self) -> None:
        """Make one of the next frames an IDR."""
        self._screen.request_keyframe()

    def invalidate(self, first_source_id: int, last_source_id: int) -> bool:
        """Predict from none of these frames; see VideoSource."""
        return self._screen.invalidate(first_source_id, last_source_id)

    def set_bitrate(self, kbps: int) -> None:
        """Change the target bitrate."""
        self._screen.set_bitrate(kbps)

    def reconfigure(self, plan: VideoPlan) -> SourceInfo:
        """Change mode or encoding; another size is another output in the place of the old one."""
        width, height = self._seat.size()
        if (plan.mode.width, plan.mode.height) == (width, height):
            return self._settle(self._screen.reconfigure(plan))
        return self._settle(self._screen.renew(plan))

    def stop(self) -> None:
        """End the capture, and take the output away."""
        self._screen.stop()
        self._seat.close()

    def _settle(self, info: SourceInfo) -> SourceInfo:
        self._seat.resized(info.mode.width, info.mode.height)
        return info

    def _enter(self) -> None:
        # On the portal's thread: whoever does something next is told.
        with contextlib.suppress(OSError, SourceLost):
            self._seat.enter()
            self._sign.touch()


def entered_sign(folder: str) -> Path:
    """A file that is there once the pointer is in the output."""
    return Path(folder, "entered")


def held_memory(folder: str) -> Path:
    """Where what is held down is noted for whoever comes after a seat that was killed."""
    return Path(folder, "held")
