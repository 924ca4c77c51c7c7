"""The video plane's counters, in memory that outlives the process: a replacement never uses a nonce twice."""

from __future__ import annotations

import struct
from typing import NamedTuple

_WORD = struct.calcsize("Q")


class PacketNumbers(NamedTuple):
    """The first numbers of a run of packets; the rest follow in steps of one. ``stream_seq`` wraps at 32 bits."""

    seq: int
    stream_seq: int


class VideoNumbers:
    """What a session counts (punktfunk1.md §5.1, §5.2): sealed packets, video frames, probe frames.

    Storage is three native 64-bit words, zero in a new session; the caller may map it from a file descriptor. A word
    is stored by one machine instruction, and always before the packets that carry its numbers exist, so whoever takes
    over after a crash finds either the old or the new value. One thread uses it at a time.
    """

    STORAGE_BYTES = 3 * _WORD
    _PACKETS, _FRAMES, _PROBES = range(3)

    def __init__(self, storage: bytearray | memoryview | None = None) -> None:
        view = memoryview(bytearray(self.STORAGE_BYTES) if storage is None else storage).cast("B")
        if view.readonly or len(view) < self.STORAGE_BYTES:
            raise ValueError(f"storage must be at least {self.STORAGE_BYTES} writable bytes")
        self._words = view[: self.STORAGE_BYTES].cast("Q")

    def reserve_packets(self, count: int) -> PacketNumbers:
        """Sequence numbers (each a nonce) for ``count`` packets."""
        first = self._take(self._PACKETS, count)
        return PacketNumbers(first, first & 0xFFFF_FFFF)

    def next_frame(self) -> int:
        """The index of the next video access unit, u32."""
        return self._take(self._FRAMES, 1) & 0xFFFF_FFFF

    def next_probe(self) -> int:
        """The index of the next filler access unit, u32, in its own number space."""
        return self._take(self._PROBES, 1) & 0xFFFF_FFFF

    def _take(self, word: int, count: int) -> int:
        first = self._words[word]
        self._words[word] = first + count
        return first
