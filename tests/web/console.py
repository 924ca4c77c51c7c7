"""A real browser at the console of a real host."""

from __future__ import annotations

import asyncio
import platform
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect
from tests.conformance.moonlight.client import MoonlightClient
from tests.conformance.moonlight.identity import Identity
from tests.conformance.moonlight.options import StreamOptions
from tests.conformance.moonlight.stream import Stream
from tests.e2e.host_process import HostProcess
from tests.e2e.moonlight_tools import desktop_id

expect.set_options(timeout=15_000)
PASSWORD = "correct horse battery"
AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-dev-shm-usage",
)
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
PAGES = {
    "home": ("/", "h1"),
    "devices": ("/devices", "main .rows li, main .empty"),
    "library": ("/library", ".covers li"),
    "settings": ("/settings", ".setting"),
    "doctor": ("/diagnostics", ".tabs"),
    "logs": ("/diagnostics/logs", ".log li"),
    "recordings": ("/diagnostics/recordings", ".tabs"),
    "report": ("/diagnostics/report", ".tabs"),
    "account": ("/account", "table"),
}
"""Path of each page, and what is there once it is complete."""


def browser_program() -> str | None:
    """Debian's chromium, or Chrome."""
    return shutil.which("chromium") or shutil.which("google-chrome")


NEEDS_BROWSER = pytest.mark.skipif(
    browser_program() is None and platform.freedesktop_os_release()["ID"] != "debian",
    reason="neither chromium nor Chrome is installed, and outside Debian scripts/setup does not install one",
)
"""On Debian a missing browser fails: there it is one of the test packages."""


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A fresh browser."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=browser_program(), args=list(FLAGS))
        try:
            yield started
        finally:
            await started.close()


@asynccontextmanager
async def console(host: HostProcess, **options: Any) -> AsyncIterator[Page]:
    """A page of a fresh browser, not signed in. Whatever the console complains about fails the test."""
    complaints: list[str] = []
    async with browser() as started:
        settings: dict[str, Any] = {"viewport": DESKTOP, "locale": "en-GB", "ignore_https_errors": True, **options}
        context = await started.new_context(base_url=f"https://127.0.0.1:{host.mgmt_port}", **settings)
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        yield page
    assert not complaints


def setup_link(host: HostProcess) -> str:
    """The link that the host printed when it started."""
    found = re.findall(r"https://\S+(/setup#\S+)", host.log())
    assert found, host.log()
    return str(found[-1])


async def choose_password(page: Page, host: HostProcess) -> None:
    """The first visit."""
    await page.goto(setup_link(host))
    await page.get_by_label("New password").fill(PASSWORD)
    await page.get_by_label("Once more").fill(PASSWORD)
    await page.get_by_role("button", name="Save and sign in").click()
    await expect(page.get_by_role("navigation", name="Main menu")).to_be_visible()


async def sign_in(page: Page) -> None:
    """Every later visit."""
    await page.goto("/")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("navigation", name="Main menu")).to_be_visible()


async def open_page(page: Page, name: str) -> None:
    """One of ``PAGES``, complete and at rest."""
    path, complete = PAGES[name]
    await page.goto(path)
    await page.locator(complete).first.wait_for()
    await page.locator(".connection.live").wait_for(state="attached")


TEXT_IN_THE_PAGES_LANGUAGE = """() => {
    const copy = document.querySelector("#root").cloneNode(true);
    for (const foreign of copy.querySelectorAll("[lang], code, table, .log, option")) foreign.remove();
    return copy.textContent;
}"""


MAX_TABS = 80


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until what is called so has the focus; each stop on the way shows that it has it."""
    wanted = page.get_by_label(name, exact=True).or_(page.get_by_text(name, exact=True))
    focused = page.locator(":focus")
    for _ in range(MAX_TABS):
        await page.keyboard.press("Tab")
        if not await focused.count():
            continue  # the browser's own controls come after the last of the page's
        outline = await focused.evaluate("element => getComputedStyle(element).outlineStyle")
        assert outline != "none", await focused.evaluate("element => element.outerHTML")
        if await focused.and_(wanted).count() or await focused.filter(has=wanted).count():
            return
    raise AssertionError(f"the keyboard does not reach {name}")


async def axe(page: Page) -> list[str]:
    """What axe finds wrong: rule, and where."""
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html)]))")
    return [f"{rule}: {nodes}" for rule, nodes in found]


@asynccontextmanager
async def moonlight(host: HostProcess, name: str = "client") -> AsyncIterator[MoonlightClient]:
    """The conformance client."""
    identity = Identity.load_or_create(host.folder / name)
    async with MoonlightClient("127.0.0.1", host.base_port, identity=identity) as client:
        await client.serverinfo()
        yield client


async def pair_in_console(page: Page, client: MoonlightClient, name: str, pin: str = "4711") -> None:
    """The wizard, as a person uses it: the client shows a PIN, it is typed here."""
    await page.goto("/devices/pair")
    await page.get_by_role("button", name="Moonlight").click()
    pairing = asyncio.create_task(client.pair(pin))
    await page.get_by_label("PIN that the device shows").fill(pin)
    await page.get_by_label("What to call it").fill(name)
    await page.get_by_role("button", name="Pair", exact=True).click()
    await expect(page.get_by_text(f"{name} is paired")).to_be_visible()
    await pairing


@asynccontextmanager
async def streaming(client: MoonlightClient) -> AsyncIterator[Stream]:
    """A stream of the desktop while the block runs."""
    stream = await client.launch(await desktop_id(client), StreamOptions(width=1280, height=720, fps=60))
    try:
        await stream.wait_for_frames(30)
        yield stream
    finally:
        await stream.close()
