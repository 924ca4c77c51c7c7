"""The ``u16 length ‖ payload`` framing of control and clipboard streams (punktfunk1.md §2.3)."""

from __future__ import annotations

from collections.abc import Iterator

from punktfunk.wire.punktfunk1.errors import MalformedError

MAX_FRAME_BYTES = 0xFFFF


def encode_frame(payload: bytes) -> bytes:
    """One framed payload."""
    if len(payload) > MAX_FRAME_BYTES:
        raise MalformedError("frame", f"{len(payload)} bytes, at most {MAX_FRAME_BYTES} allowed")
    return len(payload).to_bytes(2, "little") + payload


class FrameDecoder:
    """Cuts a stream into payloads, however the transport split it.

    ``limit`` bounds one payload: an endpoint that still waits for its peer's first message sets a small one, and a
    larger announcement fails before any of it is stored. At most one frame is ever held.
    """

    __slots__ = ("_buffer", "limit")

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self.limit = limit
        self._buffer = bytearray()

    @property
    def buffered(self) -> int:
        """Bytes of the unfinished frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Payloads completed by ``data``, in order; raises ``MalformedError`` for a frame over the limit."""
        view = memoryview(data)
        while True:
            wanted = self._wanted()
            piece = view[: wanted - len(self._buffer)]
            self._buffer += piece
            view = view[len(piece) :]
            if len(self._buffer) < wanted:
                return
            if wanted > 2 or self._wanted() == 2:
                payload = bytes(self._buffer[2:])
                self._buffer.clear()
                yield payload

    def _wanted(self) -> int:
        if len(self._buffer) < 2:
            return 2
        size = int.from_bytes(self._buffer[:2], "little")
        if size > self.limit:
            raise MalformedError("frame", f"{size} bytes, at most {self.limit} allowed here")
        return 2 + size
