"""How long a frame and an input take in punktfunk/1 on loopback, and how fast a speed test is there.

    python -m tests.bench.native_latency [--seconds 8] [--no-desktop]

A real host and the real client library, each in processes of its own, on one machine and so by one clock.

* frame: from the picture to the whole, repaired, joined access unit in the client. "no encoder": noise of exactly
  the bitrate comes from where the encoder would be. "x264": the test picture, in software, and its stages.
* input: from the client's call to the return of the injection in the worker. Without a desktop nothing is pressed
  there, with one the capture library has taken the pointer's new place.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.timed_worker import MARKS, log_of
from tests.e2e.desktop_tools import DESKTOP_USER
from tests.e2e.host_process import HostProcess, running_host

from punktfunk.client.connection import Mode
from punktfunk.client.identity import new_identity
from punktfunk.client.session import Options, Session, connect
from punktfunk.wire.punktfunk1.enums import VideoCodec

TIMED_HOST = (sys.executable, "-m", "tests.bench.timed_host")
WARM_UP_S = 1.5
INPUTS = 400
INPUT_SPACING_S = 0.007
SPEED_TEST_KBPS = 4_000_000


def percentiles(name: str, values: list[float]) -> None:
    """One line of milliseconds."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    figures = "  ".join(f"{label} {cuts[at]:>6.2f}" for label, at in (("p50", 49), ("p95", 94), ("p99", 98)))
    print(f"{name:<44} {figures} ms  of {len(values)}", flush=True)


def options(bitrate_kbps: int) -> Options:
    return Options(mode=Mode(1280, 720, 120), bitrate_kbps=bitrate_kbps, codecs=VideoCodec.H264, decode=False)


async def frames(session: Session, seconds: float) -> list[tuple[int, float]]:
    """(pts, milliseconds from the picture to the whole access unit) of each frame."""
    begin, found = time.monotonic(), []
    async for unit in session.frames():
        arrival, since = unit.arrival, time.monotonic() - begin
        if since > WARM_UP_S:
            found.append((arrival.unit.pts_ns, (arrival.whole_ns - arrival.unit.pts_ns) / 1e6))
        if since > WARM_UP_S + seconds:
            break
    return found


async def inputs(session: Session, host: HostProcess) -> list[float]:
    """Milliseconds from the call to the injection."""
    sent: dict[int, int] = {}
    reading = asyncio.create_task(frames(session, INPUTS * INPUT_SPACING_S))
    await asyncio.sleep(WARM_UP_S)
    for number in range(1, INPUTS + 1):
        sent[number] = time.monotonic_ns()
        session.input.move_to(number, 0, MARKS, MARKS)
        await asyncio.sleep(INPUT_SPACING_S)
    await reading
    assert host.process is not None
    injected = dict(tuple(map(int, line.split())) for line in log_of(host.process.pid).read_text().splitlines())
    return [(injected[number] - at) / 1e6 for number, at in sent.items() if number in injected]


async def without_encoder(host: HostProcess, seconds: float) -> None:
    """Frames and input while nothing is encoded, then a speed test."""
    for kbps in (20_000, 60_000):
        async with connect("127.0.0.1", new_identity(), options(kbps), port=host.native_port) as session:
            found = await frames(session, seconds)
            percentiles(f"frame, 720p120 {kbps // 1000} Mbit/s, no encoder", [ms for _, ms in found])
    async with connect("127.0.0.1", new_identity(), options(20_000), port=host.native_port) as session:
        percentiles("input beside 720p120, no desktop", await inputs(session, host))
        result = await session.speed_test(SPEED_TEST_KBPS, 800)
        print(
            f"speed test, {SPEED_TEST_KBPS // 1000} Mbit/s asked for: {result.throughput_kbps / 1000:.0f} Mbit/s"
            f" arrived, {100 * (result.loss or 0):.2f} % lost, {100 * (result.host_dropped or 0):.2f} % dropped at once"
        )


async def with_encoder(host: HostProcess, seconds: float) -> None:
    """The test picture through x264."""
    async with connect("127.0.0.1", new_identity(), options(20_000), port=host.native_port) as session:
        found = await frames(session, seconds)
        percentiles("frame, 720p120, x264", [ms for _, ms in found])
        encode = session.statistics.latencies
        for stage in ("capture", "encode", "pace", "network", "reassemble"):
            p50, p99 = (encode.percentile_us(stage, p) or 0.0 for p in (50, 99))  # type: ignore[arg-type]
            print(f"    {stage:<40} p50 {p50 / 1000:>6.2f}{'':>14}p99 {p99 / 1000:>6.2f} ms")


async def at_a_desktop(host: HostProcess) -> None:
    """Input into sway."""
    async with connect("127.0.0.1", new_identity(), options(20_000), port=host.native_port) as session:
        percentiles("input beside 720p120, into the desktop", await inputs(session, host))


def main() -> None:
    """All of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--no-desktop", action="store_true")
    arguments = parser.parse_args()
    machine = f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} processors"
    print(f"{machine}, load {os.getloadavg()}", flush=True)
    flags = ("--native", "--open", "--audio", "off")
    with tempfile.TemporaryDirectory() as folder:
        with running_host(Path(folder), "--display", "synthetic", *flags, prefix=TIMED_HOST) as host:
            asyncio.run(without_encoder(host, arguments.seconds))
            assert host.process is not None
            log = log_of(host.process.pid)
        log.unlink()
        with running_host(Path(folder), "--display", "synthetic", *flags) as host:
            asyncio.run(with_encoder(host, arguments.seconds))
    if not arguments.no_desktop:
        folder = tempfile.mkdtemp(prefix="pf-bench-")
        if os.geteuid() == 0:
            shutil.chown(folder, DESKTOP_USER, DESKTOP_USER)
        with running_host(Path(folder), "--display", "embedded", *flags, prefix=TIMED_HOST) as host:
            asyncio.run(at_a_desktop(host))
            assert host.process is not None
            log = log_of(host.process.pid)
        log.unlink()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
