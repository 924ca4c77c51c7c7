"""Video of an X11 desktop through pixelflux, which is told by the environment which one: DISPLAY and XAUTHORITY."""

from __future__ import annotations

import contextlib
import logging
import threading
import time

from punktfunk.media.displays.pixelflux_source import (
    PixelfluxCapture,
    describe,
    encoder_settings,
    has_graphics_card,
)
from punktfunk.media.displays.xtest_seat import XTestSeat
from punktfunk.media.frames import FrameHandler
from punktfunk.media.plan import Mode, VideoPlan
from punktfunk.media.video_source import SourceError, SourceInfo, X11Display
from punktfunk.media.x11.connection import X11Connection
from punktfunk.media.x11.loan import read_loan, show_mode
from punktfunk.media.x11.randr import RandR, Region

_SETTLE_S = 0.1
"""A change of the screen comes as several events."""

log = logging.getLogger(__name__)


class X11Source(PixelfluxCapture):
    """Captures the streamed output of an X server. See VideoSource for the contract of the methods.

    The picture has the size of that output, whatever the plan says; when somebody changes it, pictures follow.
    """

    def __init__(self, target: X11Display) -> None:
        super().__init__()
        self._target = target
        self._x: X11Connection | None = None
        self._watching: X11Connection | None = None
        self._seat: XTestSeat | None = None
        self._plan = VideoPlan(Mode(0, 0, 0))
        self._region = Region(0, 0, 0, 0, True)
        self._changing = threading.RLock()

    @property
    def seat(self) -> XTestSeat:
        """Keyboard and mouse of the desktop; valid after ``start``."""
        assert self._seat is not None
        return self._seat

    def start(self, plan: VideoPlan, on_frame: FrameHandler) -> SourceInfo:
        """Begin, with a keyframe. Raises SourceError, SourceLost when the server is not there."""
        self._x = self._connect()
        info = super().start(plan, on_frame)
        self._seat = XTestSeat(self._x, self._target.spare_keycodes, self._region)
        self._watching = self._connect()
        threading.Thread(target=self._watch, args=(self._watching,), name="x11 screen", daemon=True).start()
        return info

    def stop(self) -> None:
        """End the capture and the seat's connection; mode and keyboard are given back by the desktop's keeper."""
        super().stop()
        if self._x is not None:
            self._x.finish()
        for x in (self._watching, self._x):
            if x is not None:
                x.close()

    def _connect(self) -> X11Connection:
        return X11Connection(self._target.display, self._target.authority)

    def _begin(self, plan: VideoPlan) -> SourceInfo:
        assert self._x is not None
        with self._changing:
            self._plan = plan
            loan = read_loan(self._x)
            if loan is not None and loan.holder == self._target.session:
                # An output that keeps its mode was told about when the session began.
                show_mode(self._x, plan.mode)
            self._capture_region(RandR(self._x).region())
            self._await_keyframe()
            mode = Mode(self._region.width & ~1, self._region.height & ~1, plan.mode.refresh_mhz)
            return describe(self._capture.stream_info() or {}, plan, mode, graphics=has_graphics_card())

    def _capture_region(self, region: Region) -> None:
        self._region = region
        settings = encoder_settings(self._plan)
        settings.use_wayland = False
        settings.capture_x, settings.capture_y = region.x, region.y
        # Encoders halve the colours, so that an odd line is left out.
        settings.capture_width, settings.capture_height = region.width & ~1, region.height & ~1
        # Where the output is the whole screen, the library follows its size by itself.
        settings.auto_adjust_screen_capture_size = region.whole
        self._capture_from(self._plan, settings)
        if self._seat is not None:
            self._seat.resized(region)

    def _watch(self, x: X11Connection) -> None:
        """Follow changes that others make, until the connection ends."""
        with contextlib.suppress(SourceError, OSError):
            randr = RandR(x)
            randr.notify()
            while True:
                event = x.next_event(None)
                if event is None or not randr.tells_change(event):
                    continue
                time.sleep(_SETTLE_S)
                while x.next_event(0.001) is not None:
                    pass
                self._follow(RandR(x).region())

    def _follow(self, region: Region) -> None:
        with self._changing:
            if region == self._region:
                return
            log.info("the screen is %dx%d now", region.width, region.height)
            if region.whole and self._region.whole:
                self._region = region
                if self._seat is not None:
                    self._seat.resized(region)
            else:
                self._capture_region(region)
