"""The encryption envelope of video datagrams (gamestream.md §4.8)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from punktfunk.wire.aead import NONCE_BYTES, TAG_BYTES, BatchSealer

ENVELOPE_BYTES = 32

_NONCE = np.dtype(
    {
        "names": ["counter", "generation", "stream"],
        "formats": ["<u8", "u1", "u1"],
        "offsets": [0, 8, 11],
        "itemsize": NONCE_BYTES,
    }
)


class VideoEnvelope:
    """Seals the shards of one frame at a time into a buffer of its own, valid until the next frame.

    The nonce is the 64-bit LE counter, the generation, two zero bytes and ``V``.
    """

    def __init__(self, sealer: BatchSealer, shard_bytes: int) -> None:
        self._sealer = sealer
        self.datagram_bytes = shard_bytes + ENVELOPE_BYTES

    def grow(self, shards: NDArray[np.uint8]) -> None:
        """Prepare for frames whose plaintext lies in the rows of ``shards``."""
        capacity, stride = len(shards), self.datagram_bytes
        self._nonces = np.zeros(capacity, _NONCE)
        self._nonces["stream"] = ord("V")
        self._steps = np.arange(capacity, dtype=np.uint64)
        # The AEAD appends its tag: each lands in the following datagram's first bytes, which are written afterwards.
        self._buffer = np.zeros(capacity * stride + TAG_BYTES, np.uint8)
        self._rows = self._buffer[:-TAG_BYTES].reshape(capacity, stride)
        self._tags = np.ndarray((capacity, TAG_BYTES), np.uint8, self._buffer, stride, (stride, 1))
        self._frame_indices = np.ndarray(capacity, "<u4", self._buffer, NONCE_BYTES, (stride,))
        self._wire = self._buffer.data
        self._plaintexts = [row.data for row in shards]
        self._outputs = [
            self._wire[start + ENVELOPE_BYTES : start + stride + TAG_BYTES]
            for start in range(0, capacity * stride, stride)
        ]

    def seal(self, count: int, frame_index: int, first_nonce: int, generation: int) -> memoryview:
        """The datagrams of the first ``count`` shards."""
        nonces = self._nonces[:count]
        nonces["counter"] = self._steps[:count] + np.uint64(first_nonce)
        nonces["generation"] = generation
        # numpy strips trailing zero bytes of an S12, of which a nonce has none: its last byte is "V".
        self._sealer.seal_each(nonces.view(f"S{NONCE_BYTES}").tolist(), self._plaintexts, self._outputs)
        self._rows[:count, NONCE_BYTES + 4 : ENVELOPE_BYTES] = self._tags[:count]
        self._rows[:count, :NONCE_BYTES] = nonces.view(np.uint8).reshape(count, NONCE_BYTES)
        self._frame_indices[:count] = frame_index & 0xFFFF_FFFF
        return self._wire[: count * self.datagram_bytes]
