"""punktfunk clients for the end-to-end tests: pairing through the real command line, sessions, what is awaited."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from tests.e2e.host_process import HostProcess

from punktfunk.client.connection import Event
from punktfunk.client.errors import ConnectionClosedError
from punktfunk.client.identity import ClientIdentity, new_identity
from punktfunk.client.pairing import pair
from punktfunk.client.session import Options, Session, connect
from punktfunk.wire.punktfunk1.enums import CloseCode

ADDRESS = "127.0.0.1"
PAIR_SPACING_S = 2.1
"""The host takes one pairing attempt every two seconds."""

E = TypeVar("E")


async def command(host: HostProcess, *arguments: str) -> str:
    """Run a command of the host's without blocking the client's loop; what it printed."""
    return (await asyncio.to_thread(host.command, *arguments)).stdout


async def arm(host: HostProcess) -> str:
    """A fresh PIN."""
    answer = await asyncio.to_thread(host.json, "pair", "--native")
    return str(answer["pin"])


async def paired_identity(host: HostProcess, name: str = "Deck") -> ClientIdentity:
    """A client that has paired by PIN."""
    identity = new_identity()
    deadline = time.monotonic() + 20
    while True:
        try:
            await pair(ADDRESS, host.native_port, await arm(host), identity, name=name)
            return identity
        except ConnectionClosedError as error:
            if error.code != CloseCode.RATE_LIMITED or time.monotonic() > deadline:
                raise
            await asyncio.sleep(PAIR_SPACING_S)


@contextlib.asynccontextmanager
async def session(
    host: HostProcess, identity: ClientIdentity, options: Options | None = None, *, quit_host: bool = True
) -> AsyncIterator[Session]:
    """A session; without ``quit_host`` it ends like a lost connection that says goodbye, and the desktop stays."""
    async with connect(ADDRESS, identity, options or Options(bitrate_kbps=10_000), port=host.native_port) as live:
        yield live
        if not quit_host:
            await live.close(CloseCode.DONE)


async def pictures(live: Session, count: int, limit_s: float = 15.0) -> None:
    """Wait for so many decoded pictures."""
    async with asyncio.timeout(limit_s):
        async for _ in live.pictures():
            count -= 1
            if count <= 0:
                return
    raise AssertionError(f"the session ended: {live.closed}")


async def event(live: Session, kind: type[E], limit_s: float = 5.0) -> E:
    """The next event of a kind; others are dropped."""
    async with asyncio.timeout(limit_s):
        async for found in live.events():
            if isinstance(found, kind):
                return found
    raise AssertionError(f"the session ended: {live.closed}")


async def refusal(host: HostProcess, identity: ClientIdentity, options: Options | None = None) -> ConnectionClosedError:
    """What the host says to a client that it does not take."""
    try:
        async with session(host, identity, options):
            raise AssertionError("the host let it in")
    except ConnectionClosedError as error:
        return error


async def eventually(condition: Callable[[], bool], limit_s: float = 5.0) -> None:
    """Wait until a function is true."""
    deadline = time.monotonic() + limit_s
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def workers(host: HostProcess) -> list[int]:
    """Process ids of the punktfunk/1 workers, a spare one among them."""
    found = []
    for pid in host.descendants():
        with contextlib.suppress(OSError):
            if b"punktfunk.native.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


__all__ = [
    "ADDRESS",
    "Event",
    "arm",
    "command",
    "event",
    "eventually",
    "paired_identity",
    "pictures",
    "refusal",
    "session",
    "workers",
]
