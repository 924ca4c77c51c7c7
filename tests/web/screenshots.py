"""Draws docs/images/console/: every page in light, dark and on a phone. Run: python -m tests.web.screenshots FOLDER"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.e2e.host_process import running_host
from tests.web import console as web

LOOKS = {"light": ("light", web.DESKTOP), "dark": ("dark", web.DESKTOP), "phone": ("dark", web.PHONE)}


async def draw(folder: Path) -> None:
    """Pair, stream, and look at every page; prints the time to the first paint."""
    with tempfile.TemporaryDirectory() as home, running_host(Path(home), "--display", "synthetic") as host:
        async with web.console(host) as page, web.moonlight(host) as client:
            await web.choose_password(page, host)
            await page.screenshot(path=folder / "guide.png")
            await web.pair_in_console(page, client, "Living room")
            async with web.streaming(client):
                await page.goto("/")
                await asyncio.sleep(8)
                for look, (theme, size) in LOOKS.items():
                    await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                    await page.set_viewport_size(size)  # type: ignore[arg-type]
                    for name in web.PAGES:
                        await web.open_page(page, name)
                        await asyncio.sleep(4 if name == "home" else 0.3)
                        await page.screenshot(path=folder / f"{name}-{look}.png")
                paint = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
                print(f"first contentful paint {paint:.0f} ms")


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    asyncio.run(draw(Path(sys.argv[1])))
