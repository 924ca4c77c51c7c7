"""Text between the page's clipboard and the desktop's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from punktfunk.session.clipboard import DesktopClipboard

MAX_TEXT_BYTES = 64 * 1024
TEXT = "text/plain;charset=utf-8"


class PageClipboard:
    """One connection's; at most one read of the desktop is under way. ``send`` tells the page."""

    def __init__(self, desktop: DesktopClipboard, send: Callable[[str], None]) -> None:
        self._desktop = desktop
        self._send = send
        self._known = ""
        self._reading: asyncio.Task[None] | None = None
        self._changed_meanwhile = False
        desktop.watch(self._changed)

    async def page_holds(self, text: str) -> None:
        """The page's clipboard holds this now."""
        if len(text.encode()) <= MAX_TEXT_BYTES and text != self._known:
            self._known = text
            await self._desktop.write(TEXT, text.encode())

    async def close(self) -> None:
        """Stop watching."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._desktop.close()

    def _changed(self) -> None:
        self._changed_meanwhile = True
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while self._changed_meanwhile:
            self._changed_meanwhile = False
            content = await self._desktop.read(TEXT)
            if content is None or len(content) > MAX_TEXT_BYTES:
                continue
            text = content.decode(errors="replace")
            if text and text != self._known:
                self._known = text
                self._send(text)
