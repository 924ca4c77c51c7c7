"""Draws docs/images/console/: every page in light, dark and on a phone. Run: python -m tests.web.screenshots FOLDER"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
from av.filter import Graph
from playwright.async_api import Page
from tests.e2e.host_process import running_host
from tests.web import console as web

LOOKS = {"light": ("light", web.DESKTOP), "dark": ("dark", web.DESKTOP), "phone": ("dark", web.PHONE)}
LOOKS_AT_A_SESSION_S = 8
"""Until the graphs have something to show and the desktop has drawn itself."""


async def draw(folder: Path) -> None:
    """Pair, stream, and look at every page; prints how long a page takes."""
    with tempfile.TemporaryDirectory() as home, running_host(Path(home)) as host:
        async with web.console(host) as page, web.moonlight(host) as client:
            await web.choose_password(page, host)
            await shoot(page, folder / "guide.png")
            await page.goto("/devices/pair")
            await page.get_by_role("button", name="punktfunk", exact=False).last.click()
            await page.locator(".big-pin").wait_for()
            await shoot(page, folder / "pair.png")
            await web.pair_in_console(page, client, "Living room")
            async with web.streaming(client):
                await page.goto("/")
                await asyncio.sleep(LOOKS_AT_A_SESSION_S)
                for look, (theme, size) in LOOKS.items():
                    await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                    await page.set_viewport_size(size)  # type: ignore[arg-type]
                    for name in web.PAGES:
                        await web.open_page(page, name)
                        if name == "settings":
                            # Not the folders of the machine that draws this.
                            await page.get_by_label("Search settings").fill("display.")
                        await asyncio.sleep(LOOKS_AT_A_SESSION_S if name == "home" else 0.3)
                        await shoot(page, folder / f"{name}-{look}.png")
                await measure(page)


async def shoot(page: Page, path: Path) -> None:
    """A picture of the window, with as many colours as a palette has."""
    await page.screenshot(path=path)
    with av.open(str(path)) as source:
        frame = next(source.decode(video=0))
    graph = Graph()
    picture = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
    split, palette, use = graph.add("split"), graph.add("palettegen"), graph.add("paletteuse", "dither=none")
    sink = graph.add("buffersink")
    picture.link_to(split)
    split.link_to(palette, 0)
    split.link_to(use, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    graph.push(frame)
    graph.push(None)
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as target:
        stream = target.add_stream("png", options={"compression_level": "9", "pred": "mixed"})
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "pal8"
        target.mux(stream.encode(graph.pull()))
        target.mux(stream.encode(None))


async def measure(page: Page) -> None:
    """How long Home takes from the address to its figures, with nothing in the cache and with everything."""
    client = await page.context.new_cdp_session(page)
    for cached in (False, True):
        await client.send("Network.setCacheDisabled", {"cacheDisabled": not cached})
        await page.goto("/")
        await page.locator(".graphs, .empty").first.wait_for()
        ready = await page.evaluate("performance.now()")
        paint = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        sizes = (
            "performance.getEntriesByType('resource').filter(e => e.name.includes('/assets/')).map(e => e.transferSize)"
        )
        sent = sum(await page.evaluate(sizes))
        print(f"first paint {paint:.0f} ms, figures there {ready:.0f} ms, {sent / 1024:.0f} KiB of files")


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    asyncio.run(draw(Path(sys.argv[1])))
