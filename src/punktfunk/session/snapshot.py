"""A small still picture of a session's desktop, for its owner's overview. The stream is left alone for it."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable, Mapping

from punktfunk.media.plan import Mode
from punktfunk.media.video_source import SourceError
from punktfunk.media.x11.connection import X11Connection
from punktfunk.media.x11.picture import small_picture
from punktfunk.session.command_output import kill, read_all
from punktfunk.session.identity import UserIdentity

WIDTH = 480
KEPT_S = 2.0
"""However many look, a desktop is not copied more often."""
TIMEOUT_S = 5.0
MAX_BYTES = 1 << 20

log = logging.getLogger(__name__)


class Snapshots:
    """Pictures of one desktop. ``environment`` is that of the desktop's programs, ``user`` who they run as (None: the
    host's own)."""

    def __init__(self, environment: Mapping[str, str], user: UserIdentity | None) -> None:
        self.environment = dict(environment)
        self._user = user
        self._one_at_a_time = asyncio.Lock()
        self._picture: bytes | None = None
        self._taken_at = 0.0

    async def take(self, mode: Mode, output: str = "") -> bytes | None:
        """A PNG of about ``WIDTH`` pixels, of one output or, for "", of all; None where the display or a missing grim
        gives none."""
        loop = asyncio.get_running_loop()
        async with self._one_at_a_time:
            if loop.time() - self._taken_at >= KEPT_S:
                self._picture = await self._copy(min(1.0, WIDTH / mode.width), output)
                self._taken_at = loop.time()
            return self._picture

    async def _copy(self, scale: float, output: str) -> bytes | None:
        user = self._user
        of_one = ("-o", output) if output else ()
        try:
            process = await asyncio.create_subprocess_exec(
                *("grim", "-t", "png", "-s", f"{scale:.3f}", *of_one, "-"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=self.environment,
                cwd="/",
                user=None if user is None else user.uid,
                group=None if user is None else user.gid,
                extra_groups=None if user is None else user.groups(),
            )
        except OSError:
            return None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                picture = await read_all(process.stdout, MAX_BYTES)
                return picture if await process.wait() == 0 else None
        except TimeoutError:
            return None
        finally:
            if process.returncode is None:
                await kill(process)


class X11Snapshots(Snapshots):
    """Pictures of an X server; ``open_display`` connects to it and raises SourceError."""

    def __init__(self, open_display: Callable[[], X11Connection]) -> None:
        super().__init__({}, None)
        self._open_display = open_display

    async def _copy(self, _scale: float, _output: str) -> bytes | None:
        try:
            return await asyncio.to_thread(self._look)
        except (SourceError, struct.error) as error:
            log.debug("no picture: %s", error)
            return None

    def _look(self) -> bytes:
        with self._open_display() as x:
            return small_picture(x, WIDTH)
