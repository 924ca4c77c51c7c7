"""A person who plays in a real browser: looks at the canvas, types, clicks, listens, comes back."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import os
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from playwright.async_api import Browser, BrowserContext, Error, Page, async_playwright, expect
from tests.e2e.desktop_tools import Picture, children_running, read, shared_folder, shows_terminal
from tests.e2e.host_process import HostProcess, running_host
from tests.web import console as web

from punktfunk.media.stamp import HEIGHT, WIDTH, Stamp, read_stamp

CARRIERS = ("webtransport", "websocket")
SIZE = {"width": 1280, "height": 720}
ALL_RIGHTS = 63
LOOK_ONLY = 0
FIRST_PICTURE_S = 20.0
_SHIFTED = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./", strict=True))
_CANVAS = "() => document.querySelector('#picture').toDataURL('image/png').split(',')[1]"


@contextlib.contextmanager
def desktop_host() -> Iterator[HostProcess]:
    """A host with the real desktop, in a folder where tests and the desktop's programs can both write."""
    with shared_folder() as folder, running_host(folder, "--display", "embedded") as host:
        yield host


class Player:
    """One page that plays."""

    def __init__(self, page: Page, host: HostProcess) -> None:
        self.page = page
        self.host = host
        self.canvas = page.locator("#picture")

    async def figure(self, name: str) -> Any:
        """One of the picture's figures."""
        return await self.page.evaluate("name => window.punktfunk.picture.figures[name]", name)

    async def session(self) -> str | None:
        """The id of the host's session that the page plays."""
        return await self.canvas.get_attribute("data-session")

    async def pictures(self, more: int, limit_s: float = FIRST_PICTURE_S) -> None:
        """Wait for so many more pictures on the canvas, of this connection or a newer one."""
        seen, last, deadline = 0, None, time.monotonic() + limit_s
        while seen < more:
            assert time.monotonic() < deadline, f"{seen} of {more} pictures in {limit_s:g} s; {await self.message()}"
            drawn = await self.page.evaluate("() => Number(document.querySelector('#picture').dataset.frames ?? 0)")
            if last is not None:
                seen += drawn - last if drawn >= last else drawn
            last = drawn
            await asyncio.sleep(0.05)

    async def message(self) -> str | None:
        """What the page says in the middle, by its key."""
        look = "document.querySelector('#status [data-message]')?.dataset.message ?? null"
        said: str | None = await self.page.evaluate(look)
        return said

    async def says(self, message: str, limit_s: float = 10.0) -> None:
        """Wait until the page says this."""
        await expect(self.page.locator(f"#status [data-message={message}]")).to_be_visible(timeout=limit_s * 1000)

    async def is_silent(self, limit_s: float = FIRST_PICTURE_S) -> None:
        """Wait until no message covers the picture."""
        await expect(self.page.locator("#status")).to_be_hidden(timeout=limit_s * 1000)

    async def pixels(self) -> Picture:
        """What the canvas holds."""
        return decode_png(base64.b64decode(await self.page.evaluate(_CANVAS)))

    async def until_pixels(self, condition: Callable[[Picture], bool], limit_s: float = 20.0) -> Picture:
        """The first canvas from now on that fulfils the condition."""
        deadline = time.monotonic() + limit_s
        while not condition(picture := await self.pixels()):
            assert time.monotonic() < deadline, f"not seen within {limit_s:g} s; the page says {await self.message()}"
            await asyncio.sleep(0.1)
        return picture

    async def stamp(self) -> Stamp:
        """What the test pattern's corner says."""
        picture = (await self.pixels())[:HEIGHT, :WIDTH]
        found = read_stamp(np.ascontiguousarray(picture))
        assert found is not None, "the canvas does not show the test pattern"
        return found

    async def press(self, key: str) -> None:
        """Press a key of a US keyboard; characters above others with Shift, as fingers do it."""
        below = _SHIFTED.get(key, key.lower() if len(key) == 1 and key.isupper() else None)
        if below is not None:
            await self.page.keyboard.down("Shift")
        await self.page.keyboard.press(below or key)
        if below is not None:
            await self.page.keyboard.up("Shift")

    async def type_line(self, line: str) -> None:
        """Type a command, and Enter."""
        for char in line:
            await self.press("Space" if char == " " else char)
        await self.press("Enter")

    async def terminal_is_up(self) -> None:
        """Wait for the desktop's first terminal, and until it does what is typed."""
        await self.until_pixels(shows_terminal, 30)
        await self.page.evaluate("document.querySelector('#picture').focus()")
        sign = self.host.folder / f"up{time.monotonic_ns()}"
        for _ in range(10):
            await self.type_line(f"touch {sign}")
            with contextlib.suppress(AssertionError):
                await until(lambda: sign.exists(), 3)
                return
        raise AssertionError("no terminal came up")

    async def open_bar(self) -> None:
        """As somebody would who saw the handle."""
        if not await self.page.locator("#bar.shown").count():
            await self.page.locator("#handle").click()
        await expect(self.page.locator("#bar")).to_be_visible()

    async def do(self, deed: str) -> None:
        """Press a button of the bar."""
        await self.open_bar()
        await self.page.locator(f"#bar [data-deed={deed}]").click()


