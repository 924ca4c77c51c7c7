"""Test frames whose bytes follow from their number (punktfunk1.md §11.1); the released 0.7.0 and 0.31.0 take them."""

from __future__ import annotations

import pytest

from punktfunk.wire.punktfunk1.verification import TEST_FRAME_BYTES, verification_frame


@pytest.mark.parametrize("index", [0, 1, 251, 252, 255, 256, 300, 0x01020304])
def test_every_byte_follows_from_the_number(index: int) -> None:
    frame = verification_frame(index)
    assert len(frame) == TEST_FRAME_BYTES == 65_536
    assert frame[:4] == index.to_bytes(4, "little")
    assert all(frame[i] == (index + i) % 256 for i in range(4, len(frame)))
