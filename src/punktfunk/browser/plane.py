"""The browser plane: tickets and links, the sessions that pages get, and every page's connection."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from punktfunk.browser import wire as w
from punktfunk.browser.connection import PageConnection
from punktfunk.browser.tickets import Admission, PlayRefused, ShareLink, ShareLinks, Tickets
from punktfunk.browser.transport import PageTransport
from punktfunk.media.frames import Codec
from punktfunk.media.plan import Mode
from punktfunk.session.lifecycle import EndReason
from punktfunk.session.manager import SessionManager, SessionRefused
from punktfunk.session.plan import App
from punktfunk.session.session import Session
from punktfunk.session.stream import StreamError
from punktfunk.trust.devices import Grants

log = logging.getLogger(__name__)

PLANE = "browser"
_LINK = "link:"
_CAUSES = {EndReason.SHUTDOWN: w.Cause.HOST_STOPPING, EndReason.REVOKED: w.Cause.REVOKED}
MAX_CONNECTIONS = 16
MAX_STRANGERS = 8
"""Connections without a ticket; when one more comes, the oldest of them gives way."""


class BrowserPlane:
    """Serves player pages; ``connected`` is called by whatever carries them. Runs on the event loop."""

    def __init__(
        self,
        sessions: SessionManager,
        apps: Sequence[App],
        codecs: frozenset[Codec],
        max_bitrate_kbps: int,
        links: ShareLinks,
    ) -> None:
        self._sessions = sessions
        self.apps = tuple(apps)
        self.codecs = codecs
        self.max_bitrate_kbps = max_bitrate_kbps
        self.tickets = Tickets()
        self.links = links
        self._connections: list[PageConnection] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._guests: dict[str, Session] = {}
        """Sessions by the links that they were opened by: nobody can come back to them once the link is over."""

    def set_apps(self, apps: Sequence[App]) -> None:
        """What can be launched from now on."""
        self.apps = tuple(apps)

    def start(self) -> None:
        """Begin the second hand."""
        self._ticker = asyncio.create_task(self._tick())

    async def close(self) -> None:
        """End every connection; the pages come back when the host does."""
        if self._ticker is not None:
            self._ticker.cancel()
        for connection in tuple(self._connections):
            connection.end("the host is stopping", w.Cause.HOST_STOPPING, again=True)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def connected(self, transport: PageTransport) -> PageConnection | None:
        """A page is there; None when there are too many."""
        strangers = [c for c in self._connections if c.is_stranger]
        if len(strangers) >= MAX_STRANGERS:
            strangers[0].end("too many others are knocking", w.Cause.REFUSED)
        if len(self._connections) >= MAX_CONNECTIONS:
            return None
        connection = PageConnection(transport, self)
        self._connections.append(connection)
        return connection

    def ticket(self, client_id: str, name: str, app_id: int, still_good: Callable[[], bool]) -> str:
        """A ticket with every right, for somebody who is signed in."""
        return self.tickets.issue(Admission(client_id, name, Grants.ALL, app_id, still_good), time.monotonic())

    def share(self, name: str, grants: Grants, app_id: int, lifetime_s: float) -> tuple[ShareLink, str]:
        """A link and its secret. Raises PlayRefused."""
        return self.links.create(name, grants, app_id, lifetime_s, time.time())

    def unshare(self, link_id: str) -> bool:
        """Take a link back; who plays by it is cut off within a second. Raises PlayRefused."""
        return self.links.remove(link_id)

    def ticket_of_link(self, secret: str) -> str:
        """A ticket with the link's rights. Raises PlayRefused."""
        link = self.links.find(secret, time.time())
        if link is None:
            raise PlayRefused("this link is not known, or is over")
        admission = Admission(
            f"{_LINK}{link.id}", link.name, link.grants, link.app_id, lambda: self.links.good(link.id, time.time())
        )
        return self.tickets.issue(admission, time.monotonic())

    def redeem(self, ticket: str) -> Admission:
        """What a ticket opens; raises PlayRefused."""
        admission = self.tickets.redeem(ticket, time.monotonic())
        if admission is None:
            raise PlayRefused("the ticket is used up or too old; reload the page")
        return admission

    async def session_for(self, admission: Admission, app: int, mode: Mode) -> Session:
        """The caller's session, new or old; raises PlayRefused, StreamError."""
        running = self._sessions.of_client(admission.client_id, PLANE)
        if running is not None:
            self._replace_older(running)
            try:
                self._sessions.check_return(running)
            except SessionRefused as error:
                raise PlayRefused(str(error)) from error
            return running
        wanted = admission.app_id or app
        chosen = next((a for a in self.apps if a.id == wanted), self.apps[0] if self.apps and not wanted else None)
        if chosen is None:
            raise PlayRefused("there is no such app")
        try:
            session = await self._sessions.launch(
                client_id=admission.client_id,
                client_name=admission.name,
                plane=PLANE,
                app=chosen,
                mode=mode,
                channels=2,
            )
        except SessionRefused as error:
            raise PlayRefused(str(error)) from error
        session.on_ending = self._session_ending
        if admission.client_id.startswith(_LINK):
            self._guests[admission.client_id.removeprefix(_LINK)] = session
        return session

    def ended(self, connection: PageConnection) -> None:
        """The connection is over."""
        if connection in self._connections:
            self._connections.remove(connection)
        task = asyncio.get_running_loop().create_task(self._wind_up(connection))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def end_session(self, session: Session, reason: EndReason = EndReason.CANCELLED) -> None:
        """End a session with all of its programs: its page wants that, or its link is over."""
        task = asyncio.get_running_loop().create_task(session.end(reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _wind_up(self, connection: PageConnection) -> None:
        try:
            await connection.close()
        except StreamError as error:
            log.warning("a page's stream did not end well: %s", error)

    def _replace_older(self, session: Session) -> None:
        for older in [c for c in self._connections if c.session is session]:
            older.end("this session goes on in another window", w.Cause.TAKEN_OVER)

    def _session_ending(self, session: Session, reason: EndReason) -> None:
        self._guests = {link: guest for link, guest in self._guests.items() if guest is not session}
        for connection in [c for c in self._connections if c.session is session]:
            cause = _CAUSES.get(reason, w.Cause.SESSION_OVER)
            connection.end(f"the session is over: {reason.value}", cause, again=reason is EndReason.SHUTDOWN)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for connection in tuple(self._connections):
                connection.tick(now)
            for link, session in tuple(self._guests.items()):
                if not self.links.good(link, time.time()):
                    self.end_session(session, EndReason.REVOKED)
