"""What real sessions cost: a host as a user starts it, a client on loopback, a terminal that scrolls without end.

    python -m tests.bench.session [--seconds 15] [--display embedded|synthetic]

Rows: 720p60, 1080p60 20 Mbit/s, and two 720p60 sessions at once. ``added`` is capture to last packet less the
encoder's own time, as the worker measures it over its last 1024 frames. CPU is in parts of one core; the client's own
work and the terminal that draws are left out. ``wait`` (capture to the encoder's start) and ``send`` (the encoder's end
to the last packet) are the parts of ``added``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import ssl
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.conformance.moonlight.options import StreamOptions
from tests.conformance.moonlight.stream import Stream
from tests.e2e.host_process import HostProcess
from tests.e2e.moonlight_tools import desktop_id, paired_client

from punktfunk import __version__

TICKS = os.sysconf("SC_CLK_TCK")
WARM_UP_S = 4.0
SCROLL = "while :; do seq 100000; done"
ENTER = 13
CASES = {
    "720p60": [StreamOptions(bitrate_kbps=10_000)],
    "1080p60 20 Mbit/s": [StreamOptions(width=1920, height=1080, bitrate_kbps=20_000)],
    "two of 720p60": [StreamOptions(bitrate_kbps=10_000)] * 2,
}


def cpu_s(pids: list[int]) -> float:
    """Processor seconds that these processes have used."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def rss_mib(pids: list[int]) -> float:
    """Resident memory."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def named(host: HostProcess, *words: str) -> list[int]:
    """The host's descendants whose command has one of the words."""
    found = []
    for pid in host.descendants():
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if any(word in command for word in words):
                found.append(pid)
    return found


def figures(host: HostProcess) -> list[dict[str, Any]]:
    """The statistics of every session, from the management API."""
    token = (host.folder / "config" / "mgmt-token").read_text().strip().partition("=")[2]
    context = ssl._create_unverified_context()  # the host's own certificate, on loopback
    request = urllib.request.Request(
        f"https://127.0.0.1:{host.mgmt_port}/api/v1/sessions", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, context=context) as answer:
        return [session["statistics"] for session in json.load(answer)]


async def drain(stream: Stream) -> int:
    """Take frames as they come; how many came."""
    count = 0
    async for _ in stream.frames():
        count += 1
    return count


async def scroll(stream: Stream) -> None:
    """Make the desktop's terminal draw all the time."""
    await asyncio.sleep(1.5)
    stream.utf8_text(SCROLL)
    await asyncio.sleep(0.5)
    stream.send_key(ENTER, True)
    stream.send_key(ENTER, False)


async def case(host: HostProcess, name: str, cases: list[StreamOptions], seconds: float) -> None:
    """Measure one row and print it."""
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(paired_client(host, f"client {name} {i}")) for i in range(len(cases))
        ]
        streams = []
        for client, options in zip(clients, cases, strict=True):
            started = time.monotonic()
            stream = await client.launch(await desktop_id(client), options)
            await stream.wait_for_frames(1)
            first_ms = (time.monotonic() - started) * 1000
            await scroll(stream)
            streams.append(stream)
        drains = [asyncio.create_task(drain(stream)) for stream in streams]
        await asyncio.sleep(WARM_UP_S)
        parts = {
            "worker": named(host, "punktfunk.gamestream.worker"),
            "sway": named(host, "sway"),
            "sound": named(host, "pipewire", "wireplumber"),
            "supervisor": [host.process.pid] if host.process else [],
        }
        before = {part: cpu_s(pids) for part, pids in parts.items()}
        frames = sum(stream.statistics().frames_delivered for stream in streams)
        await asyncio.sleep(seconds)
        cpu = {part: 100 * (cpu_s(pids) - before[part]) / seconds for part, pids in parts.items()}
        rate = (sum(stream.statistics().frames_delivered for stream in streams) - frames) / seconds / len(streams)
        statistics = (await asyncio.to_thread(figures, host))[0]
        stalls = max(stream.statistics().longest_stall_s for stream in streams) * 1000
        print(
            f"{name:20} {rate:5.1f} {first_ms:7.0f} {statistics['encode_p50_us'] / 1000:6.1f}"
            f" {statistics['encode_p99_us'] / 1000:6.1f}"
            + "".join(
                f" {statistics[f'{part}_p50_us'] / 1000:7.2f} {statistics[f'{part}_p99_us'] / 1000:6.2f}"
                for part in ("wait", "send", "added")
            )
            + f" {stalls:6.0f}"
            + "".join(f" {cpu[part]:9.1f}" for part in parts)
            + f" {rss_mib(parts['worker']):7.0f} {rss_mib(parts['supervisor']):6.0f}",
            flush=True,
        )
        for stream, client, task in zip(streams, clients, drains, strict=True):
            await stream.close()
            await task
            await client.cancel()


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--display", default="embedded", choices=("embedded", "synthetic"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        host = HostProcess(Path(folder), "--display", options.display).start()
        ready_ms = (time.monotonic() - started) * 1000
        print(f"punktfunk-host {__version__}, Python {platform.python_version()}, {platform.machine()}, ", end="")
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; serve to ready {ready_ms:.0f} ms")
        print(
            "session              fps   first   enc p50  p99  wait p50  p99  send p50  p99 added p50  p99  stall"
            "  CPU %: worker  sway     sound     supervisor  RSS MiB: workers (spare too), supervisor"
        )
        try:
            for name, cases in CASES.items():
                await case(host, name, cases, options.seconds)
        finally:
            host.stop()


if __name__ == "__main__":
    asyncio.run(main())
