"""The clipboard in both directions, with its transfer streams (punktfunk1.md §6.8)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from punktfunk.client.endpoint import Endpoint, StreamHandler
from punktfunk.client.errors import ClientError
from punktfunk.wire.punktfunk1.clipstream import (
    MAX_TRANSFER_BYTES,
    STALL_SECONDS,
    FetchReader,
    TransferReader,
    encode_fetch,
    encode_fetch_header,
)
from punktfunk.wire.punktfunk1.control import MAX_CLIP_FORMATS, encode_control
from punktfunk.wire.punktfunk1.enums import STREAM_CANCELLED, FetchStatus
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.messages import (
    NOT_A_FILE,
    ClipControl,
    ClipFetch,
    ClipFetchHeader,
    ClipFormat,
    ClipOffer,
    ClipState,
)

TEXT = "text/plain;charset=utf-8"
HTML = "text/html"
PNG = "image/png"
_HALF = 1 << 31


class ClipboardError(ClientError):
    """A transfer was refused, broke off or stalled."""


class Clipboard:
    """One session's clipboard. Nothing passes before ``enable`` and the host's consent in ``state``."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.state: ClipState | None = None
        """The host's last word on it."""
        self.remote: ClipOffer | None = None
        """What the host's clipboard holds."""
        self._endpoint = endpoint
        self._own: Mapping[str, bytes] = {}
        self._seq = 0
        endpoint.on_peer_stream = self._peer_stream

    def enable(self, enabled: bool = True) -> None:
        """Switch it on or off; the host's answer arrives as a ``ClipState`` event."""
        self._endpoint.send_control(encode_control(ClipControl(enabled)))

    def offer(self, contents: Mapping[str, bytes]) -> None:
        """This side's clipboard holds these formats now; they stay here until the host fetches one."""
        if len(contents) > MAX_CLIP_FORMATS:
            raise ValueError(f"{len(contents)} formats, at most {MAX_CLIP_FORMATS} allowed")
        self._own = dict(contents)
        self._seq = self._seq % 0xFFFF_FFFF + 1
        formats = tuple(ClipFormat(mime, len(data)) for mime, data in contents.items())
        self._endpoint.send_control(encode_control(ClipOffer(self._seq, formats)))

    async def fetch(self, mime: str, *, limit: int = MAX_TRANSFER_BYTES) -> bytes:
        """The host's clipboard in one of the formats it offers; at most ``limit`` bytes. Raises ``ClipboardError``.
        Cancelling ends the transfer on both sides."""
        if self.remote is None:
            raise ClipboardError("the host's clipboard is empty")
        loop = asyncio.get_running_loop()
        transfer = _Fetch(TransferReader(loop.time(), limit))
        stream_id = self._endpoint.open_stream(transfer, encode_fetch(ClipFetch(self.remote.seq, mime)))
        self._endpoint.send_stream(stream_id, b"", end=True)
        try:
            while not transfer.done.done():
                left = transfer.reader.deadline - loop.time()
                if left <= 0:
                    raise ClipboardError(f"the transfer stood still for {STALL_SECONDS:.0f} s")
                await asyncio.wait([transfer.done], timeout=left)
        except BaseException:
            self._endpoint.cancel_stream(stream_id, STREAM_CANCELLED)
            transfer.done.cancel()
            raise
        if transfer.done.exception() is not None:
            self._endpoint.cancel_stream(stream_id, STREAM_CANCELLED)
        return transfer.done.result()

    def received(self, message: ClipState | ClipOffer) -> None:
        """What the host said on the control stream."""
        if isinstance(message, ClipState):
            self.state = message
        elif self.remote is None or 0 < (message.seq - self.remote.seq) % (2 * _HALF) < _HALF:
            self.remote = message

    def _peer_stream(self, stream_id: int) -> StreamHandler:
        return _Serve(self, self._endpoint, stream_id)

    def _answer(self, fetch: ClipFetch) -> tuple[FetchStatus, bytes]:
        if fetch.seq != self._seq:
            return FetchStatus.STALE, b""
        data = self._own.get(fetch.mime)
        if data is None or fetch.file_index != NOT_A_FILE:
            return FetchStatus.UNAVAILABLE, b""
        return FetchStatus.OK, data


class _Fetch:
    """Reads what the host sends on a stream that this side opened."""

    def __init__(self, reader: TransferReader) -> None:
        self.reader = reader
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self.done: asyncio.Future[bytes] = loop.create_future()

    def data(self, data: bytes, end: bool) -> None:
        if self.done.done():
            return
        try:
            self.reader.feed(data, self._now())
            header = self.reader.header
            if header is not None and header.status != FetchStatus.OK:
                self._fail(f"the host refused: {_status(header.status)}")
            elif end:
                self.done.set_result(self.reader.finish())
        except MalformedError as error:
            self._fail(f"the host sent a broken transfer ({error})")

    def reset(self) -> None:
        self._fail("the host gave the transfer up")

    def _fail(self, text: str) -> None:
        if not self.done.done():
            self.done.set_exception(ClipboardError(text))


class _Serve:
    """Answers a fetch on a stream that the host opened."""

    def __init__(self, clipboard: Clipboard, endpoint: Endpoint, stream_id: int) -> None:
        self._clipboard, self._endpoint, self._stream_id = clipboard, endpoint, stream_id
        self._reader = FetchReader()
        self._answered = False

    def data(self, data: bytes, end: bool) -> None:
        if self._answered:
            return
        try:
            fetch = self._reader.feed(data)
        except MalformedError:
            self._answered = True
            self._endpoint.cancel_stream(self._stream_id, STREAM_CANCELLED)
            return
        if fetch is not None:
            self._answered = True
            status, content = self._clipboard._answer(fetch)
            head = encode_fetch_header(ClipFetchHeader(status, len(content)))
            self._endpoint.send_stream(self._stream_id, head + content, end=True)

    def reset(self) -> None:
        """Nothing is held for it."""


def _status(status: int) -> str:
    try:
        return FetchStatus(status).name.lower()
    except ValueError:
        return f"status {status}"
