"""Frame drawn → seen on the canvas, per carrier: ``python -m tests.bench.browser_play``. Needs chromium and Playwright.

The stamp of the test pattern holds the time at which it was drawn; the page reads it at each of its own frames and
compares it with the host's clock as its pings know it.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright
from tests.e2e.host_process import HostProcess

SECONDS = 8
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SAMPLE = """async (seconds) => {
  const canvas = document.querySelector('#picture'), context = canvas.getContext('2d'), out = [];
  let last = -1;
  const until = performance.now() + 1000 * seconds;
  while (performance.now() < until) {
    await new Promise(requestAnimationFrame);
    const now = performance.now() - window.punktfunk.picture.clockOffsetMs;
    const { data } = context.getImageData(0, 0, 256, 128);
    const bit = (n) => data[((n >> 4) * 16 + 8) * 1024 + ((n & 15) * 16 + 8) * 4 + 1] > 127 ? 1 : 0;
    let frame = 0, clock = 0;
    for (let i = 16; i < 48; i++) frame = frame * 2 + bit(i);
    for (let i = 48; i < 112; i++) clock = clock * 2 + bit(i);
    if (frame !== last) out.push(now - clock / 1e6);
    last = frame;
  }
  return { ms: out, ...window.punktfunk.picture.figures };
}"""


def main() -> None:
    """Print one line for each carrier."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        host = HostProcess(Path(folder) / "host", "--display", "synthetic").start()
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            for carrier in ("websocket", "webtransport"):
                print(_measure(host, browser, carrier))
        finally:
            browser.close()
            host.stop()


def _measure(host: HostProcess, browser, carrier: str) -> str:  # type: ignore[no-untyped-def]
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 720})
    origin = f"https://127.0.0.1:{host.mgmt_port}"
    token = (host.folder / "config" / "mgmt-token").read_text().strip().rpartition("=")[2]
    wish = {"name": carrier, "grants": 63, "expires_in_s": 600}
    headers = {"Authorization": f"Bearer {token}"}
    path = context.request.post(f"{origin}/api/v1/play/links", data=wish, headers=headers).json()["path"]
    page = context.new_page()
    page.goto(origin + path.replace("#", f"?via={carrier}&size=1280x720&fps=60&quality=medium#"))
    time.sleep(4)
    result = page.evaluate(SAMPLE, SECONDS)
    samples = sorted(result["ms"])
    context.close()
    at = lambda share: samples[int(len(samples) * share)]  # noqa: E731
    return (
        f"{carrier}: {len(samples) / SECONDS:.0f} frames/s seen, p50 {at(0.5):.1f} ms, p95 {at(0.95):.1f} ms, "
        f"encode {result['encodeMs']:.1f} network {result['networkMs']:.1f} decode+draw {result['decodeMs']:.1f} ms"
    )


if __name__ == "__main__":
    main()
