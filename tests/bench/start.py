"""How long a person waits: for the host to be ready, and from a launch to the first packet and the first picture.

    python -m tests.bench.start [--runs 7] [--display embedded|synthetic]

``ready`` is from the start of the process to its own line on the log (an identity exists already). ``launch`` is from
the client's request to the answer, ``first packet`` and ``first frame`` from the request to video at the client's
socket; ``warm`` launches follow an earlier one, the first is ``cold``. Client and host share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from tests.conformance.moonlight.client import MoonlightClient
from tests.conformance.moonlight.options import StreamOptions
from tests.e2e.host_process import HostProcess
from tests.e2e.moonlight_tools import desktop_id, paired_client

from punktfunk import __version__

OPTIONS = StreamOptions(width=1280, height=720, fps=60)
SETTLE_S = 1.0

Figures = dict[str, list[float]]


async def launch(client: MoonlightClient, app: int, temperature: str, figures: Figures) -> None:
    began = time.monotonic()
    reply = await client.request_launch(app, OPTIONS)
    figures[f"launch answered, {temperature}"].append(time.monotonic() - began)
    stream = await client.start_stream(reply, OPTIONS)
    (first,) = await stream.wait_for_frames(1)
    figures[f"launch to first packet, {temperature}"].append(first.started_at - began)
    figures[f"launch to first frame, {temperature}"].append(first.arrived_at - began)
    await asyncio.sleep(SETTLE_S)
    await stream.close()
    began = time.monotonic()
    await client.cancel()
    figures["cancel, nothing left"].append(time.monotonic() - began)
    await asyncio.sleep(SETTLE_S)


async def measure(folder: Path, display: str, runs: int) -> Figures:
    figures: Figures = defaultdict(list)
    host = HostProcess(folder, "--display", display)
    host.start()
    async with paired_client(host) as client:
        app = await desktop_id(client)
        for _ in range(runs):
            began = time.monotonic()
            host.stop()
            figures["stop"].append(time.monotonic() - began)
            began = time.monotonic()
            host.start()
            figures["serve to ready"].append(time.monotonic() - began)
            await asyncio.sleep(SETTLE_S)
            await launch(client, app, "cold", figures)
            await launch(client, app, "warm", figures)
    host.stop()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--display", default="embedded")
    options = parser.parse_args()
    print(f"punktfunk-host {__version__}, Python {platform.python_version()}, {platform.platform()}")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, display {options.display}, {options.runs} runs")
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(Path(folder), options.display, options.runs))
    print(f"{'':<36} {'median':>8} {'least':>8} {'most':>8}   seconds")
    for name, values in figures.items():
        print(f"{name:<36} {statistics.median(values):8.2f} {min(values):8.2f} {max(values):8.2f}")


if __name__ == "__main__":
    main()
