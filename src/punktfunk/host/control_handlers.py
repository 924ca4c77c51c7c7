"""What the local control endpoint does on the running host."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from punktfunk import __version__
from punktfunk.gamestream.pairing import PinError
from punktfunk.host import control_messages as c
from punktfunk.host.control_socket import Handler, RequestRefused
from punktfunk.host.native_handlers import NativeHandlers
from punktfunk.session.lifecycle import EndReason
from punktfunk.trust.devices import Grants, PairedDevice
from punktfunk.trust.errors import TrustError

if TYPE_CHECKING:
    from punktfunk.host.app import Host

ID_CHARACTERS = 8
"""How much of a fingerprint is a device's short id."""


class ControlHandlers:
    """One method per request; each raises RequestRefused with a sentence for the person who asked."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._native = NativeHandlers(host)

    def mapping(self) -> Mapping[type[c.Request], Handler]:
        """Request type → method."""
        return {
            c.GetStatus: self._status,
            c.ListPending: self._pending,
            c.SubmitPin: self._submit_pin,
            c.ListDevices: self._devices,
            c.RenameDevice: self._rename,
            c.RemoveDevice: self._remove,
            c.SetAccess: self._set_access,
            c.ListSessions: self._sessions,
            c.EndSession: self._end_session,
            c.Stop: self._stop,
            **self._native.mapping(),
        }

    async def _status(self, _request: c.Request) -> c.Answer:
        host, plane = self._host, self._host.gamestream
        return c.Status(
            pid=os.getpid(),
            host_version=__version__,
            name=host.settings.host.name,
            uptime_s=time.monotonic() - host.started_at,
            gamestream_port=plane.ports.base if plane else 0,
            native_port=host.settings.network.native_port if host.native else 0,
            devices=len(host.store.devices()),
            sessions=len(host.sessions.sessions),
            pending=len(self._waiting()),
        )

    async def _pending(self, _request: c.Request) -> c.Answer:
        return c.PendingList(attempts=tuple(self._waiting()))

    def _waiting(self) -> list[c.PendingAttempt]:
        plane = self._host.gamestream
        shown = plane.pairing_api.pairing.pending(time.monotonic()) if plane else []
        attempts = [
            c.PendingAttempt(attempt=str(a.attempt), name=a.name, address=a.address, waited_s=a.age_s) for a in shown
        ]
        return [*attempts, *self._native.waiting()]

    async def _submit_pin(self, request: c.Request) -> c.Answer:
        assert isinstance(request, c.SubmitPin)
        plane = self._host.gamestream
        if plane is None:
            raise RequestRefused("Moonlight clients are not let in; start the host with --gamestream")
        attempt = None
        if request.attempt:
            if not request.attempt.isdecimal():
                raise RequestRefused(f"{request.attempt} is no attempt; see: punktfunk-host pair --list")
            attempt = int(request.attempt)
        try:
            plane.pairing_api.pairing.submit_pin(request.pin, time.monotonic(), name=request.name, attempt=attempt)
        except PinError as error:
            raise RequestRefused(str(error)) from error
        return c.Done(message="The PIN went to the client; if it was right, the client is paired now.")

    async def _devices(self, _request: c.Request) -> c.Answer:
        connected = {s.request.client_id for s in self._host.sessions.sessions if s.life.streaming}
        return c.DeviceList(
            devices=tuple(
                c.DeviceInfo(
                    device=d.fingerprint[:ID_CHARACTERS],
                    name=d.name,
                    fingerprint=d.fingerprint,
                    protocol=d.plane.value,
                    paired_unix=d.added_unix,
                    connected=d.fingerprint in connected,
                    grants=int(d.grants),
                    expires_unix=d.expires_unix,
                )
                for d in self._host.store.devices()
            )
        )

    async def _rename(self, request: c.Request) -> c.Answer:
        assert isinstance(request, c.RenameDevice)
        device = self._find(request.device)
        try:
            self._host.store.rename(device.fingerprint, request.name)
        except TrustError as error:
            raise RequestRefused(str(error)) from error
        return c.Done(message=f"{device.name} is called {request.name} now.")

    async def _remove(self, request: c.Request) -> c.Answer:
        assert isinstance(request, c.RemoveDevice)
        device = self._find(request.device)
        try:
            self._host.store.remove(device.fingerprint)
        except TrustError as error:
            raise RequestRefused(str(error)) from error
        return c.Done(message=f"{device.name} is not paired any more; its sessions end now.")

    async def _set_access(self, request: c.Request) -> c.Answer:
        assert isinstance(request, c.SetAccess)
        device = self._find(request.device)
        expires_unix = int(time.time()) + request.for_s if request.for_s else 0
        try:
            self._host.store.set_grants(device.fingerprint, Grants(request.grants), expires_unix)
        except TrustError as error:
            raise RequestRefused(str(error)) from error
        return c.Done(message=f"What {device.name} may do has changed.")

    async def _sessions(self, _request: c.Request) -> c.Answer:
        now = time.time()
        return c.SessionList(
            sessions=tuple(
                c.SessionInfo(
                    session=s.id,
                    device=s.request.client_name,
                    app=s.request.app.name,
                    state=s.state.value,
                    mode=str(s.mode),
                    protocol=s.request.plane,
                    age_s=now - s.started_at,
                )
                for s in self._host.sessions.sessions
            )
        )

    async def _end_session(self, request: c.Request) -> c.Answer:
        assert isinstance(request, c.EndSession)
        matches = [s for s in self._host.sessions.sessions if s.id.startswith(request.session)]
        if len(matches) != 1:
            raise RequestRefused(f"{request.session} names {len(matches)} sessions; see: punktfunk-host sessions list")
        await matches[0].end(EndReason.ENDED_BY_OPERATOR)
        return c.Done(message=f"The session of {matches[0].request.client_name} has ended.")

    async def _stop(self, _request: c.Request) -> c.Answer:
        self._host.stop()
        return c.Done(message="The host is stopping.")

    def _find(self, text: str) -> PairedDevice:
        """The device that an id, a name or the start of a fingerprint means."""
        devices = self._host.store.devices()
        matches = {d.fingerprint: d for d in devices if d.name == text} or {
            d.fingerprint: d for d in devices if len(text) >= 4 and d.fingerprint.startswith(text.lower())
        }
        if len(matches) != 1:
            many = "several devices" if matches else "no device"
            raise RequestRefused(f"{text} means {many}; see: punktfunk-host devices list")
        return next(iter(matches.values()))
