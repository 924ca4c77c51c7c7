"""A host of punktfunk/1 alone, for tests of clients: armed from the start, and over after some sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from punktfunk.host.app import Host
from punktfunk.host.settings_load import LoadedSettings
from punktfunk.session.lifecycle import EndReason, State
from punktfunk.session.session import Session


@dataclass(frozen=True, slots=True)
class ListenerOptions:
    """``pin`` "" makes a random one, ``max_sessions`` 0 serves for ever, ``frames`` and ``seconds`` 0 stream on."""

    pin: str = ""
    max_sessions: int = 0
    frames: int = 0
    seconds: int = 0


class NativeListener(Host):
    """``announce`` gets the PIN whenever there is a new one: one is always armed."""

    def __init__(self, loaded: LoadedSettings, options: ListenerOptions, announce: Callable[[str], None]) -> None:
        super().__init__(loaded)
        self.frames = options.frames
        self._options = options
        self._announce = announce
        self._ended: set[str] = set()

    async def _start(self) -> None:
        await super()._start()
        self.sessions.on_change = self._session_changed
        self._in_background(self._keep_armed())

    def _session_changed(self, session: Session) -> None:
        if session.state is State.ENDED:
            self._ended.add(session.id)
        elif self._options.seconds:
            self._in_background(self._end_later(session))
        if 0 < self._options.max_sessions <= len(self._ended):
            self.stop()

    async def _end_later(self, session: Session) -> None:
        await asyncio.sleep(self._options.seconds)
        await session.end(EndReason.ENDED_BY_OPERATOR)

    async def _keep_armed(self) -> None:
        plane = self.native
        assert plane is not None
        while True:
            if plane.window.armed(asyncio.get_running_loop().time()) is None:
                self._announce(plane.arm(None, self._options.pin or None).pin)
            await asyncio.sleep(0.2)
