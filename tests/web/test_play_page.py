"""The player's page itself: what axe says, what a keyboard reaches, its words, and its shape on a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("playwright")
from playwright.async_api import expect
from tests.e2e.host_process import HostProcess, running_host
from tests.web import console as web
from tests.web import player as p

pytestmark = [pytest.mark.e2e, web.NEEDS_BROWSER]
SMALL = "size=640x360&fps=30"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with running_host(tmp_path_factory.mktemp("page") / "host", "--display", "synthetic") as running:
        yield running


@pytest.mark.parametrize(("locale", "size"), [("en-GB", p.SIZE), ("de-DE", web.PHONE)])
async def test_the_page_is_accessible_in_all_that_it_shows(
    host: HostProcess, locale: str, size: dict[str, int]
) -> None:
    options = {"locale": locale, "viewport": size, "has_touch": size is web.PHONE}
    async with p.playing(host, SMALL, **options) as player:
        await player.do("figures")
        await expect(player.page.locator("#figures tr")).to_have_count(6)
        await player.open_bar()
        assert not await web.axe(player.page)
        width = await player.page.evaluate("document.querySelector('#bar').getBoundingClientRect().width")
        assert width <= size["width"]
        host_is_lost = "window.punktfunk.connection.carrier.close()"
        await player.page.evaluate(
            "window.punktfunk.connection.shared.view.say({ text: 'lost', detail: 'x', busy: true })"
        )
        assert not await web.axe(player.page)
        await player.page.evaluate(host_is_lost)
        await player.pictures(5)
    async with p.playing(host, SMALL, link={"path": "/play#nobody"}, wait=False, **options) as player:
        await player.says("link_over")
        assert not await web.axe(player.page)


async def test_a_keyboard_alone_reaches_the_bar_and_gets_back(host: HostProcess) -> None:
    async with p.playing(host, SMALL) as player:
        page = player.page
        await expect(player.canvas).to_be_focused()
        await page.keyboard.press("Tab")
        await expect(player.canvas).to_be_focused()
        await page.keyboard.press("Control+Alt+Shift+KeyM")
        await expect(page.locator("#bar button").first).to_be_focused()
        for _ in range(3):
            await page.keyboard.press("ArrowRight")
        await expect(page.locator("#bar [data-deed=microphone]")).to_be_focused()
        await page.keyboard.press("ArrowLeft")
        await expect(page.locator("#bar [data-deed=mute]")).to_be_focused()
        await page.keyboard.press("Space")
        await expect(page.locator("#bar [data-deed=mute]")).to_have_attribute("aria-pressed", "true")
        await expect(player.canvas).to_be_focused()
        await page.keyboard.press("Control+Alt+Shift+KeyM")
        await page.keyboard.press("Escape")
        await expect(player.canvas).to_be_focused()


async def test_the_bitrate_that_was_chosen_is_kept(host: HostProcess) -> None:
    async with p.playing(host, SMALL) as player:
        await player.open_bar()
        await player.page.get_by_label("Quality").select_option("low")
        await player.page.wait_for_function("() => window.punktfunk.connection.kbps === 3000")
        await player.page.reload()
        await player.pictures(5)
        await player.page.wait_for_function("() => window.punktfunk.connection.kbps === 3000")
        await expect(player.page.get_by_label("Quality")).to_have_value("low")
