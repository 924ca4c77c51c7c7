"""A client's fingers and pen as devices of the kernel: opens, writes and unplugs them."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterable

from punktfunk.input import uinput
from punktfunk.input.events import PenMoved, Touched
from punktfunk.input.gamepads.catalogue import Node
from punktfunk.input.touch_device import Event, Fingers, Pen, pen_tablet, touchscreen

log = logging.getLogger(__name__)


def touch_phys(session: str) -> str:
    """Where a session's touchscreen and tablet hang. Unlike pads they are on the seat of the machine's own desktop."""
    return f"punktfunk-touch/{session}"


class KernelTouch:
    """One session's touchscreen and tablet, plugged in when the first finger or pen comes. Called from one thread."""

    def __init__(self, open_node: Callable[[Node], int], session: str) -> None:
        self._open_node = open_node
        self._phys = touch_phys(session)
        self._fingers, self._pen = Fingers(), Pen()
        self._screen: int | None = None
        self._tablet: int | None = None

    def inject(self, event: Touched | PenMoved) -> None:
        """One event. Raises OSError when there can be no such device."""
        if isinstance(event, Touched):
            if self._screen is None:
                self._screen = self._plug(touchscreen(self._phys))
            self._write(self._screen, self._fingers.change(event))
        else:
            if self._tablet is None:
                self._tablet = self._plug(pen_tablet(self._phys))
            for frame in self._pen.change(event):
                self._write(self._tablet, frame)

    def release_all(self) -> None:
        """Lift every finger and take the pen away. Safe to repeat."""
        if self._screen is not None:
            self._write(self._screen, self._fingers.release_all())
        if self._tablet is not None:
            for frame in self._pen.release_all():
                self._write(self._tablet, frame)

    def close(self) -> None:
        """Unplug both; what is pressed is released by that."""
        for fd in (self._screen, self._tablet):
            if fd is not None:
                uinput.destroy(fd)
                os.close(fd)
        self._screen = self._tablet = None

    def _plug(self, description: uinput.DeviceDescription) -> int:
        fd = self._open_node(Node.UINPUT)
        try:
            uinput.create(fd, description)
        except OSError:
            os.close(fd)
            raise
        return fd

    @staticmethod
    def _write(fd: int, events: Iterable[Event]) -> None:
        events = list(events)
        if not events:
            return
        try:
            os.write(fd, uinput.encode_events(events))
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
