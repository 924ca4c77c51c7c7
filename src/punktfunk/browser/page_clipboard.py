"""Text between the page's clipboard and the desktop's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from punktfunk.session.clipboard import DesktopClipboard

MAX_TEXT_BYTES = 64 * 1024
TEXT = "text/plain;charset=utf-8"


class PageClipboard:
    """One connection's; at most one read and one write of the desktop are under way, and of texts that come meanwhile
    only the newest counts. ``send`` tells the page, ``taken`` that the desktop holds what it sent."""

    def __init__(self, desktop: DesktopClipboard, send: Callable[[str], None], taken: Callable[[], None]) -> None:
        self._desktop = desktop
        self._send = send
        self._taken = taken
        self._known = ""
        self._wanted: str | None = None
        self._writing: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._changed_meanwhile = False
        desktop.watch(self._changed)

    def page_holds(self, text: str) -> None:
        """The page's clipboard holds this now."""
        if len(text.encode()) > MAX_TEXT_BYTES:
            return
        self._wanted = text
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Stop watching."""
        running = [task for task in (self._reading, self._writing) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._desktop.close()

    def _changed(self) -> None:
        self._changed_meanwhile = True
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())

    async def _write(self) -> None:
        while (text := self._wanted) is not None:
            self._wanted = None
            if text != self._known:
                self._known = text
                await self._desktop.write(TEXT, text.encode())
            self._taken()

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
