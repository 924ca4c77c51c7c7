"""`punktfunk1-host`: the listener that tests of clients use."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from tests.e2e.host_process import PROGRAM, free_base_port
from tests.e2e.native_tools import ADDRESS

from punktfunk.client.errors import ConnectionClosedError
from punktfunk.client.identity import new_identity
from punktfunk.client.pairing import pair
from punktfunk.client.session import Options, connect
from punktfunk.wire.punktfunk1.enums import CloseCode

pytestmark = pytest.mark.e2e

FRAMES = 90


async def test_one_session_of_some_frames_then_it_ends() -> None:
    folder, port = Path(tempfile.mkdtemp(prefix="pf-")), free_base_port()
    environment = os.environ | {
        f"PUNKTFUNK_HOST_{name.upper()}": f"{folder}/{name}" for name in ("config_dir", "state_dir", "runtime_dir")
    }
    options = ["--source", "synthetic", "--frames", str(FRAMES), "--max-sessions", "1", "--pairing-pin", "0427"]
    with (folder / "log").open("wb") as log:
        host = subprocess.Popen(  # noqa: ASYNC220 - fork and exec, no wait
            [*PROGRAM, "punktfunk1-host", "--port", str(port), "--bind", ADDRESS, *options],
            stdout=log,
            stderr=log,
            env=environment,
        )
    try:
        await asyncio.to_thread(_wait_for, folder / "log", "PIN: 0427")
        identity = new_identity()
        await pair(ADDRESS, port, "0427", identity)
        async with connect(ADDRESS, identity, Options(bitrate_kbps=5000, decode=False), port=port) as live:
            assert live.welcome.frames == FRAMES
            units = [unit async for unit in live.frames()]
            closed = await live.wait_closed()
        assert isinstance(closed, ConnectionClosedError)
        assert closed.code == CloseCode.DONE
        assert [unit.arrival.unit.frame_index for unit in units] == list(range(FRAMES))
        assert await asyncio.to_thread(host.wait, 10) == 0
    finally:
        host.kill()
        host.wait()
        shutil.rmtree(folder)


def _wait_for(file: Path, text: str) -> None:
    deadline = time.monotonic() + 15
    while text not in file.read_text():
        assert time.monotonic() < deadline, file.read_text()
        time.sleep(0.05)