def api(host: HostProcess, context: BrowserContext, method: str, path: str, body: Any = None) -> Awaitable[Any]:
    """A request with the machine's token."""
    token = (host.folder / "config" / "mgmt-token").read_text().strip().rpartition("=")[2]
    url = f"https://127.0.0.1:{host.mgmt_port}/api/v1{path}"
    headers = {"Authorization": f"Bearer {token}"}
    return context.request.fetch(url, method=method, data=body, headers=headers)


async def share(host: HostProcess, context: BrowserContext, rights: int = ALL_RIGHTS, lifetime_s: int = 600) -> Any:
    """A new share link."""
    wish = {"name": "Guest", "grants": rights, "expires_in_s": lifetime_s}
    answer = await api(host, context, "POST", "/play/links", wish)
    assert answer.ok, await answer.text()
    return await answer.json()


async def unshare(host: HostProcess, context: BrowserContext, link: Any) -> None:
    """Take a link back, and its desktop with it."""
    with contextlib.suppress(Error):  # the test may have killed the host
        await api(host, context, "DELETE", f"/play/links/{link['id']}")


@asynccontextmanager
async def browser(*flags: str) -> AsyncIterator[Browser]:
    """Chromium with more flags than the console needs."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=web.browser_program(), args=[*web.FLAGS, *flags], ignore_default_args=["--mute-audio"]
        )
        try:
            yield started
        finally:
            await started.close()


@asynccontextmanager
async def playing(
    host: HostProcess,
    query: str = "size=1280x720",
    *,
    rights: int = ALL_RIGHTS,
    flags: Sequence[str] = (),
    started: Browser | None = None,
    link: Any = None,
    script: str = "",
    address: str = "127.0.0.1",
    wait: bool = True,
    **options: Any,
) -> AsyncIterator[Player]:
    """A page that plays by a share link, with its first pictures unless nobody waits. Whatever it complains about fails
    the test."""
    complaints: list[str] = []
    async with contextlib.AsyncExitStack() as stack:
        if started is None:
            started = await stack.enter_async_context(browser(*flags))
        settings: dict[str, Any] = {"viewport": SIZE, "locale": "en-GB", "ignore_https_errors": True, **options}
        context = await started.new_context(base_url=f"https://{address}:{host.mgmt_port}", **settings)
        stack.push_async_callback(context.close)
        if link is None:
            link = await share(host, context, rights)
            stack.push_async_callback(unshare, host, context, link)
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        if script:
            await page.add_init_script(script)
        await page.goto(link["path"].replace("#", f"?{query}#"))
        player = Player(page, host)
        if wait:
            await player.pictures(5)
            await player.is_silent()
        yield player
    assert not complaints


async def until(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    """Wait for something on this machine."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s:g} s"
        await asyncio.sleep(0.05)


def decode_png(data: bytes) -> Picture:
    """RGB pixels of a PNG."""
    with av.open(io.BytesIO(data)) as file:
        frame = next(file.decode(video=0))
        picture: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
        return picture


def run_in_desktop(host: HostProcess, *command: str, stdout: Any = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """A program among those of the desktop: its user, its environment."""
    (terminal, *_) = children_running(host, "foot")
    owner = Path(f"/proc/{terminal}").stat()
    lines = read(Path(f"/proc/{terminal}/environ")).split("\0")
    environment = dict(line.split("=", 1) for line in lines if "=" in line)
    as_owner = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.Popen(command, stdout=stdout, env=environment, cwd="/", **as_owner)


def screenshot(host: HostProcess) -> Picture:
    """What the desktop's compositor shows, with the pointer as in the stream."""
    process = run_in_desktop(host, "grim", "-c", "-", stdout=subprocess.PIPE)
    data, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    return decode_png(data)
