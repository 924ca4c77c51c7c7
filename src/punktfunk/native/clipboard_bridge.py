"""Between a client's clipboard messages and the desktop's clipboard (punktfunk1.md §6.8)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Protocol

from punktfunk.native.clipboard import IMAGE_PNG, TEXT_HTML, TEXT_PLAIN, Clipboard
from punktfunk.session.clipboard import DesktopClipboard
from punktfunk.wire.punktfunk1.clipstream import (
    PIECE_BYTES,
    STALL_SECONDS,
    FetchReader,
    TransferReader,
    encode_fetch,
    encode_fetch_header,
)
from punktfunk.wire.punktfunk1.enums import STREAM_CANCELLED, FetchStatus
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.messages import NOT_A_FILE, ClipFetch, ClipFetchHeader, ClipOffer

MAX_TRANSFERS = 8
"""In both directions together; what comes above is cancelled."""
FETCH_ORDER = (TEXT_PLAIN, TEXT_HTML, IMAGE_PNG)
"""The desktop is given one type, because wl-copy offers one: the one that most programs take."""
_DESKTOP_TYPES = {
    TEXT_PLAIN: (TEXT_PLAIN, "text/plain", "UTF8_STRING"),
    TEXT_HTML: (TEXT_HTML,),
    IMAGE_PNG: (IMAGE_PNG,),
}

log = logging.getLogger(__name__)


class Streams(Protocol):
    """What a transfer needs of the connection."""

    def open_stream(self) -> int: ...

    def write(self, stream: int, data: bytes, *, end: bool = False) -> None: ...

    def discard_stream(self, stream: int, code: int) -> None: ...


class ClipboardBridge:
    """One connection's. ``state`` decides what may pass; ``send`` puts an offer on the control stream."""

    def __init__(
        self,
        desktop: DesktopClipboard,
        state: Clipboard,
        streams: Streams,
        send: Callable[[ClipOffer], None],
        background: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._desktop = desktop
        self._state = state
        self._streams = streams
        self._send = send
        self._background = background
        self._loop = asyncio.get_running_loop()
        self._serving: dict[int, FetchReader | None] = {}
        self._fetching: dict[int, tuple[ClipFetch, TransferReader]] = {}
        self._changes = 0
        self._closed = False

    def switched(self, enabled: bool) -> None:
        """The client wants the clipboard shared, or not any more."""
        if enabled:
            self._desktop.watch(self._desktop_changed)
            self._desktop_changed()

    def client_offers(self, offer: ClipOffer) -> None:
        """The client's clipboard holds something new: the desktop gets it at once, so that it can be pasted there."""
        offered = {entry.mime for entry in offer.formats}
        mime = next((mime for mime in FETCH_ORDER if mime in offered), None)
        if mime is None or self._full:
            return
        fetch = ClipFetch(offer.seq, mime, NOT_A_FILE)
        stream = self._streams.open_stream()
        self._fetching[stream] = fetch, TransferReader(self._loop.time())
        self._streams.write(stream, encode_fetch(fetch))
        self._expire_later(stream)

    def stream_data(self, stream: int, data: bytes, end: bool) -> None:
        """Bytes of a stream beside the control stream."""
        try:
            if stream in self._fetching:
                self._fetched(stream, data, end)
            else:
                self._asked(stream, data)
        except MalformedError as error:
            log.debug("a clipboard transfer is cancelled: %s", error)
            self._drop(stream)

    def stream_reset(self, stream: int) -> None:
        """The client gave a transfer up."""
        self._serving.pop(stream, None)
        self._fetching.pop(stream, None)

    async def close(self) -> None:
        """The connection is over."""
        self._closed = True
        self._serving.clear()
        self._fetching.clear()
        await self._desktop.close()

    @property
    def _full(self) -> bool:
        return len(self._serving) + len(self._fetching) >= MAX_TRANSFERS

    def _asked(self, stream: int, data: bytes) -> None:
        """The client fetches what the desktop holds."""
        if not data:  # the end of a stream that was answered already
            return
        if stream not in self._serving:
            if self._full:
                self._streams.discard_stream(stream, STREAM_CANCELLED)
                return
            self._serving[stream] = FetchReader()
            self._expire_later(stream)
        reader = self._serving[stream]
        fetch = reader.feed(data) if reader is not None else None
        if fetch is not None:
            self._serving[stream] = None
            self._background(self._serve(stream, fetch))

    async def _serve(self, stream: int, fetch: ClipFetch) -> None:
        status = self._state.client_fetches(fetch)
        content = await self._read(fetch.mime) if status is FetchStatus.OK else None
        if stream not in self._serving:
            return
        if status is FetchStatus.OK and content is None:
            status = FetchStatus.UNAVAILABLE
        content = content or b""
        self._streams.write(stream, encode_fetch_header(ClipFetchHeader(status, len(content))), end=not content)
        for start in range(0, len(content), PIECE_BYTES):
            piece = content[start : start + PIECE_BYTES]
            self._streams.write(stream, piece, end=start + len(piece) == len(content))
        self._serving.pop(stream, None)

    async def _read(self, mime: str) -> bytes | None:
        held = await self._desktop.types()
        name = next((name for name in _DESKTOP_TYPES.get(mime, ()) if name in held), None)
        return await self._desktop.read(name) if name is not None else None

    def _fetched(self, stream: int, data: bytes, end: bool) -> None:
        fetch, reader = self._fetching[stream]
        reader.feed(data, self._loop.time())
        if end:
            content = reader.finish()
            del self._fetching[stream]
            ok = reader.header is not None and reader.header.status == FetchStatus.OK
            if ok and self._state.enabled:
                self._background(self._paste(fetch.mime, content))

    async def _paste(self, mime: str, content: bytes) -> None:
        if not await self._desktop.write(mime, content):
            log.debug("the desktop did not take the client's clipboard")

    def _desktop_changed(self) -> None:
        self._changes += 1
        if not self._closed:
            self._background(self._offer(self._changes))

    async def _offer(self, change: int) -> None:
        """Tell the client what the desktop holds, unless it has changed again or is the client's own."""
        types = await self._desktop.types()
        if await self._desktop.is_own(types) or change != self._changes or self._closed:
            return
        formats = [(mime, 0) for mime, names in _DESKTOP_TYPES.items() if any(name in types for name in names)]
        offer = self._state.offer(formats) if formats else None
        if offer is not None:
            self._send(offer)

    def _expire_later(self, stream: int) -> None:
        self._loop.call_later(STALL_SECONDS, self._expire, stream)

    def _expire(self, stream: int) -> None:
        if stream in self._fetching:
            left_s = self._fetching[stream][1].deadline - self._loop.time()
            if left_s > 0:
                self._loop.call_later(left_s, self._expire, stream)
                return
        if isinstance(self._serving.get(stream), FetchReader) or stream in self._fetching:
            self._drop(stream)

    def _drop(self, stream: int) -> None:
        self.stream_reset(stream)
        self._streams.discard_stream(stream, STREAM_CANCELLED)
