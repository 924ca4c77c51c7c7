"""Pairing of punktfunk/1 clients: the host shows a PIN, or the owner lets a knocking device in (punktfunk1.md §3)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Response
from pydantic import Field

from punktfunk.mgmt.access import Rule
from punktfunk.mgmt.context import Context
from punktfunk.mgmt.errors import ApiError, not_found, unavailable
from punktfunk.mgmt.guarded import API, Routes
from punktfunk.mgmt.host_view import ArmedPin, NativePairing, Refused
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.models import Answer, Body, DeviceName, GrantBits, LifetimeSeconds
from punktfunk.trust.devices import Grants, Plane

routes = Routes("pairing")
KnockId = Annotated[int, Path(ge=0, le=2**53)]


class Armed(Answer):
    """The pairing window. ``expires_in_secs`` is null where it stays open until it is used."""

    enabled: bool
    armed: bool
    pin: str | None = None
    expires_in_secs: int | None = None
    fingerprint: str | None = None
    paired_clients: int


class Arm(Body):
    """``fingerprint`` binds the window to one device."""

    ttl_secs: Annotated[int, Field(ge=15, le=600)] = 120
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None


class Knock(Answer):
    """A device that asks to be let in."""

    id: int
    name: str
    fingerprint: str
    address: str
    age_secs: int


class Approval(Body):
    """What the device will be called and may do; everything, for ever, unless told otherwise."""

    name: DeviceName | None = None
    grants: GrantBits = int(Grants.ALL)
    expires_in_secs: LifetimeSeconds | None = None


_DEFAULT_ARM = Arm()
_DEFAULT_APPROVAL = Approval()


@routes.get(f"{API}/native/pair", Rule.PAIR)
async def state(m: Context) -> Armed:
    """The pairing window with its PIN."""
    native = m.host.native_pairing
    return _answer(m, native is not None, native.armed() if native else None)


@routes.post(f"{API}/native/pair/arm", Rule.PAIR, errors=(409, 503))
async def arm(m: Context, body: Arm = _DEFAULT_ARM) -> Armed:
    """Open a window with a new PIN for the next device; an older PIN is void."""
    native = _pairing(m)
    try:
        return _answer(m, True, native.arm(float(body.ttl_secs), (body.fingerprint or "").lower()))
    except Refused as error:
        raise ApiError(409, str(error)) from error


@routes.delete(f"{API}/native/pair", Rule.PAIR, status_code=204, errors=(503,))
async def disarm(m: Context) -> Response:
    """Close the window."""
    _pairing(m).disarm()
    return Response(status_code=204)


@routes.get(f"{API}/native/pending", Rule.READ)
async def pending(m: Context) -> list[Knock]:
    """The devices that knock, oldest first."""
    waiting = m.host.native_pairing.waiting() if m.host.native_pairing else ()
    return [
        Knock(id=k.id, name=k.name, fingerprint=k.fingerprint, address=k.address, age_secs=int(k.age_s))
        for k in waiting
    ]


@routes.post(f"{API}/native/pending/{{knock}}/approve", Rule.PAIR, status_code=204, errors=(404, 409, 503))
async def approve(m: Context, knock: KnockId, body: Approval = _DEFAULT_APPROVAL) -> Response:
    """Pair a device that knocks and let it in."""
    expires = 0 if body.expires_in_secs is None else int(m.wall_clock()) + body.expires_in_secs
    try:
        found = _pairing(m).approve(knock, body.name or "", Grants(body.grants), expires)
    except Refused as error:
        raise ApiError(409, str(error)) from error
    return _done(found)


@routes.post(f"{API}/native/pending/{{knock}}/deny", Rule.PAIR, status_code=204, errors=(404, 503))
async def deny(m: Context, knock: KnockId) -> Response:
    """Turn a device away."""
    return _done(_pairing(m).deny(knock))


def _done(found: bool) -> Response:
    if not found:
        raise not_found("device that waits under this number")
    return Response(status_code=204)


def _pairing(m: Management) -> NativePairing:
    if m.host.native_pairing is None:
        raise unavailable("punktfunk/1 clients are not let in by this host")
    return m.host.native_pairing


def _answer(m: Management, enabled: bool, window: ArmedPin | None) -> Armed:
    return Armed(
        enabled=enabled,
        armed=window is not None,
        pin=window.pin if window else None,
        expires_in_secs=None if window is None or window.expires_in_s is None else max(0, int(window.expires_in_s)),
        fingerprint=window.fingerprint or None if window else None,
        paired_clients=sum(device.plane is Plane.NATIVE for device in m.store.devices()),
    )
