"""Who may play: tickets that live for seconds and open one connection, and share links that tickets are made from.

Sans-IO; times are arguments: monotonic ones of tickets, Unix time of links, which outlive the host. Only digests of
secrets are kept.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from punktfunk.trust.devices import Grants

TICKET_LIFETIME_S = 20.0
MAX_TICKETS = 64
MAX_LINKS = 32
MAX_LINK_LIFETIME_S = 30 * 86400
MAX_SECRET_CHARACTERS = 64


class PlayRefused(Exception):
    """No playing for this caller now; the message is for people."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What a ticket opens. ``still_good`` is asked every second: signing out or revoking a link cuts the stream."""

    client_id: str
    name: str
    grants: Grants
    app_id: int = 0
    still_good: Callable[[], bool] = field(default=lambda: True, repr=False)


@dataclass(frozen=True, slots=True)
class ShareLink:
    """A link that somebody else may open. ``app_id`` 0 is the first app."""

    id: str
    name: str
    grants: Grants
    app_id: int
    expires_unix: float
    digest: bytes = field(repr=False)


class Tickets:
    """Single use; above ``MAX_TICKETS`` the oldest gives way."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, tuple[float, Admission]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def issue(self, admission: Admission, now: float) -> str:
        """A ticket's secret."""
        for digest in [d for d, (until, _) in self._waiting.items() if until <= now]:
            del self._waiting[digest]
        while len(self._waiting) >= MAX_TICKETS:
            del self._waiting[next(iter(self._waiting))]
        secret = secrets.token_urlsafe(24)
        self._waiting[_digest(secret)] = (now + TICKET_LIFETIME_S, admission)
        return secret

    def redeem(self, secret: str, now: float) -> Admission | None:
        """What the ticket opens, once; None when it is unknown, used or too old."""
        until, admission = self._waiting.pop(_digest(secret), (0.0, None))
        return admission if admission is not None and now < until and admission.still_good() else None


class ShareLinks:
    """The links that are good. ``keep`` stores them after each change; it raises PlayRefused, and then nothing is
    changed."""

    def __init__(
        self, stored: Iterable[ShareLink] = (), keep: Callable[[Iterable[ShareLink]], None] = lambda _links: None
    ) -> None:
        self._links = {link.digest: link for link in stored}
        self._keep = keep

    def create(self, name: str, grants: Grants, app_id: int, lifetime_s: float, now: float) -> tuple[ShareLink, str]:
        """A new link and its secret. Raises PlayRefused."""
        links = {digest: link for digest, link in self._links.items() if link.expires_unix > now}
        if len(links) >= MAX_LINKS:
            raise PlayRefused(f"there are {MAX_LINKS} links already; remove one first")
        secret = secrets.token_urlsafe(24)
        expires = now + min(lifetime_s, MAX_LINK_LIFETIME_S)
        link = ShareLink(secrets.token_hex(4), name, grants, app_id, expires, _digest(secret))
        self._change(links | {link.digest: link})
        return link, secret

    def all(self, now: float) -> tuple[ShareLink, ...]:
        """Every good link, oldest first."""
        return tuple(link for link in self._links.values() if link.expires_unix > now)

    def find(self, secret: str, now: float) -> ShareLink | None:
        """The link with this secret."""
        link = self._links.get(_digest(secret))
        return link if link is not None and link.expires_unix > now else None

    def good(self, link_id: str, now: float) -> bool:
        """Whether the link was neither removed nor has expired."""
        return any(link.id == link_id for link in self.all(now))

    def remove(self, link_id: str) -> bool:
        """Take a link back; who plays by it is cut off. Raises PlayRefused."""
        left = {digest: link for digest, link in self._links.items() if link.id != link_id}
        found = len(left) < len(self._links)
        if found:
            self._change(left)
        return found

    def _change(self, links: dict[bytes, ShareLink]) -> None:
        self._keep(links.values())
        self._links = links


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret[:MAX_SECRET_CHARACTERS].encode(errors="replace")).digest()
