"""What the local control endpoint does for punktfunk clients: the PIN, who waits to be let in, what devices may do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from punktfunk.host import control_messages as c
from punktfunk.host.control_socket import Handler, RequestRefused
from punktfunk.native.approval import Knock
from punktfunk.trust.devices import Grants
from punktfunk.trust.errors import TrustError

if TYPE_CHECKING:
    from punktfunk.host.app import Host
    from punktfunk.native.plane import NativePlane


class NativeHandlers:
    """One method per request; each raises RequestRefused with a sentence for the person who asked."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def mapping(self) -> Mapping[type[c.Request], Handler]:
        """Request type → method."""
        return {
            c.ArmPairing: self._arm,
            c.GetPairing: self._window,
            c.DisarmPairing: self._disarm,
            c.ApproveDevice: self._approve,
            c.DenyDevice: self._deny,
        }

    def waiting(self) -> list[c.PendingAttempt]:
        """The clients that wait to be let in."""
        if self._host.native is None:
            return []
        now = time.monotonic()
        return [
            c.PendingAttempt(
                attempt=str(k.id), name=k.label, address=k.address, waited_s=now - k.since, protocol="native"
            )
            for k in self._host.native.knocks.waiting(now)
        ]

    async def _arm(self, request: c.Request) -> c.Answer:
        assert isinstance(request, c.ArmPairing)
        self._plane().arm(float(request.window_s))
        return await self._window(request)

    async def _window(self, _request: c.Request) -> c.Answer:
        now = time.monotonic()
        window = self._plane().window.armed(now)
        if window is None:
            return c.PairingWindow()
        return c.PairingWindow(pin=window.pin, expires_in_s=(window.expires or now) - now)

    async def _disarm(self, _request: c.Request) -> c.Answer:
        self._plane().window.disarm()
        return c.Done(message="The PIN is void.")

    async def _approve(self, request: c.Request) -> c.Answer:
        assert isinstance(request, c.ApproveDevice)
        knock = self._find(request.attempt)
        expires_unix = int(time.time()) + request.for_s if request.for_s else 0
        try:
            self._plane().approve(knock.id, request.name, Grants(request.grants), expires_unix)
        except TrustError as error:
            raise RequestRefused(str(error)) from error
        return c.Done(message=f"{request.name or knock.label} is paired now.")

    async def _deny(self, request: c.Request) -> c.Answer:
        assert isinstance(request, c.DenyDevice)
        knock = self._find(request.attempt)
        self._plane().deny(knock.id)
        return c.Done(message=f"{knock.label} was turned away.")

    def _plane(self) -> NativePlane:
        if self._host.native is None:
            raise RequestRefused("punktfunk clients are not let in; start the host without --no-native")
        return self._host.native

    def _find(self, attempt: str) -> Knock:
        waiting = self._plane().knocks.waiting(time.monotonic())
        matches = [k for k in waiting if not attempt or attempt == str(k.id)]
        if len(matches) != 1:
            many = f"{len(matches)} devices wait" if matches else "no such device waits"
            raise RequestRefused(f"{many}; see: punktfunk-host pending")
        return matches[0]
