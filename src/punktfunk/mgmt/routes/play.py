"""Playing in the browser: tickets for the player page, and links for somebody else (docs/play-in-browser.md)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Response
from pydantic import Field

from punktfunk.mgmt.access import Lane, Rule
from punktfunk.mgmt.context import Caller, Context
from punktfunk.mgmt.errors import ApiError, not_found
from punktfunk.mgmt.guarded import API, Routes
from punktfunk.mgmt.host_view import Play, PlayLinkFacts, PlayTicket, Refused
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.models import Answer, Body, DeviceName, GrantBits, ShortId
from punktfunk.trust.devices import Grants

routes = Routes("play")
AppId = Annotated[int, Field(ge=0, le=2**32 - 1, description="0 is the first app.")]
Secret = Annotated[str, Field(min_length=1, max_length=64)]


class TicketWish(Body):
    """What to play."""

    app: AppId = 0


class LinkTicketWish(Body):
    """The secret of a share link."""

    secret: Secret


class Ticket(Answer):
    """Opens one connection within seconds. ``webtransport_port`` 0: there is WebSocket only."""

    ticket: str
    socket_path: str
    webtransport_port: int
    webtransport_path: str
    certificate_sha256: str


class NewLink(Body):
    """``grants`` 0: look only."""

    name: DeviceName
    grants: GrantBits
    app: AppId = 0
    expires_in_s: Annotated[int, Field(ge=60, le=30 * 86400)]


class Link(Answer):
    """A share link, without its secret."""

    id: str
    name: str
    grants: int
    app: int
    expires_in_s: float


class CreatedLink(Link):
    """A new one; ``path`` is shown this once."""

    path: str


@routes.post(f"{API}/play/ticket", Rule.OPERATE, errors=(409,))
async def make_ticket(m: Context, caller: Caller, body: TicketWish) -> Ticket:
    """A ticket with every right for the caller's own session in the browser."""
    client = f"{caller.lane.value}:{caller.id}" if caller.lane is not Lane.MACHINE else "machine"
    still_good = lambda: m.gate.still_good(caller, m.wall_clock())  # noqa: E731
    return _ticket(_play(m).ticket(client, f"Browser of {caller.name}", body.app, still_good))


@routes.post(f"{API}/play/link-ticket", Rule.OPEN, errors=(403, 409))
async def make_link_ticket(m: Context, caller: Caller, body: LinkTicketWish) -> Ticket:
    """A ticket with the rights of a share link."""
    if (wait_s := m.throttle.wait_s(caller.address, m.clock())) > 0:
        raise ApiError(429, f"too many attempts; wait {wait_s:.0f} s", retry_after_s=wait_s)
    try:
        return _ticket(_play(m).ticket_of_link(body.secret))
    except Refused as error:
        m.throttle.failed(caller.address, m.clock())
        raise ApiError(403, str(error)) from error


@routes.get(f"{API}/play/links", Rule.READ, errors=(409,))
async def list_links(m: Context) -> list[Link]:
    """Every share link that is good."""
    return [_link(link) for link in _play(m).links()]


@routes.post(f"{API}/play/links", Rule.ADMIN, errors=(409,))
async def make_link(m: Context, body: NewLink) -> CreatedLink:
    """A link that lets somebody else play, with these rights and for this long."""
    try:
        link, secret = _play(m).share(body.name, Grants(body.grants), body.app, body.expires_in_s)
    except Refused as error:
        raise ApiError(409, str(error)) from error
    return CreatedLink(**_link(link).model_dump(), path=f"/play#{secret}")


@routes.delete(f"{API}/play/links/{{link}}", Rule.ADMIN, status_code=204, errors=(404, 409))
async def remove_link(m: Context, link: ShortId) -> Response:
    """Take a share link back; who plays by it is cut off within a second."""
    try:
        found = _play(m).unshare(link)
    except Refused as error:
        raise ApiError(409, str(error)) from error
    if not found:
        raise not_found("such link")
    return Response(status_code=204)


def _play(m: Management) -> Play:
    if m.host.play is None:
        raise ApiError(409, "playing in the browser is switched off")
    return m.host.play


def _ticket(ticket: PlayTicket) -> Ticket:
    return Ticket.model_validate(ticket)


def _link(link: PlayLinkFacts) -> Link:
    return Link.model_validate(link)
