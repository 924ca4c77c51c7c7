"""An app that starts once there is a place for it: windows open where the streamed output and the pointer are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from punktfunk.session.desktops.base import DesktopError, RunningApp

PATIENCE_S = 10.0
"""Until then the app starts all the same: somebody may want it without a picture."""
NOT_STARTED = 1
_POLL_S = 0.02

log = logging.getLogger(__name__)


class LaterApp:
    """Starts an app when the file ``sign`` is there; see RunningApp. One that cannot start ends with `NOT_STARTED`."""

    def __init__(self, sign: Path, launch: Callable[[], Awaitable[RunningApp]]) -> None:
        self._sign = sign
        self._launch = launch
        self._app: asyncio.Task[RunningApp | None] = asyncio.create_task(self._start(), name="app to come")

    async def wait(self) -> int:
        """Its exit status, once it has ended."""
        app = await asyncio.shield(self._app)
        return NOT_STARTED if app is None else await app.wait()

    async def stop(self) -> None:
        """End it, or do not start it."""
        self._app.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            if (app := await self._app) is not None:
                await app.stop()

    async def _start(self) -> RunningApp | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not self._sign.exists():  # noqa: ASYNC110 - it is another process that makes it
                    await asyncio.sleep(_POLL_S)
        try:
            return await self._launch()
        except (DesktopError, OSError) as error:
            log.warning("the app cannot be started: %s", error)
            return None
