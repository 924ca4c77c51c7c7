"""Clipboard transfer streams: one fetch, one header, raw bytes to the end (punktfunk1.md §6.8)."""

from __future__ import annotations

from punktfunk.wire.punktfunk1.control import decode_control, encode_control
from punktfunk.wire.punktfunk1.enums import FetchStatus
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.framing import FrameDecoder, encode_frame
from punktfunk.wire.punktfunk1.messages import ClipFetch, ClipFetchHeader

STREAM_MAGIC = b"PKFs"
KIND_CLIPBOARD = 0x01
PREFACE = STREAM_MAGIC + bytes([KIND_CLIPBOARD])

MAX_TRANSFER_BYTES = 64 * 1024 * 1024
STALL_SECONDS = 60.0
PIECE_BYTES = 64 * 1024
_MAX_FETCH_BYTES = 256
_HEADER_FRAME_BYTES = 2 + 14
_HEADER_FRAME_SIZE = (14).to_bytes(2, "little")


def encode_fetch(fetch: ClipFetch) -> bytes:
    """What the requester writes on its new stream."""
    return PREFACE + encode_frame(encode_control(fetch))


def encode_fetch_header(header: ClipFetchHeader) -> bytes:
    """What the holder answers before the bytes."""
    return encode_frame(encode_control(header))


class FetchReader:
    """The holder's side: reads the preface and the one request. Raises ``MalformedError`` for anything else, after
    which the stream is to be stopped."""

    __slots__ = ("_frames", "_preface")

    def __init__(self) -> None:
        self._preface = b""
        self._frames = FrameDecoder(_MAX_FETCH_BYTES)

    def feed(self, data: bytes) -> ClipFetch | None:
        """The request once it is complete."""
        missing = len(PREFACE) - len(self._preface)
        self._preface += data[:missing]
        if self._preface != PREFACE[: len(self._preface)]:
            raise MalformedError("stream.preface", "not a clipboard transfer")
        for payload in self._frames.feed(data[missing:]):
            message = decode_control(payload)
            if not isinstance(message, ClipFetch):
                raise MalformedError("stream.request", "not a ClipFetch")
            return message
        return None


class TransferReader:
    """The requester's side: the header, then at most ``limit`` bytes. The transfer stalls ``STALL_SECONDS`` after the
    last byte."""

    def __init__(self, now: float, limit: int = MAX_TRANSFER_BYTES) -> None:
        self._limit = limit
        self._head = b""
        self._content = bytearray()
        self.header: ClipFetchHeader | None = None
        self.deadline = now + STALL_SECONDS

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes of the stream; raises ``MalformedError`` when there are more than allowed or announced."""
        if data:
            self.deadline = now + STALL_SECONDS
        if self.header is None:
            data = self._read_header(data)
        if self.header is None:
            return
        if len(self._content) + len(data) > self._allowed(self.header):
            raise MalformedError("transfer", f"more than {self._allowed(self.header)} bytes")
        self._content += data

    def finish(self) -> bytes:
        """The content, at the end of the stream; raises ``MalformedError`` if it is not all there."""
        if self.header is None:
            raise MalformedError("transfer", "ended before its header")
        if self.header.total_size and self.header.status == FetchStatus.OK:
            missing = self.header.total_size - len(self._content)
            if missing:
                raise MalformedError("transfer", f"ended {missing} bytes early")
        return bytes(self._content)

    def _read_header(self, data: bytes) -> bytes:
        missing = _HEADER_FRAME_BYTES - len(self._head)
        self._head += data[:missing]
        if len(self._head) == _HEADER_FRAME_BYTES:
            message = decode_control(self._head[2:])
            if self._head[:2] != _HEADER_FRAME_SIZE or not isinstance(message, ClipFetchHeader):
                raise MalformedError("transfer.header", "not a ClipFetchHdr")
            self.header = message
        return data[missing:]

    def _allowed(self, header: ClipFetchHeader) -> int:
        if header.status != FetchStatus.OK:
            return 0
        return min(self._limit, header.total_size or self._limit)
