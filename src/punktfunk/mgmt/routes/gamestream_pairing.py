"""Moonlight clients show a PIN; it is entered here (punktfunk1.md §10.2, ``/pair``)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Response
from pydantic import Field

from punktfunk.mgmt.access import Rule
from punktfunk.mgmt.context import Context
from punktfunk.mgmt.errors import ApiError, unavailable
from punktfunk.mgmt.guarded import API, Routes
from punktfunk.mgmt.host_view import PinEntry, Refused
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.models import Answer, Body, DeviceName

routes = Routes("pairing")


class Waiting(Answer):
    """A client that shows a PIN."""

    id: int
    name: str
    address: str
    fingerprint: str
    waited_s: float


class PinState(Answer):
    """Whether somebody waits, and who."""

    pin_pending: bool
    waiting: list[Waiting]


class Pin(Body):
    """``attempt`` chooses among several that wait; ``name`` is what the device will be called."""

    pin: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    attempt: Annotated[int, Field(ge=0, le=2**53)] | None = None
    name: DeviceName | None = None


@routes.get(f"{API}/pair", Rule.READ)
async def pin_state(m: Context) -> PinState:
    """The Moonlight clients that wait for their PIN."""
    waiting = m.host.pin_entry.waiting() if m.host.pin_entry else ()
    return PinState(pin_pending=bool(waiting), waiting=[Waiting.model_validate(a) for a in waiting])


@routes.post(f"{API}/pair/pin", Rule.PAIR, status_code=204, errors=(409, 503))
async def submit_pin(m: Context, body: Pin) -> Response:
    """Enter the PIN that a client shows; if it is right, the client is paired a moment later."""
    try:
        _entry(m).submit(body.pin, body.attempt, body.name or "")
    except Refused as error:
        raise ApiError(409, str(error)) from error
    return Response(status_code=204)


def _entry(m: Management) -> PinEntry:
    if m.host.pin_entry is None:
        raise unavailable("Moonlight clients are not let in; start the host with --gamestream")
    return m.host.pin_entry
