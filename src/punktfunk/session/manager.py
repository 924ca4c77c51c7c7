"""All sessions of the host: admission within the limits, one session per client, and their second hand."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable

from punktfunk.media.plan import Mode
from punktfunk.session.lifecycle import EndReason, State
from punktfunk.session.plan import App
from punktfunk.session.session import Session, SessionRequest, Surroundings
from punktfunk.session.stream import StreamError

log = logging.getLogger(__name__)


class SessionRefused(StreamError):
    """No place for this client now; the message is for the user."""


class SessionManager:
    """Serves at most ``max_sessions`` clients at a time, one session per client and plane, and keeps ``max_waiting``
    desktops whose clients are away: for one more, the one that has waited longest ends. Runs on the event loop."""

    def __init__(self, around: Surroundings, max_sessions: int, max_waiting: int) -> None:
        self._around = around
        self._max = max_sessions
        self._max_waiting = max_waiting
        self._sessions: dict[str, Session] = {}
        self._closing = False
        self.on_change: Callable[[Session], None] = lambda _session: None

    def change(self, max_sessions: int, max_waiting: int, around: Callable[[Surroundings], Surroundings]) -> None:
        """From now on admit so many, and make the next ones from these surroundings; what runs goes on."""
        self._max = max_sessions
        self._max_waiting = max_waiting
        self._around = around(self._around)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """Every session that has not ended, oldest first."""
        return tuple(self._sessions.values())

    def of_client(self, client_id: str, plane: str) -> Session | None:
        """The client's session on this plane."""
        return next(
            (s for s in self._sessions.values() if s.request.client_id == client_id and s.request.plane == plane), None
        )

    async def launch(
        self, *, client_id: str, client_name: str, plane: str, app: App, mode: Mode, channels: int
    ) -> Session:
        """Admit a client and bring up its desktop and app. Raises SessionRefused, StreamError when it cannot start."""
        if self._closing:
            raise SessionRefused("the host is stopping")
        if self.of_client(client_id, plane) is not None:
            raise SessionRefused("an app is already running for this client")
        self._check_room()
        request = SessionRequest(secrets.token_hex(4), client_id, client_name, plane, app, mode, channels)
        session = Session(request, self._around, on_ended=self._forget, may_stream=self.check_return)
        self._sessions[session.id] = session
        await session.launch()
        self.on_change(session)
        return session

    def check_return(self, session: Session) -> None:
        """Raises SessionRefused when the client of a session that waits comes back and all places are taken."""
        if session.state is State.LINGERING:
            self._check_room()

    async def end(self, session_id: str, reason: EndReason) -> bool:
        """End one session; False when there is none of that id."""
        session = self._sessions.get(session_id)
        if session is None:
            return False
        await session.end(reason)
        return True

    async def end_client(self, client_id: str, reason: EndReason) -> None:
        """End every session of a client, at once (its pairing was removed)."""
        mine = [s for s in self._sessions.values() if s.request.client_id == client_id]
        await asyncio.gather(*(session.end(reason) for session in mine))

    async def run(self) -> None:
        """The second hand; runs until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for session in self.sessions:
                if session.tick(now):
                    await session.end(EndReason.LINGER_EXPIRED)
            await self.make_room()

    async def make_room(self) -> None:
        """End what has waited longest, down to ``max_waiting``."""
        while len(waiting := self._waiting()) > self._max_waiting:
            longest = min(waiting, key=lambda session: session.life.since)
            log.info("more than %d desktops wait for their clients", self._max_waiting)
            await longest.end(EndReason.LINGER_EXPIRED)

    async def shutdown(self) -> None:
        """End every session; none is admitted any more."""
        self._closing = True
        await asyncio.gather(*(session.end(EndReason.SHUTDOWN) for session in self.sessions), return_exceptions=True)

    def _waiting(self) -> list[Session]:
        return [session for session in self._sessions.values() if session.state is State.LINGERING]

    def _check_room(self) -> None:
        if len(self._sessions) - len(self._waiting()) >= self._max:
            raise SessionRefused(f"the host serves {self._max} sessions at a time, and all are taken")

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        self.on_change(session)
