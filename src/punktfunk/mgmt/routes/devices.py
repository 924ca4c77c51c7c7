"""Paired devices of both kinds: list, rename, rights, end of access, remove."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Response
from pydantic import Field

from punktfunk.mgmt.access import Rule
from punktfunk.mgmt.context import Context
from punktfunk.mgmt.errors import ApiError, not_found
from punktfunk.mgmt.guarded import API, Routes
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.models import Answer, Body, DeviceName, Fingerprint, GrantBits, LifetimeSeconds
from punktfunk.trust.devices import Grants, PairedDevice, Plane
from punktfunk.trust.errors import TrustError

routes = Routes("devices")


class Device(Answer):
    """A paired device. ``grants`` are bits (punktfunk1.md §3.6); ``expires_unix`` 0 means never."""

    name: str
    fingerprint: str
    plane: Plane
    grants: int
    expires_unix: int
    added_unix: int
    enabled: bool
    admitted: bool
    streaming: bool


class DeviceChange(Body):
    """What is left out stays. ``expires_in_secs`` counts from now; ``clear_expiry`` makes access permanent."""

    name: DeviceName | None = None
    grants: GrantBits | None = None
    expires_in_secs: LifetimeSeconds | None = None
    clear_expiry: bool = False
    enabled: bool | None = None


class MoonlightClient(Answer):
    """A Moonlight client in the form of punktfunk1.md §10.2."""

    fingerprint: str
    subject: str


class NativeClient(Answer):
    """A punktfunk/1 client in the form of punktfunk1.md §10.2 and §10.3."""

    name: str
    fingerprint: str
    grants: int
    expires_unix: int = Field(description="0: never")


@routes.get(f"{API}/devices", Rule.READ)
async def list_devices(m: Context) -> list[Device]:
    """All paired devices."""
    streaming = {s.device_id for s in m.host.sessions.all() if s.streaming}
    return [_device(m, device, device.fingerprint in streaming) for device in m.store.devices()]


@routes.patch(f"{API}/devices/{{fingerprint}}", Rule.PAIR, errors=(404, 409))
async def change_device(m: Context, fingerprint: Fingerprint, body: DeviceChange) -> Device:
    """Rename a device, change its rights, or keep it out for a while."""
    _change(m, _find(m, fingerprint), body)
    changed = _find(m, fingerprint)
    return _device(m, changed, any(s.device_id == changed.fingerprint and s.streaming for s in m.host.sessions.all()))


@routes.delete(f"{API}/devices/{{fingerprint}}", Rule.PAIR, status_code=204, errors=(404, 409))
async def remove_device(m: Context, fingerprint: Fingerprint) -> Response:
    """Unpair a device; its sessions end at once."""
    return _remove(m, _find(m, fingerprint))


@routes.get(f"{API}/clients", Rule.READ)
async def moonlight_clients(m: Context) -> list[MoonlightClient]:
    """Paired Moonlight clients."""
    return [MoonlightClient(fingerprint=d.fingerprint, subject=d.name) for d in _of(m, Plane.GAMESTREAM)]


@routes.delete(f"{API}/clients/{{fingerprint}}", Rule.PAIR, status_code=204, errors=(404, 409))
async def remove_moonlight_client(m: Context, fingerprint: Fingerprint) -> Response:
    """Unpair a Moonlight client."""
    return _remove(m, _find(m, fingerprint, Plane.GAMESTREAM))


@routes.get(f"{API}/native/clients", Rule.READ)
async def native_clients(m: Context) -> list[NativeClient]:
    """Paired punktfunk/1 clients."""
    return [NativeClient.model_validate(d) for d in _of(m, Plane.NATIVE)]


@routes.patch(f"{API}/native/clients/{{fingerprint}}", Rule.PAIR, errors=(404, 409))
async def change_native_client(m: Context, fingerprint: Fingerprint, body: DeviceChange) -> NativeClient:
    """Change a punktfunk/1 client's rights."""
    _change(m, _find(m, fingerprint, Plane.NATIVE), body)
    return NativeClient.model_validate(_find(m, fingerprint, Plane.NATIVE))


@routes.delete(f"{API}/native/clients/{{fingerprint}}", Rule.PAIR, status_code=204, errors=(404, 409))
async def remove_native_client(m: Context, fingerprint: Fingerprint) -> Response:
    """Unpair a punktfunk/1 client."""
    return _remove(m, _find(m, fingerprint, Plane.NATIVE))


def _of(m: Management, plane: Plane) -> list[PairedDevice]:
    return [device for device in m.store.devices() if device.plane is plane]


def _find(m: Management, fingerprint: str, plane: Plane | None = None) -> PairedDevice:
    wanted = fingerprint.lower()
    for device in m.store.devices():
        if device.fingerprint == wanted and plane in (None, device.plane):
            return device
    raise not_found("paired device with this fingerprint")


def _change(m: Management, device: PairedDevice, body: DeviceChange) -> None:
    if body.clear_expiry and body.expires_in_secs is not None:
        raise ApiError(422, "clear_expiry: give either this or expires_in_secs")
    expires = device.expires_unix
    if body.expires_in_secs is not None:
        expires = int(m.wall_clock()) + body.expires_in_secs
    elif body.clear_expiry:
        expires = 0
    grants = device.grants if body.grants is None else Grants(body.grants)
    with _told():
        if body.name is not None:
            m.store.rename(device.fingerprint, body.name)
        if (grants, expires) != (device.grants, device.expires_unix):
            m.store.set_grants(device.fingerprint, grants, expires)
        if body.enabled is not None and body.enabled != device.enabled:
            m.store.set_enabled(device.fingerprint, body.enabled)


def _remove(m: Management, device: PairedDevice) -> Response:
    with _told():
        m.store.remove(device.fingerprint)
    return Response(status_code=204)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except TrustError as error:
        raise ApiError(409, str(error)) from error


def _device(m: Management, device: PairedDevice, streaming: bool) -> Device:
    return Device(
        name=device.name,
        fingerprint=device.fingerprint,
        plane=device.plane,
        grants=int(device.grants),
        expires_unix=device.expires_unix,
        added_unix=device.added_unix,
        enabled=device.enabled,
        admitted=device.admitted(m.wall_clock()),
        streaming=streaming,
    )
