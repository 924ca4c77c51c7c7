"""The console of a real host in a real browser: everything that its owner does there."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from playwright.async_api import Page, expect
from tests.conformance.moonlight.client import MoonlightClient
from tests.e2e.host_process import HostProcess, running_host
from tests.web import console as web
from tests.web.player import decode_png

pytestmark = [pytest.mark.e2e, web.NEEDS_BROWSER]
PAIR_SPACING_S = 2.1
"""The host takes one pairing attempt every two seconds."""
FLAGS = ("--display", "synthetic", "--audio", "off")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostProcess]:
    with running_host(tmp_path / "host", *FLAGS) as running:
        yield running


async def paired(page: Page, host: HostProcess, client: MoonlightClient) -> None:
    await web.choose_password(page, host)
    await web.pair_in_console(page, client, "Phone")


async def test_first_visit_and_sign_out(host: HostProcess) -> None:
    async with web.console(host) as page:
        await page.goto("/")
        await expect(page.get_by_role("heading", name="Open the setup link")).to_be_visible()
        assert not await web.axe(page)
        await page.goto(web.setup_link(host))
        await page.reload()
        await page.get_by_label("New password").fill(web.PASSWORD)
        await page.get_by_label("Once more").fill("something else")
        await page.get_by_role("button", name="Save and sign in").click()
        await expect(page.get_by_text("The two are not the same.")).to_be_visible()
        assert not await web.axe(page)
        await page.get_by_label("Once more").fill(web.PASSWORD)
        await page.get_by_role("button", name="Save and sign in").click()
        await expect(page.get_by_role("heading", name="Three steps to your first stream")).to_be_visible()
        assert "#" not in page.url
        await page.goto("/account")
        await page.get_by_role("button", name="Sign out", exact=True).click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert not await web.axe(page)
        await page.get_by_label("Password").fill("wrong password")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("the password is wrong")).to_be_visible()
        await web.sign_in(page)


async def test_pairing_wizard(host: HostProcess) -> None:
    async with web.console(host) as page, web.moonlight(host) as client:
        await web.choose_password(page, host)
        await page.goto("/devices/pair")
        assert not await web.axe(page)
        await page.get_by_role("button", name="punktfunk", exact=False).last.click()
        await expect(page.locator(".big-pin")).to_have_text(re.compile(r"^\d{4}$"))
        await expect(page.get_by_role("timer")).to_contain_text("more")
        assert not await web.axe(page)
        await web.pair_in_console(page, client, "Phone")
        await page.get_by_role("button", name="Close").last.click()
        await expect(page.locator(".rows").get_by_text("Phone")).to_be_visible()
        await page.get_by_role("button", name="Change Phone").click()
        await page.get_by_label("Name").fill("Tablet")
        assert not await web.axe(page)
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".rows").get_by_text("Tablet")).to_be_visible()
        await page.get_by_role("button", name="Change Tablet").click()
        await page.get_by_role("button", name="Unpair").click()
        await page.get_by_role("dialog", name="Unpair Tablet?").get_by_role("button", name="Unpair").click()
        await expect(page.get_by_text("No device is paired")).to_be_visible()


async def test_a_wrong_pin_is_told(host: HostProcess) -> None:
    async with web.console(host) as page, web.moonlight(host) as client:
        await web.choose_password(page, host)
        await page.goto("/devices/pair")
        pairing = asyncio.create_task(client.pair("1111"))
        await page.get_by_label("PIN that the device shows").fill("2222")
        await page.get_by_role("button", name="Pair", exact=True).click()
        await expect(page.get_by_text("That was not the PIN")).to_be_visible(timeout=15_000)
        (failure,) = await asyncio.gather(pairing, return_exceptions=True)
        assert failure is not None


async def test_a_live_session_moves_and_ends(host: HostProcess) -> None:
    async with web.console(host) as page, web.moonlight(host) as client:
        await paired(page, host, client)
        async with web.streaming(client):
            await page.goto("/")
            card = page.get_by_role("region", name="Phone")
            await expect(card.locator(".graphs figure")).to_have_count(4)
            await expect(card.get_by_text("1280 × 720, 60 Hz")).to_be_visible()
            await expect(card.get_by_text("H264")).to_be_visible()
            frames = card.locator("dt:text-is('Frames') + dd")
            before = await frames.inner_text()
            await expect(frames).not_to_have_text(before)
            assert not await web.axe(page)
            await card.get_by_role("button", name="Send a keyframe").click()
            await expect(page.get_by_text("A keyframe is on its way.")).to_be_visible()
            await card.get_by_role("button", name="Bitrate…").click()
            await page.get_by_label("Video bitrate in Mbit/s").fill("3")
            await page.get_by_role("button", name="Save").click()
            await expect(card.locator("dt:text-is('Bitrate') + dd")).to_have_text("3 Mbit/s")
            await card.get_by_role("button", name="End session").click()
            await page.get_by_role("dialog").get_by_role("button", name="End session").click()
            await expect(card).to_have_count(0)
        assert (await client.serverinfo(https=True)).current_game == 0


async def test_a_title_is_added_edited_and_seen_by_a_client(host: HostProcess) -> None:
    async with web.console(host) as page, web.moonlight(host) as client:
        await paired(page, host, client)
        await page.goto("/library")
        await page.get_by_role("button", name="Add a title").click()
        await page.get_by_label("Name").fill("Terminal")
        await page.get_by_label("Command", exact=True).fill("foot")
        await page.get_by_label("Variables").fill("wrong")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("Line 1 is not NAME=value.")).to_be_visible()
        assert not await web.axe(page)
        await page.get_by_label("Variables").fill("LANG=de_DE.UTF-8")
        await page.get_by_role("button", name="Save").click()
        await page.get_by_role("button", name="Terminal").click()
        await expect(page.get_by_label("Variables")).to_have_value("LANG=de_DE.UTF-8")
        await page.get_by_label("Name").fill("Console")
        await page.get_by_role("button", name="Save").click()
        await page.get_by_label("Search titles").fill("cons")
        await expect(page.locator(".covers li")).to_have_count(1)
        assert {app.title for app in await client.app_list()} >= {"Desktop", "Console"}


async def test_the_probe_pairs_by_the_wizards_pin_and_knocks(host: HostProcess, tmp_path: Path) -> None:
    probe = (sys.executable, "-m", "punktfunk.cli.probe", "--host", f"127.0.0.1:{host.native_port}")

    async def run(client: str, *arguments: str) -> tuple[int, str]:
        folder = ("--client-dir", str(tmp_path / client), "--name", client)
        process = await asyncio.create_subprocess_exec(
            *probe, *folder, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        return await process.wait(), output.decode()

    async with web.console(host) as page:
        await web.choose_password(page, host)
        await page.goto("/devices/pair")
        await page.get_by_role("button", name="punktfunk", exact=False).last.click()
        pin = page.locator(".big-pin")
        await expect(pin).to_have_text(re.compile(r"^\d{4}$"))
        status, said = await run("Deck", "--pair", "--pin", await pin.inner_text())
        assert status == 0, said
        await expect(page.get_by_text("Deck is paired")).to_be_visible()
        await page.get_by_role("button", name="Close").last.click()
        await asyncio.sleep(PAIR_SPACING_S)
        opening = asyncio.create_task(run("Guest", "--seconds", "2"))
        await page.goto("/")
        await expect(page.get_by_text("1 device waits to be let in")).to_be_visible(timeout=15_000)
        await page.get_by_role("button", name="Look").click()
        assert not await web.axe(page)
        await page.get_by_role("button", name="Let in").click()
        await expect(page.get_by_text("Guest is paired.")).to_be_visible()
        status, said = await opening
        assert status == 0, said
        assert "ok: picture" in said
        refused = asyncio.create_task(run("Stranger", "--approval-seconds", "20"))
        await page.get_by_role("button", name="Turn away").click()
        await expect(page.get_by_text("Stranger was turned away.")).to_be_visible()
        assert (await refused)[0] == 4
        await expect(page.locator(".rows .strong")).to_have_text(["Deck", "Guest"])


async def test_a_link_is_shared_shown_once_and_taken_back(host: HostProcess) -> None:
    async with web.console(host) as page:
        await web.choose_password(page, host)
        await page.goto("/devices")
        await expect(page.get_by_text("No link is good right now")).to_be_visible()
        await page.get_by_role("button", name="Share a link").click()
        await page.get_by_label("For whom").fill("Eva")
        await page.get_by_label("Keyboard").uncheck()
        await page.get_by_label("Good for").select_option("hour")
        assert not await web.axe(page)
        await page.get_by_role("button", name="Make the link").click()
        link = await page.get_by_label("Link", exact=True).input_value()
        assert await seen_by_a_phone(page) == link
        assert re.fullmatch(rf"https://127\.0\.0\.1:{host.mgmt_port}/play#\S{{20,}}", link)
        assert not await web.axe(page)
        await page.get_by_role("button", name="Close").last.click()
        row = page.locator("li", has_text="Eva")
        await expect(row).to_contain_text("Mouse and touch")
        await expect(row).not_to_contain_text("Keyboard")
        assert await ticket_status(page, link) == 200
        await row.get_by_role("button", name="Take back the link of Eva").click()
        await expect(page.get_by_text("The link of Eva is no longer good.")).to_be_visible()
        await expect(row).to_have_count(0)
        assert await ticket_status(page, link) == 403
        assert link.partition("#")[2] not in host.log()


async def seen_by_a_phone(page: Page) -> str:
    """What the QR code says, read from the screen."""
    picture = decode_png(await page.get_by_role("img", name="QR code of the link").screenshot())
    (code,) = zxingcpp.read_barcodes(np.ascontiguousarray(picture))
    return code.text


async def ticket_status(page: Page, link: str) -> int:
    """What the host answers to whoever opens the link."""
    secret = link.partition("#")[2]
    ask = """secret => fetch("/api/v1/play/link-ticket", {
        method: "POST",
        credentials: "omit",
        headers: {"Content-Type": "application/json"},
        body: JSON.stringify({secret}),
    }).then(answer => answer.status)"""
    return int(await page.evaluate(ask, secret))


async def test_a_setting_acts_at_once(host: HostProcess) -> None:
    async with web.console(host) as page, web.moonlight(host) as client:
        await paired(page, host, client)
        await page.goto("/settings")
        await page.get_by_label("limits.sessions", exact=True).fill("1")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("Saved. It acts from now on.")).to_be_visible()
        async with web.moonlight(host, "second") as other:
            await web.pair_in_console(page, other, "Tablet", "1234")
            async with web.streaming(client):
                with pytest.raises(Exception, match="1 sessions at a time"):
                    async with web.streaming(other):
                        pass


async def test_a_setting_is_refused_or_acts_after_a_restart(host: HostProcess) -> None:
    async with web.console(host) as page:
        await web.choose_password(page, host)
        await page.goto("/settings")
        await page.get_by_label("limits.sessions", exact=True).fill("1000")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".help.bad")).to_be_visible()
        await page.get_by_role("button", name="Discard").click()
        await page.get_by_label("host.name", exact=True).fill("Workshop")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("acts after a restart")).to_be_visible()
        assert not await web.axe(page)
        await page.get_by_role("button", name="Restart the host").click()
        assert not await web.axe(page)
        await page.get_by_role("dialog").get_by_role("button", name="Restart the host").click()
        await expect(page.get_by_role("alert")).to_contain_text("The host does not answer")
        await expect(page.get_by_role("alert")).to_have_count(0, timeout=30_000)
        assert host.process is not None
        assert host.process.poll() is None
        await expect(page.get_by_text("acts after a restart")).to_have_count(0)
        await page.goto("/")
        await expect(page.get_by_role("heading", name="Workshop")).to_be_visible()


async def test_a_killed_host_comes_back_by_itself(host: HostProcess) -> None:
    async with web.console(host) as page:
        await web.choose_password(page, host)
        host.kill()
        await expect(page.get_by_role("alert")).to_contain_text("goes on by itself")
        host.start()
        await expect(page.get_by_role("alert")).to_have_count(0, timeout=20_000)
        await expect(page.locator(".connection")).to_have_text("connected")


async def test_diagnostics(host: HostProcess) -> None:
    async with web.console(host) as page:
        await web.choose_password(page, host)
        await page.goto("/diagnostics")
        await page.get_by_role("button", name="Run all checks").click()
        await expect(page.get_by_role("heading", name="Checking…")).to_be_visible()
        await expect(page.get_by_role("heading", name="could be better")).to_be_visible(timeout=60_000)
        assert await page.locator(".rows li").count() > 5
        assert not await web.axe(page)
        await page.get_by_role("tab", name="Log").click()
        await expect(page.locator(".log li").first).to_be_visible()
        await page.get_by_label("Only lines with").fill("no line has these words")
        await expect(page.get_by_text("No line matches.")).to_be_visible()
        await page.get_by_role("tab", name="Report").click()
        await page.get_by_role("button", name="Make the report").click()
        report = await page.get_by_label("The report").input_value()
        assert "== doctor" in report
        assert web.PASSWORD not in report
        assert "test-host" not in report
        await page.get_by_role("tab", name="Recordings").click()
        await page.get_by_role("button", name="Start recording").click()
        await page.get_by_role("button", name="Stop recording").click()
        await page.get_by_role("button", name="Plots of").click()
        await expect(page.get_by_text("Nothing streamed while this was recorded.")).to_be_visible()
        assert not await web.axe(page)


async def test_every_page_is_accessible_and_fits_in_each_look(host: HostProcess) -> None:
    async with web.console(host) as page, web.moonlight(host) as client:
        await paired(page, host, client)
        async with web.streaming(client):
            for theme, size in (("light", web.DESKTOP), ("dark", web.DESKTOP), ("dark", web.PHONE)):
                await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                await page.set_viewport_size(size)  # type: ignore[arg-type]
                for name in web.PAGES:
                    await web.open_page(page, name)
                    assert not await web.axe(page), (name, theme)
                    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, size)


async def test_a_title_is_added_and_a_link_taken_back_with_the_keyboard_alone(host: HostProcess) -> None:
    """Not one click: Tab, arrows, letters, Enter, Space and Escape; what has the focus is always to be seen."""
    async with web.console(host) as page:
        await web.choose_password(page, host)
        await page.goto("/")
        await page.locator(".connection.live").wait_for()
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        await web.tab_to(page, "Library")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1, name="Library")).to_be_visible()
        await web.tab_to(page, "Add a title")
        await page.keyboard.press("Enter")
        await web.tab_to(page, "Name")
        await page.keyboard.type("Editor")
        await web.tab_to(page, "The session ends when the program ends")
        await page.keyboard.press("Space")
        await web.tab_to(page, "Save")
        await page.keyboard.press("Enter")
        await expect(page.locator(".covers li")).to_have_count(2)
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await web.tab_to(page, "Devices")
        await page.keyboard.press("Enter")
        await web.tab_to(page, "Share a link")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("For whom")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(page.get_by_role("button", name="Share a link")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.keyboard.type("Eva")
        await page.keyboard.press("Enter")
        await web.tab_to(page, "Close")
        await page.keyboard.press("Enter")
        await web.tab_to(page, "Take back the link of Eva")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("No link is good right now")).to_be_visible()
        await web.tab_to(page, "Diagnostics")
        await page.keyboard.press("Enter")
        await web.tab_to(page, "Doctor")
        await page.keyboard.press("ArrowRight")
        await expect(page.get_by_role("tab", name="Log")).to_be_focused()
        await expect(page.locator(".log li").first).to_be_visible()


async def test_german(host: HostProcess) -> None:
    async with web.console(host, locale="de-DE") as page:
        await page.goto("/")
        await expect(page.get_by_role("heading", name="Öffne den Einrichtungslink")).to_be_visible()
        await expect(page.locator("html")).to_have_attribute("lang", "de")
        await page.goto(web.setup_link(host))
        await page.get_by_label("Neues Passwort").fill(web.PASSWORD)
        await page.get_by_label("Noch einmal").fill(web.PASSWORD)
        await page.get_by_role("button", name="Speichern und anmelden").click()
        await page.locator(".connection.live").wait_for(state="attached")
        for name in web.PAGES:
            await web.open_page(page, name)
            assert not await web.axe(page), name
            # What the host itself says is English and marked as such; no text of the console may be.
            shown = await page.evaluate(web.TEXT_IN_THE_PAGES_LANGUAGE)
            assert not re.search(r"(?<![\w/-])(the|and|with|is|of|to)(?![\w/-])", shown), (name, shown)
