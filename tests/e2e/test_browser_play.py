"""The player page in Debian's chromium against a real host: both carriers show the session's picture."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.e2e.host_process import HostProcess

from punktfunk.media.stamp import HEIGHT, WIDTH, read_stamp

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
PASSWORD = "correct horse battery staple"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
A_HUNDRED = re.compile(r"^\d{3,}$")
PIXELS = (
    f"() => Array.from(document.querySelector('#picture').getContext('2d').getImageData(0, 0, {WIDTH}, {HEIGHT}).data)"
)

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostProcess]:
    process = HostProcess(tmp_path / "host", "--display", "synthetic")
    try:
        yield process.start()
    finally:
        process.stop()


@pytest.fixture
def page(host: HostProcess) -> Iterator[Any]:
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(ignore_https_errors=True)
        origin = f"https://127.0.0.1:{host.mgmt_port}"
        secret = (host.folder / "config" / "mgmt-token").read_text().strip().rpartition("=")[2]
        link = context.request.post(
            f"{origin}/api/v1/play/links",
            data={"name": "Test", "grants": 63, "expires_in_s": 600},
            headers={"Authorization": f"Bearer {secret}"},
        )
        assert link.ok, link.text()
        page = context.new_page()
        page.play_url = lambda query: f"{origin}{link.json()['path'].replace('#', f'?{query}#')}"  # type: ignore[attr-defined]
        yield page
        browser.close()


@pytest.mark.parametrize("carrier", ["websocket", "webtransport"])
def test_the_canvas_shows_the_sessions_picture(page: Any, carrier: str):
    page.goto(page.play_url(f"via={carrier}&size=1280x720"))
    picture = page.locator("#picture")
    sync_api.expect(picture).to_have_attribute("data-frames", A_HUNDRED, timeout=20_000)

    assert picture.get_attribute("data-carrier") == carrier
    first, second = (_stamp(page) for _ in range(2))
    assert first is not None
    assert second is not None
    assert second.frame > first.frame


def _stamp(page: Any) -> Any:
    picture = np.array(page.evaluate(PIXELS), np.uint8).reshape(HEIGHT, WIDTH, 4)[:, :, :3]
    return read_stamp(picture)
