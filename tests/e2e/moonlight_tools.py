"""Pairing the conformance client with a real host, as a person would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.conformance.moonlight.client import MoonlightClient
from tests.conformance.moonlight.identity import Identity
from tests.e2e.host_process import HostProcess


async def wait_for_attempt(host: HostProcess) -> None:
    """Until the host lists a client that waits for a PIN."""
    for _ in range(100):
        listed = await asyncio.to_thread(host.json, "pair", "--list")
        if listed["attempts"]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the host does not list the client's attempt")


async def pair(host: HostProcess, client: MoonlightClient, pin: str = "4711", typed: str | None = None) -> None:
    """Pair; ``typed`` is what the person types instead of the PIN that the client shows."""
    pairing = asyncio.create_task(client.pair(pin))
    await wait_for_attempt(host)
    await asyncio.to_thread(host.command, "pair", typed or pin)
    await pairing


@asynccontextmanager
async def paired_client(host: HostProcess, name: str = "client") -> AsyncIterator[MoonlightClient]:
    """A paired client; the same name is the same installation."""
    identity = Identity.load_or_create(Path(host.folder, name))
    async with MoonlightClient("127.0.0.1", host.base_port, identity=identity) as client:
        await client.serverinfo()
        await pair(host, client)
        yield client


async def desktop_id(client: MoonlightClient) -> int:
    """The id of the app that every host has."""
    return next(app.id for app in await client.app_list() if app.title == "Desktop")
