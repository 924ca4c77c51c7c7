"""The clipboard between a client's streams and a desktop that is only pretended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from punktfunk.native.clipboard import IMAGE_PNG, TEXT_HTML, TEXT_PLAIN, Clipboard
from punktfunk.native.clipboard_bridge import MAX_TRANSFERS, ClipboardBridge
from punktfunk.session.clipboard import DesktopClipboard
from punktfunk.wire.punktfunk1.clipstream import FetchReader, TransferReader, encode_fetch, encode_fetch_header
from punktfunk.wire.punktfunk1.enums import FetchStatus
from punktfunk.wire.punktfunk1.messages import ClipControl, ClipFetch, ClipFetchHeader, ClipFormat, ClipOffer


class Desktop(DesktopClipboard):
    """Holds one content in memory."""

    def __init__(self) -> None:
        super().__init__({}, None)
        self.content: dict[str, bytes] = {}
        self.own = False
        self.closed = False
        self.changed: Callable[[], None] = lambda: None

    def watch(self, changed: Callable[[], None]) -> None:
        self.changed = changed

    async def types(self) -> list[str]:
        return list(self.content)

    async def read(self, mime: str) -> bytes | None:
        return self.content.get(mime)

    async def write(self, mime: str, content: bytes) -> bool:
        self.content, self.own = {mime: content}, True
        self.changed()
        return True

    async def is_own(self, types: list[str]) -> bool:
        return self.own

    async def close(self) -> None:
        self.closed = True

    def copy(self, content: dict[str, bytes]) -> None:
        """A program of the desktop copies something."""
        self.content, self.own = content, False
        self.changed()


class Wire:
    """The connection's streams as the bridge uses them."""

    def __init__(self) -> None:
        self.written: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.discarded: list[int] = []
        self.offers: list[ClipOffer] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._next = 1

    def open_stream(self) -> int:
        self._next += 4
        return self._next - 4

    def write(self, stream: int, data: bytes, *, end: bool = False) -> None:
        assert stream not in self.ended
        self.written[stream] = self.written.get(stream, b"") + data
        if end:
            self.ended.add(stream)

    def discard_stream(self, stream: int, code: int) -> None:
        self.discarded.append(stream)

    def background(self, work: Coroutine[None, None, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    async def settle(self) -> None:
        while self.tasks:
            await self.tasks.pop(0)


class Bench:
    def __init__(self) -> None:
        self.desktop, self.wire, self.state = Desktop(), Wire(), Clipboard()
        self.state.control(ClipControl(True, 0))
        self.bridge = ClipboardBridge(
            self.desktop, self.state, self.wire, self.wire.offers.append, self.wire.background
        )
        self.bridge.switched(True)

    async def fetch(self, stream: int, fetch: ClipFetch) -> tuple[FetchStatus, bytes]:
        self.bridge.stream_data(stream, encode_fetch(fetch), False)
        await self.wire.settle()
        self.bridge.stream_data(stream, b"", True)
        reader = TransferReader(0.0)
        reader.feed(self.wire.written[stream], 0.0)
        assert stream in self.wire.ended
        assert reader.header is not None
        return FetchStatus(reader.header.status), reader.finish()


@pytest.fixture
async def bench() -> Bench:
    made = Bench()
    await made.wire.settle()
    return made


async def test_what_the_desktop_copies_is_offered_and_fetched(bench: Bench) -> None:
    picture = bytes(range(256)) * 1000
    bench.desktop.copy({"text/plain": b"words", "image/png": picture, "SAVE_TARGETS": b""})
    await bench.wire.settle()
    (offer,) = bench.wire.offers
    assert [entry.mime for entry in offer.formats] == [TEXT_PLAIN, IMAGE_PNG]
    assert await bench.fetch(4, ClipFetch(offer.seq, TEXT_PLAIN)) == (FetchStatus.OK, b"words")
    assert await bench.fetch(8, ClipFetch(offer.seq, IMAGE_PNG)) == (FetchStatus.OK, picture)
    assert await bench.fetch(12, ClipFetch(offer.seq, TEXT_HTML)) == (FetchStatus.UNAVAILABLE, b"")
    assert await bench.fetch(16, ClipFetch(offer.seq + 1, TEXT_PLAIN)) == (FetchStatus.STALE, b"")
    bench.desktop.content = {}
    assert await bench.fetch(20, ClipFetch(offer.seq, TEXT_PLAIN)) == (FetchStatus.UNAVAILABLE, b"")


async def test_the_client_s_content_lands_in_the_desktop_and_is_not_offered_back(bench: Bench) -> None:
    offer = ClipOffer(1, (ClipFormat(IMAGE_PNG, 0), ClipFormat(TEXT_PLAIN, 5)))
    bench.bridge.client_offers(offer)
    reader = FetchReader()
    assert reader.feed(bench.wire.written[1]) == ClipFetch(1, TEXT_PLAIN)
    bench.bridge.stream_data(1, encode_fetch_header(ClipFetchHeader(FetchStatus.OK, 5)) + b"hel", False)
    bench.bridge.stream_data(1, b"lo", True)
    await bench.wire.settle()
    assert bench.desktop.content == {TEXT_PLAIN: b"hello"}
    assert bench.wire.offers == []


async def test_a_refused_or_broken_transfer_changes_nothing(bench: Bench) -> None:
    for number, answer in enumerate(
        (encode_fetch_header(ClipFetchHeader(FetchStatus.STALE, 0)), b"junk" * 8, b"", b"\x0e\x00PKFc")
    ):
        bench.bridge.client_offers(ClipOffer(number + 1, (ClipFormat(TEXT_PLAIN, 0),)))
        bench.bridge.stream_data(1 + 4 * number, answer, True)
    await bench.wire.settle()
    assert bench.desktop.content == {}
    assert not bench.bridge._full


async def test_transfers_are_few_and_junk_is_stopped(bench: Bench) -> None:
    for stream in range(4, 4 * 1000, 4):
        bench.bridge.stream_data(stream, b"PKFs", False)
    assert len(bench.wire.discarded) == 999 - MAX_TRANSFERS
    for stream in range(4, 4 + 4 * MAX_TRANSFERS, 4):
        bench.bridge.stream_data(stream, b"\x09junk", False)
    assert len(bench.wire.discarded) == 999
    assert not bench.bridge._full
    bench.bridge.stream_data(8000, encode_fetch(ClipFetch(1, TEXT_PLAIN)), False)
    bench.bridge.stream_reset(8000)
    await bench.wire.settle()
    assert 8000 not in bench.wire.written


async def test_switched_off_or_closed_nothing_passes(bench: Bench) -> None:
    bench.desktop.copy({"text/plain": b"secret"})
    await bench.wire.settle()
    (offer,) = bench.wire.offers
    bench.state.control(ClipControl(False, 0))
    assert await bench.fetch(4, ClipFetch(offer.seq, TEXT_PLAIN)) == (FetchStatus.DENIED, b"")
    bench.desktop.copy({"text/plain": b"more"})
    await bench.bridge.close()
    bench.desktop.copy({"text/plain": b"most"})
    await bench.wire.settle()
    assert bench.wire.offers == [offer]
    assert bench.desktop.closed
