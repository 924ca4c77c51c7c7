"""`punktfunk1-host`: the listener that tests of clients use."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.host_process import PROGRAM, free_base_port
from tests.e2e.native_tools import ADDRESS

from punktfunk.client.errors import ConnectionClosedError
from punktfunk.client.identity import new_identity
from punktfunk.client.pairing import pair
from punktfunk.client.session import Options, connect
from punktfunk.wire.punktfunk1.enums import CloseCode
from punktfunk.wire.punktfunk1.verification import verification_frame

pytestmark = pytest.mark.e2e

FRAMES = 90


async def test_one_session_of_some_frames_then_it_ends() -> None:
    options = ("--frames", str(FRAMES), "--max-sessions", "1", "--pairing-pin", "0427")
    async with _listener(*options) as (host, port, log):
        await asyncio.to_thread(_wait_for, log, "PIN: 0427")
        identity = new_identity()
        await pair(ADDRESS, port, "0427", identity)
        async with connect(ADDRESS, identity, Options(bitrate_kbps=5000, decode=False), port=port) as live:
            assert live.welcome.frames == FRAMES
            units = [unit.arrival.unit async for unit in live.frames()]
            closed = await live.wait_closed()
        assert isinstance(closed, ConnectionClosedError)
        assert closed.code == CloseCode.DONE
        assert [unit.frame_index for unit in units] == list(range(FRAMES))
        assert [unit.data for unit in units] == [verification_frame(index) for index in range(FRAMES)]
        assert await asyncio.to_thread(host.wait, 10) == 0


async def test_the_probe_checks_the_frames_and_the_session_has_its_time() -> None:
    async with _listener("--frames", str(FRAMES), "--open") as (_, port, log):
        await asyncio.to_thread(_wait_for, log, "is ready")
        report = await _probe(log.parent, port)
        checks = {check["name"]: check for check in report["checks"]}
        assert checks["test frames"]["passed"], checks
        assert report["ended"]
    async with _listener("--seconds", "1", "--open") as (_, port, log):
        await asyncio.to_thread(_wait_for, log, "is ready")
        report = await _probe(log.parent, port)
        assert "ended on the host" in report["ended"]
        assert report["video"]["seconds"] < 10


@asynccontextmanager
async def _listener(*options: str) -> AsyncIterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """The process, its port and its log."""
    folder, port = Path(tempfile.mkdtemp(prefix="pf-")), free_base_port()
    environment = os.environ | {
        f"PUNKTFUNK_HOST_{name.upper()}": f"{folder}/{name}" for name in ("config_dir", "state_dir", "runtime_dir")
    }
    with (folder / "log").open("wb") as log:
        host = subprocess.Popen(  # noqa: ASYNC220 - fork and exec, no wait
            [*PROGRAM, "punktfunk1-host", "--port", str(port), "--bind", ADDRESS, "--source", "synthetic", *options],
            stdout=log,
            stderr=log,
            env=environment,
        )
    try:
        yield host, port, folder / "log"
    finally:
        host.kill()
        host.wait()
        shutil.rmtree(folder)


async def _probe(folder: Path, port: int) -> Any:
    """The report of this repository's probe, which would watch for 20 s."""
    options = ["--host", f"{ADDRESS}:{port}", "--seconds", "20", "--json", "--client-dir", str(folder / "client")]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "punktfunk.cli.probe", *options, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return json.loads(output)


def _wait_for(file: Path, text: str) -> None:
    deadline = time.monotonic() + 15
    while text not in file.read_text():
        assert time.monotonic() < deadline, file.read_text()
        time.sleep(0.05)
