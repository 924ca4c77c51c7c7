"""Stream numbering that outlives the process: a replacement worker continues without reusing a number or a nonce.

The numbers live in 64-bit native words of memory that the caller may map from a file descriptor. A word is stored in
one machine instruction, so a process killed at any point leaves either the old or the new value, and numbers are
reserved in it before the packets that carry them exist.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

MAX_GENERATION = 255

_WORD = struct.calcsize("Q")


class _Words:
    """A block of native-endian u64 words, zero in a new stream."""

    COUNT: int

    def __init__(self, storage: bytearray | memoryview | None) -> None:
        size = self.COUNT * _WORD
        view = memoryview(bytearray(size) if storage is None else storage).cast("B")
        if view.readonly or len(view) < size:
            raise ValueError(f"storage must be at least {size} writable bytes")
        self._words = view[:size].cast("Q")

    def _take(self, word: int, count: int) -> int:
        first = self._words[word]
        self._words[word] = first + count
        return first


class FrameNumbers(NamedTuple):
    """The first numbers of one frame; ``sequence`` is unwrapped."""

    frame_index: int
    sequence: int
    nonce: int


class VideoNumbers(_Words):
    """Numbers of a video stream (gamestream.md §4.6, §4.8).

    Storage is 6 words (48 bytes): frames sent, next unwrapped sequence number, next nonce counter, generation, capture
    time that is RTP time 0 (ns, 0 = none yet), last unwrapped RTP timestamp. One thread uses it at a time.
    """

    COUNT = 6
    STORAGE_BYTES = COUNT * _WORD
    _FRAMES, _SEQUENCE, _NONCE, _GENERATION, _EPOCH, _TIMESTAMP = range(6)

    def __init__(self, storage: bytearray | memoryview | None = None) -> None:
        super().__init__(storage)

    @property
    def generation(self) -> int:
        """How many processes numbered this stream before; part of every nonce."""
        return self._words[self._GENERATION]

    def take_over(self) -> None:
        """Continue a stream whose process died. Call once in its replacement, before the first frame."""
        if self.generation >= MAX_GENERATION:
            raise OverflowError("the stream has been taken over too often for another set of nonces")
        self._words[self._GENERATION] = self.generation + 1

    def reserve(self, datagrams: int) -> FrameNumbers:
        """The next frame index (from 1), and a sequence number and nonce for each of its datagrams (from 0)."""
        nonce = self._take(self._NONCE, datagrams)
        sequence = self._take(self._SEQUENCE, datagrams)
        return FrameNumbers(self._take(self._FRAMES, 1) + 1, sequence, nonce)

    def rtp_timestamp(self, capture_ns: int) -> int:
        """90 kHz time since the first capture, u32: rises with every call even when ``capture_ns`` does not."""
        if self._words[self._EPOCH] == 0:
            self._words[self._EPOCH] = capture_ns
        elapsed = (capture_ns - self._words[self._EPOCH]) * 9 // 100_000
        timestamp = max(elapsed, self._words[self._TIMESTAMP] + 1)
        self._words[self._TIMESTAMP] = timestamp
        return timestamp & 0xFFFF_FFFF


class AudioNumbers(_Words):
    """Numbers of an audio stream (gamestream.md §5.2): storage is one word, the data packets sent."""

    COUNT = 1
    STORAGE_BYTES = COUNT * _WORD

    def __init__(self, storage: bytearray | memoryview | None = None) -> None:
        super().__init__(storage)

    def reserve(self) -> int:
        """The next unwrapped sequence number, from 0."""
        return self._take(0, 1)
