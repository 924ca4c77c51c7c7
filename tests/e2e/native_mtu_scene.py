"""A path that narrows under a running stream; run it in a network namespace of its own, as test_native_mtu does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.e2e.host_process import HostProcess, running_host
from tests.e2e.native_tools import paired_identity, pictures, session

from punktfunk.client.session import Session

WIDE_SHARD, NARROW_SHARD = 1408, 1188
NARROW_MTU = 1280
SEAL_BYTES = 64


def datagram_bytes(live: Session, packets: int, wire_bytes: int) -> float:
    """Mean size of the datagrams since then."""
    now = live.statistics
    return (now.wire_bytes - wire_bytes) / (now.packets - packets)


async def scene(host: HostProcess) -> None:
    identity = await paired_identity(host, "Narrow")
    async with session(host, identity) as live:
        await pictures(live, 60)
        assert live.welcome.shard_payload == WIDE_SHARD
        assert datagram_bytes(live, 0, 0) == WIDE_SHARD + SEAL_BYTES
        subprocess.run(["ip", "link", "set", "lo", "mtu", str(NARROW_MTU)], check=True)  # noqa: ASYNC221 - instant
        await asyncio.sleep(2.5)
        before = live.statistics
        await pictures(live, 60)
        assert datagram_bytes(live, before.packets, before.wire_bytes) == NARROW_SHARD + SEAL_BYTES
        assert live.closed is None
    async with session(host, identity) as live:
        await pictures(live, 10)
        assert live.welcome.shard_payload == NARROW_SHARD


def main(folder: Path) -> None:
    """Run it; whatever goes wrong is raised."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with running_host(folder, "--display", "synthetic") as host:
        asyncio.run(scene(host))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
