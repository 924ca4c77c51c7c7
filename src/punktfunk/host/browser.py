"""The browser plane from the settings, and what the management API asks of it."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Sequence

from punktfunk.browser.link_file import FILE_NAME, read_links, write_links
from punktfunk.browser.plane import BrowserPlane
from punktfunk.browser.tickets import PlayRefused, ShareLink, ShareLinks
from punktfunk.browser.websocket import PATH as SOCKET_PATH
from punktfunk.browser.webtransport import PATH as WEBTRANSPORT_PATH
from punktfunk.browser.webtransport import WebTransportServer
from punktfunk.gamestream.serverinfo import CodecSupport
from punktfunk.host.capabilities import VideoFacts
from punktfunk.host.settings import Settings
from punktfunk.media.frames import Codec
from punktfunk.mgmt.host_view import PlayLinkFacts, PlayTicket, Refused
from punktfunk.session.manager import SessionManager
from punktfunk.trust.devices import Grants

log = logging.getLogger(__name__)

_CODECS = {CodecSupport.H264: Codec.H264, CodecSupport.HEVC: Codec.HEVC, CodecSupport.AV1: Codec.AV1}


def make_browser_plane(settings: Settings, video: VideoFacts, sessions: SessionManager) -> BrowserPlane:
    """The plane, not yet started."""
    codecs = frozenset(codec for bit, codec in _CODECS.items() if bit & video.codecs)
    path = settings.host.config_dir / FILE_NAME
    links = ShareLinks(read_links(path), functools.partial(write_links, path))
    return BrowserPlane(sessions, settings.apps, codecs, settings.video.max_bitrate_kbps, links)


async def start_webtransport(
    settings: Settings, plane: BrowserPlane, exits: contextlib.AsyncExitStack
) -> WebTransportServer | None:
    """HTTP/3 on the management port's UDP side; None where it cannot be had, as WebSocket remains."""
    server = WebTransportServer(plane.connected)
    try:
        await server.start(settings.network.bind_address, settings.network.mgmt_port)
    except OSError as error:
        log.warning("pages play over WebSocket only: %s", error)
        return None
    exits.push_async_callback(server.close)
    return server


class PagePlay:
    """Implements ``mgmt.host_view.Play``."""

    def __init__(self, plane: BrowserPlane, webtransport: WebTransportServer | None) -> None:
        self._plane = plane
        self._webtransport = webtransport

    def ticket(self, client_id: str, name: str, app_id: int, still_good: Callable[[], bool]) -> PlayTicket:
        """A ticket with every right."""
        return self._with_addresses(self._plane.ticket(client_id, name, app_id, still_good))

    def ticket_of_link(self, secret: str) -> PlayTicket:
        """A ticket with a link's rights; raises Refused."""
        try:
            return self._with_addresses(self._plane.ticket_of_link(secret))
        except PlayRefused as error:
            raise Refused(str(error)) from error

    def links(self) -> Sequence[PlayLinkFacts]:
        """Every good link."""
        return [_facts(link) for link in self._plane.links.all(time.time())]

    def share(self, name: str, grants: Grants, app_id: int, lifetime_s: float) -> tuple[PlayLinkFacts, str]:
        """A new link and its secret; raises Refused."""
        try:
            link, secret = self._plane.share(name, grants, app_id, lifetime_s)
        except PlayRefused as error:
            raise Refused(str(error)) from error
        return _facts(link), secret

    def unshare(self, link_id: str) -> bool:
        """Take a link back; raises Refused."""
        try:
            return self._plane.unshare(link_id)
        except PlayRefused as error:
            raise Refused(str(error)) from error

    def _with_addresses(self, ticket: str) -> PlayTicket:
        server = self._webtransport
        if server is None:
            return PlayTicket(ticket, SOCKET_PATH, 0, WEBTRANSPORT_PATH, "")
        return PlayTicket(ticket, SOCKET_PATH, server.port, WEBTRANSPORT_PATH, server.certificate_sha256)


def _facts(link: ShareLink) -> PlayLinkFacts:
    return PlayLinkFacts(link.id, link.name, int(link.grants), link.app_id, link.expires_unix - time.time())
