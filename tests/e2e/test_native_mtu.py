"""Video datagrams follow the path's MTU."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.host_process import running_host
from tests.e2e.native_mtu_scene import SEAL_BYTES, WIDE_SHARD, datagram_bytes
from tests.e2e.native_tools import paired_identity, pictures, session

pytestmark = pytest.mark.e2e


def own_network_is_possible() -> bool:
    """Whether this user may make a network namespace."""
    if not all(map(shutil.which, ("unshare", "ip"))):
        return False
    return subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not own_network_is_possible(), reason="needs unshare --net and ip")
def test_a_path_that_narrows_under_a_stream(tmp_path: Path) -> None:
    command = ["unshare", "--net", sys.executable, "-m", "tests.e2e.native_mtu_scene", str(tmp_path)]
    scene = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert scene.returncode == 0, scene.stdout[-3000:] + scene.stderr[-3000:]


async def test_jumbo_packets_once_the_path_and_the_client_take_them(tmp_path: Path) -> None:
    with running_host(tmp_path, "--display", "synthetic", "--set", "native.jumbo=true") as host:
        async with session(host, await paired_identity(host, "Jumbo")) as live:
            assert live.welcome.shard_payload == WIDE_SHARD
            await pictures(live, 120)
            before = live.statistics
            await pictures(live, 60)
            assert datagram_bytes(live, before.packets, before.wire_bytes) == 8908 + SEAL_BYTES
            assert live.closed is None
