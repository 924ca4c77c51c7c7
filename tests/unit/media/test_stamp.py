from __future__ import annotations

import numpy as np
import pytest

from punktfunk.media.stamp import HEIGHT, WIDTH, Stamp, read_stamp, stamp_pixels


@pytest.mark.parametrize(("frame", "clock_ns"), [(0, 0), (1, 123_456_789_012), (0xFFFFFFFF, 2**64 - 1)])
def test_a_stamp_is_read_back(frame: int, clock_ns: int) -> None:
    assert read_stamp(stamp_pixels(frame, clock_ns)) == Stamp(frame, clock_ns)


def test_a_stamp_survives_noise_and_a_narrow_range() -> None:
    noise = np.random.default_rng(2).normal(0, 25, (HEIGHT, WIDTH))
    picture = np.full((480, 640), 90, np.uint8)
    picture[:HEIGHT, :WIDTH] = (stamp_pixels(77, 88) * 0.6 + 50 + noise).clip(0, 255).astype(np.uint8)
    assert read_stamp(picture) == Stamp(77, 88)
    assert read_stamp(picture[:, :, None].repeat(3, axis=2)) == Stamp(77, 88)


def test_other_pictures_have_no_stamp() -> None:
    assert read_stamp(np.zeros((HEIGHT - 1, WIDTH), np.uint8)) is None
    assert read_stamp(np.zeros((480, 640), np.uint8)) is None
    spoiled = stamp_pixels(1, 2)
    spoiled[:16, 200:] ^= 255
    assert read_stamp(spoiled) is None
