"""Frames whose every byte follows from their number: what a host streams that announces a number of frames, so that a
client can check each of them (punktfunk1.md §11.1)."""

from __future__ import annotations

TEST_FRAME_BYTES = 65_536
_INDEX_BYTES = 4
_RAMP = bytes(range(256)) * (TEST_FRAME_BYTES // 256 + 1)


def verification_frame(index: int) -> bytes:
    """The access unit with this number."""
    start = (index + _INDEX_BYTES) % 256
    return index.to_bytes(_INDEX_BYTES, "little") + _RAMP[start : start + TEST_FRAME_BYTES - _INDEX_BYTES]
