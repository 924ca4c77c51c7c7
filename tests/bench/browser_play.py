"""Frame drawn → seen on the canvas, per carrier: ``python -m tests.bench.browser_play``. Needs chromium and Playwright.

The stamp of the test pattern holds the time at which it was drawn; the page reads it in each of its own frames and
compares it with the host's clock as its pings know it. Processor time is that of the host with its worker, which
encodes in software, and of all of the browser's processes, which decode and draw in software, in per cent of one core.
``--seconds`` for each carrier; memory is told at their beginning and end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

from tests.e2e.host_process import HostProcess, descendants_of, running_host
from tests.web import player as p

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SETTLE_S = 4
STAGES = ("captureMs", "encodeMs", "networkMs", "orderMs", "decodeMs", "drawMs")
SAMPLE = """async (seconds) => {
  const canvas = document.querySelector('#picture'), { picture } = window.punktfunk, out = [];
  // Only the stamp is copied, so that looking costs little of what is measured.
  const copy = new OffscreenCanvas(16, 8).getContext('2d', { willReadFrequently: true });
  copy.imageSmoothingEnabled = false;
  const before = { ...picture.figures };
  let last = -1;
  const until = performance.now() + 1000 * seconds;
  while (performance.now() < until) {
    await new Promise(requestAnimationFrame);
    const now = performance.now() - picture.clockOffsetMs;
    copy.drawImage(canvas, 0, 0, 256, 128, 0, 0, 16, 8);
    const { data } = copy.getImageData(0, 0, 16, 8);
    const bit = (n) => (data[n * 4 + 1] > 127 ? 1 : 0);
    let magic = 0, frame = 0, clock = 0;
    for (let i = 0; i < 16; i++) magic = magic * 2 + bit(i);
    for (let i = 16; i < 48; i++) frame = frame * 2 + bit(i);
    for (let i = 48; i < 112; i++) clock = clock * 2 + bit(i);
    if (magic === 0xa5c3 && frame !== last) out.push(now - clock / 1e6);
    last = frame;
  }
  const heap = performance.memory?.usedJSHeapSize ?? 0;
  return { ms: out, drawn: picture.figures.drawn - before.drawn, missing: picture.figures.missing - before.missing,
    skipped: picture.figures.skipped - before.skipped, figures: picture.figures, heap };
}"""


async def main() -> None:
    """Print a row for each carrier."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    seconds = parser.parse_args().seconds
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f}")
    stages = " + ".join(STAGES)
    print(f"carrier | fps drawn | seen p50 / p95 / p99 ms | {stages} | missing | host % | browser % | MiB")
    with tempfile.TemporaryDirectory() as folder, running_host(Path(folder) / "host", "--display", "synthetic") as host:
        for carrier in p.CARRIERS:
            print(await measure(host, carrier, seconds), flush=True)


async def measure(host: HostProcess, carrier: str, seconds: float) -> str:
    """One carrier's row."""
    assert host.process is not None
    query = f"via={carrier}&size=1280x720&fps=60&quality=medium"
    async with p.playing(host, query, flags=("--enable-precise-memory-info",)) as player:
        await asyncio.sleep(SETTLE_S)
        host_pids = {host.process.pid, *descendants_of(host.process.pid)}
        browser_pids = descendants_of(os.getpid()) - host_pids
        supervisor = {host.process.pid}
        before = cpu_s(host_pids), cpu_s(browser_pids), cpu_s(supervisor)
        held = rss_mib(supervisor)
        result: Any = await player.page.evaluate(SAMPLE, seconds)
        host_s, browser_s = cpu_s(host_pids) - before[0], cpu_s(browser_pids) - before[1]
        supervisor_s = cpu_s(supervisor) - before[2]
        samples = sorted(result["ms"])
        at = lambda share: samples[min(len(samples) - 1, int(len(samples) * share))]  # noqa: E731
        stages = " + ".join(f"{result['figures'][name]:.1f}" for name in STAGES)
        return (
            f"{carrier} | {result['drawn'] / seconds:.1f} | {at(0.5):.1f} / {at(0.95):.1f} / {at(0.99):.1f} | {stages}"
            f" | {result['missing']} | {100 * host_s / seconds:.0f} (supervisor {100 * supervisor_s / seconds:.0f})"
            f" | {100 * browser_s / seconds:.0f} | supervisor {held:.0f} → {rss_mib(supervisor):.0f},"
            f" page's heap {result['heap'] / 2**20:.0f}"
        )


def cpu_s(pids: set[int]) -> float:
    """Processor time of these processes until now."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def rss_mib(pids: set[int]) -> float:
    """Memory of these processes."""
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES for pid in pids) / 2**20


if __name__ == "__main__":
    asyncio.run(main())
