"""The API in this process, and callers of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from starlette.types import Receive, Scope, Send
from tests.unit.mgmt.fake_host import FakeHost

from punktfunk.host.logs import one_line, redact
from punktfunk.mgmt.access import Scope as Right
from punktfunk.mgmt.account import Account
from punktfunk.mgmt.app import serve_app
from punktfunk.mgmt.assets import Asset
from punktfunk.mgmt.audit import AuditLog
from punktfunk.mgmt.console_sessions import csrf_token
from punktfunk.mgmt.hostname import AllowedHosts
from punktfunk.mgmt.log_ring import LogRing
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.passwords import Passwords
from punktfunk.mgmt.recordings import RecordingFiles
from punktfunk.mgmt.request_facts import CERTIFICATE_KEY
from punktfunk.trust.devices import PairedDevice, Plane
from punktfunk.trust.store import DeviceStore

PASSWORD = "correct horse battery"
MACHINE_TOKEN = "m" * 64
ORIGIN = "https://192.0.2.1:47990"
NATIVE_DEVICE = "ab" * 32
FAST = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
"""The real algorithm with parameters for tests."""


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A fake host behind the real application."""

    def __init__(self, folder: Path, assets: dict[str, Asset] | None = None, hosts: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.host = FakeHost()
        self.clock = Clock()
        self.store = DeviceStore(folder / "config")
        self.store.add(PairedDevice(Plane.NATIVE, "Phone", NATIVE_DEVICE))
        self.management = Management(
            host=self.host,
            store=self.store,
            account=Account(folder / "config", FAST),
            audit=AuditLog(folder / "state"),
            logs=LogRing(lambda text: one_line(redact(text))),
            recordings=RecordingFiles(folder / "state" / "recordings"),
            machine_token=MACHINE_TOKEN,
            clock=self.clock,
            wall_clock=self.clock,
        )
        self.app = serve_app(self.management, AllowedHosts(["fake", *hosts]), assets or {})

    def client(self, *, address: str = "192.0.2.50", certificate: str = "", **options: Any) -> httpx.AsyncClient:
        """A caller without credentials; ``certificate`` is the fingerprint that its TLS connection has proved."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self.app({**scope, CERTIFICATE_KEY: certificate}, receive, send)

        transport = httpx.ASGITransport(app, raise_app_exceptions=True, client=(address, 5000))
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN, **options)

    def local(self) -> httpx.AsyncClient:
        """A program of this machine with the token of the file."""
        return self.client(address="127.0.0.1", headers={"Authorization": f"Bearer {MACHINE_TOKEN}"})

    def device(self) -> httpx.AsyncClient:
        """A paired punktfunk/1 client."""
        return self.client(certificate=NATIVE_DEVICE)

    def token(self, *scopes: Right) -> httpx.AsyncClient:
        """A script with an API token."""
        text, _ = self.management.account.create_token("script", scopes, self.clock(), None)
        return self.client(headers={"Authorization": f"Bearer {text}"})

    def console(self) -> httpx.AsyncClient:
        """A browser that has signed in and does everything right."""
        secret = self.management.account.open_session(self.clock(), "192.0.2.50", "test")
        headers = {"Cookie": f"{self.management.cookie}={secret}", "Origin": ORIGIN}
        return self.client(headers=headers | {"X-CSRF-Token": csrf_token(secret), "Sec-Fetch-Site": "same-origin"})
