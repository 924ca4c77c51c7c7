"""Playing when something goes wrong: killed hosts, cut and slow ways, hidden pages, broken decoders, other windows."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")
from playwright.async_api import expect
from tests.e2e.desktop_tools import children_running
from tests.e2e.host_process import HostProcess, running_host
from tests.impair.path import Impairments
from tests.web import altered_host, way
from tests.web import console as web
from tests.web import player as p

pytestmark = [pytest.mark.e2e, web.NEEDS_BROWSER]
QUIET = ("--display", "synthetic", "--audio", "off")
SMALL = "size=640x360&fps=30"
HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}"""
BREAK_ONCE = """() => {
  const decode = VideoDecoder.prototype.decode;
  VideoDecoder.prototype.decode = function ({ timestamp }) {
    VideoDecoder.prototype.decode = decode;
    decode.call(this, new EncodedVideoChunk({ type: 'delta', timestamp, data: new Uint8Array(500).fill(7) }));
  };
}"""
SHAKES = """level => window.effects.some(({ kind, leftTrigger, strongMagnitude }) =>
  kind === 'trigger-rumble' && [leftTrigger, strongMagnitude].every((m) => Math.abs(m - level) < 0.001))"""
PAD = """
  window.effects = [];
  const button = (value = 0) => ({ pressed: value > 0.5, touched: value > 0, value });
  window.pad = {
    id: 'stub', index: 0, connected: true, mapping: 'standard', timestamp: 0, axes: [0, 0, 0, 0],
    buttons: Array.from({ length: 17 }, () => button()),
    vibrationActuator: { effects: ['dual-rumble', 'trigger-rumble'], playEffect: (kind, effect) => {
      window.effects.push({ kind, ...effect });
      return Promise.resolve('complete');
    } },
  };
  navigator.getGamepads = () => [window.pad, null, null, null];
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostProcess]:
    with running_host(tmp_path / "host", *QUIET) as running:
        yield running


@pytest.mark.parametrize("carrier", p.CARRIERS)
async def test_the_page_says_that_the_host_was_killed_and_comes_back_with_it(host: HostProcess, carrier: str) -> None:
    async with p.playing(host, f"{SMALL}&via={carrier}") as player:
        before = await player.session()
        host.kill()
        await player.says("host_gone", 20)
        await asyncio.to_thread(host.start)
        await player.is_silent()
        await player.pictures(30)
        assert await player.session() not in (None, before)
        await player.stamp()


async def test_somebody_who_is_signed_in_comes_back_to_a_host_that_was_killed(host: HostProcess) -> None:
    async with web.console(host) as page:
        await web.choose_password(page, host)
        await page.get_by_role("link", name="Play").click()
        player = p.Player(page, host)
        await player.pictures(10)
        host.kill()
        await player.says("host_gone", 20)
        await asyncio.to_thread(host.start)
        await player.pictures(10)
        await player.is_silent()


async def test_a_killed_worker_is_told_and_replaced(host: HostProcess) -> None:
    async with p.playing(host, SMALL) as player:
        before = await player.session()
        said = asyncio.create_task(player.says("recovering", 10))
        for worker in children_running(host, "punktfunk.browser.worker"):
            os.kill(worker, signal.SIGKILL)
        await said
        await player.pictures(30)
        await player.is_silent()
        assert await player.session() == before


@pytest.mark.parametrize("carrier", p.CARRIERS)
@pytest.mark.parametrize("cut_s", [4.0, 9.0])
async def test_a_way_that_was_cut_for_a_while(host: HostProcess, carrier: str, cut_s: float) -> None:
    query = f"{SMALL}&via={carrier}"
    async with way.Way(host.mgmt_port) as route, p.playing(host, query, address=way.ADDRESS) as player:
        assert await player.canvas.get_attribute("data-carrier") == carrier
        before = await player.session()
        route.cut()
        since = time.monotonic()
        await player.says("silent", cut_s)
        await asyncio.sleep(cut_s - (time.monotonic() - since))
        route.mend()
        await player.pictures(60, 30)
        await player.is_silent()
        assert await player.session() == before


@pytest.mark.parametrize("carrier", p.CARRIERS)
async def test_the_bitrate_falls_to_what_a_slow_way_carries(tmp_path: Path, carrier: str) -> None:
    slow = Impairments(rate_kbps=2000, delay_s=0.02, queue_bytes=64 * 1024)
    with running_host(tmp_path / "host", *QUIET, prefix=altered_host.PREFIX) as host:
        query = f"size=480x270&fps=20&via={carrier}"
        async with (
            way.Way(host.mgmt_port, slow),
            p.playing(host, query, address=way.ADDRESS, wait=False) as player,
        ):
            await player.pictures(5)
            kbps = [10_000]
            deadline = time.monotonic() + 60
            while kbps[-1] > slow.rate_kbps:
                assert time.monotonic() < deadline, kbps
                await asyncio.sleep(0.5)
                kbps.append(await player.page.evaluate("window.punktfunk.connection.kbps"))
            await player.pictures(100, 30)
            await player.stamp()


async def test_lost_packets_cost_few_pictures(host: HostProcess) -> None:
    lossy = Impairments(loss=0.03, delay_s=0.02)
    query = "size=480x270&fps=10&via=webtransport"  # little enough that a busy machine's decoder does not fall behind
    async with way.Way(host.mgmt_port, lossy) as route, p.playing(host, query, address=way.ADDRESS) as player:
        await player.pictures(100, 40)
        await player.is_silent()
        figures, lost = await player.page.evaluate("window.punktfunk.picture.figures"), route.lost
    # QUIC sends packets again, so none of them costs a picture. What does is a page that falls behind, and asks for a
    # keyframe: the pictures up to it are not sent. That has nothing to do with how many packets were lost.
    assert lost >= 8
    assert figures["keyframesAsked"] <= lost / 4, figures
    assert figures["missing"] <= 3 * figures["keyframesAsked"], figures
    assert figures["decoderErrors"] == 0, figures


async def test_two_players_have_a_desktop_each_and_one_link_one_window(host: HostProcess) -> None:
    async with (
        p.browser() as started,
        p.playing(host, SMALL, started=started) as first,
        p.playing(host, SMALL, started=started) as second,
    ):
        assert await first.session() != await second.session()
        await asyncio.gather(first.pictures(30), second.pictures(30))
        context = await started.new_context(ignore_https_errors=True)
        other = p.Player(await context.new_page(), host)
        await other.page.goto(first.page.url)
        await other.pictures(10)
        assert await other.session() == await first.session()
        await first.says("taken_over")
        await other.do("end")
        await other.do("end_sure")
        await other.says("session_over")
        await second.pictures(30)
        await expect(first.page.get_by_role("button", name="Play here")).to_be_visible()
        await context.close()


@pytest.mark.parametrize("carrier", p.CARRIERS)
async def test_a_link_that_is_taken_back_ends_the_playing(host: HostProcess, carrier: str) -> None:
    async with p.browser() as started:
        context = await started.new_context(ignore_https_errors=True)
        link = await p.share(host, context)
        async with p.playing(host, f"{SMALL}&via={carrier}", started=started, link=link) as player:
            answer = await p.api(host, context, "DELETE", f"/play/links/{link['id']}")
            assert answer.status == 204
            await player.says("revoked", 2.5)
            drawn = await player.figure("drawn")
            await asyncio.sleep(0.5)
            assert await player.figure("drawn") == drawn
            await player.page.reload()
            await player.says("link_over")


async def test_a_hidden_page_gets_no_pictures_and_a_fresh_one_when_it_is_looked_at(host: HostProcess) -> None:
    async with p.playing(host, SMALL) as player:
        await player.page.evaluate(HIDE, True)
        await asyncio.sleep(1)
        before = await player.figure("bytes")
        await asyncio.sleep(1.5)
        assert await player.figure("bytes") == before
        await player.page.evaluate(HIDE, False)
        await player.pictures(30)
        await player.is_silent()


async def test_a_decoder_that_fails_is_replaced(host: HostProcess) -> None:
    async with p.playing(host, SMALL) as player:
        await player.page.evaluate(BREAK_ONCE)
        await player.pictures(60)
        assert await player.figure("decoderErrors") >= 1
        await player.stamp()


async def test_browsers_and_links_that_cannot_play_are_told_why(host: HostProcess) -> None:
    async with p.browser() as started:

        def visit(link: dict[str, str] | None = None, script: str = "", locale: str = "en-GB") -> Any:
            return p.playing(host, SMALL, started=started, link=link, script=script, locale=locale, wait=False)

        async with visit(script="delete globalThis.VideoDecoder") as player:
            await player.says("no_webcodecs")
        async with visit(
            script="VideoDecoder.isConfigSupported = () => Promise.resolve({ supported: false })"
        ) as player:
            await player.says("no_codec")
        async with visit({"path": "/play#not-a-link"}) as player:
            await player.says("link_over")
        async with visit({"path": "/play#"}, locale="de-DE") as player:
            await player.says("signed_out")
            await expect(player.page.get_by_text("Du bist an diesem Host nicht angemeldet.")).to_be_visible()
            await player.page.get_by_role("button", name="Anmelden").click()
            await player.page.wait_for_url("**/")


async def test_a_controller_is_seen_and_shakes(tmp_path: Path) -> None:
    with running_host(tmp_path / "host", *QUIET, prefix=altered_host.PREFIX) as host:
        async with p.playing(host, SMALL, script=PAD) as player:
            await p.until(lambda: "pad 0 arrived with 7" in host.log())
            for value in (0.25, 1):
                await player.page.evaluate("v => { window.pad.buttons[6] = { pressed: true, value: v }; }", value)
                level = round(255 * value) * 257 / 65535
                await player.page.wait_for_function(SHAKES, arg=level)
            await player.page.evaluate("window.pad.axes = [0, -1, 0, 0]; window.pad.buttons[0] = { pressed: true }")
            state = "buttons=4096, left_trigger=255, right_trigger=0, left_x=0, left_y=32767"
            await p.until(lambda: state in host.log())
            await player.page.evaluate("window.pad.connected = false")
            await p.until(lambda: "pad 0 removed after" in host.log())
