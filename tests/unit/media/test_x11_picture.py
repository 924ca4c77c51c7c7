"""Small pictures of an X server, fetched in bands, against a stand-in for the connection."""

from __future__ import annotations

import struct
from typing import cast

import av
import numpy as np
import pytest

from punktfunk.media.x11 import picture as module
from punktfunk.media.x11.connection import MAX_REPLY_BYTES, Facts, X11Connection, X11Error
from punktfunk.media.x11.picture import Pixels, png, reduced, small_picture
from punktfunk.media.x11.randr import Region


class FakeScreen:
    """Answers GetImage from ``pixels`` (blue, green, red, nothing)."""

    def __init__(self, pixels: Pixels, region: Region) -> None:
        self.pixels, self.region = pixels, region
        self.facts = Facts("", 0, 77, 0, 0, 0, 0, 8, 255)
        self.bands: list[int] = []

    def call(self, data: bytes) -> bytes:
        assert data[:2] == bytes((73, 2))
        _, x, y, width, height, planes = struct.unpack_from("<IhhHHI", data, 4)
        assert planes == 0xFFFFFFFF
        image = self.pixels[y : y + height, x : x + width].tobytes()
        assert len(image) <= MAX_REPLY_BYTES
        self.bands.append(height)
        return bytes(32) + image


def decoded(data: bytes) -> Pixels:
    decoder = cast(av.VideoCodecContext, av.CodecContext.create("png", "r"))
    return cast(Pixels, decoder.decode(av.Packet(data))[0].to_ndarray(format="rgb24"))


def shown(monkeypatch: pytest.MonkeyPatch, pixels: Pixels, region: Region) -> FakeScreen:
    screen = FakeScreen(pixels, region)
    monkeypatch.setattr(module, "RandR", lambda _x: type("RandR", (), {"region": lambda _self: region})())
    return screen


def test_a_large_screen_comes_in_bands_and_small(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.zeros((2160, 3840, 4), np.uint8)
    pixels[:, :, 0], pixels[1080:, :, 2] = 200, 100
    screen = shown(monkeypatch, pixels, Region(0, 0, 3840, 2160, True))
    small = decoded(small_picture(cast(X11Connection, screen), 480))
    assert small.shape == (270, 480, 3)
    assert tuple(small[10, 10]) == (0, 0, 200)
    assert tuple(small[260, 470]) == (100, 0, 200)
    assert len(screen.bands) > 1
    assert sum(screen.bands) == 2160


def test_only_the_streamed_part_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.zeros((100, 300, 4), np.uint8)
    pixels[:, 100:200, 1] = 255
    screen = shown(monkeypatch, pixels, Region(100, 0, 100, 100, False))
    small = decoded(small_picture(cast(X11Connection, screen), 480))
    assert small.shape == (100, 100, 3)
    assert (small == (0, 255, 0)).all()


def test_screens_of_few_colours_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = shown(monkeypatch, np.zeros((10, 10, 1), np.uint8), Region(0, 0, 10, 10, True))
    with pytest.raises(X11Error, match="pixel format"):
        small_picture(cast(X11Connection, screen), 480)


def test_pixels_that_go_together_are_their_mean() -> None:
    pixels = np.array([[[0], [100], [7]], [[100], [200], [7]], [[9], [9], [9]]], np.uint8)
    assert reduced(pixels, 2).tolist() == [[[100]]]
    assert reduced(pixels, 1).tolist() == pixels.tolist()


def test_the_file_is_read_back_by_others() -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (17, 31, 3), dtype=np.uint8)
    assert (decoded(png(pixels)) == pixels).all()
