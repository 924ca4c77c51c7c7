"""A small still picture of what an X server shows, as PNG."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from punktfunk.media.x11.connection import MAX_REPLY_BYTES, X11Connection, X11Error, request
from punktfunk.media.x11.randr import RandR, Region

_GET_IMAGE, _Z_PIXMAP, _ALL_PLANES = 73, 2, 0xFFFFFFFF
_BYTES_PER_PIXEL = 4
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TRUE_COLOUR = 2

Pixels = NDArray[np.uint8]


def small_picture(x: X11Connection, width: int) -> bytes:
    """The streamed part of the screen, reduced to about this width. Raises X11Error for screens of few colours."""
    region = RandR(x).region()
    return png(reduced(_pixels(x, region), max(1, round(region.width / width))))


def reduced(pixels: Pixels, step: int) -> Pixels:
    """Every ``step`` by ``step`` pixels as one, of their mean."""
    height, width = pixels.shape[0] // step * step, pixels.shape[1] // step * step
    blocks = pixels[:height, :width].reshape(height // step, step, width // step, step, -1)
    mean: Pixels = blocks.mean(axis=(1, 3)).astype(np.uint8)
    return mean


def png(pixels: Pixels) -> bytes:
    """Red, green and blue as a PNG file (RFC 2083), each row unfiltered."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    rows[:, 1:] = pixels.reshape(height, 3 * width)
    header = struct.pack(">IIBBBBB", width, height, 8, _TRUE_COLOUR, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _pixels(x: X11Connection, region: Region) -> Pixels:
    """Red, green and blue, fetched in bands that fit into a reply."""
    most = max(1, MAX_REPLY_BYTES // (_BYTES_PER_PIXEL * region.width))
    bands = []
    for top in range(0, region.height, most):
        rows = min(most, region.height - top)
        place = (x.facts.root, region.x, region.y + top, region.width, rows, _ALL_PLANES)
        data = x.call(request(_GET_IMAGE, _Z_PIXMAP, struct.pack("<IhhHHI", *place)))[32:]
        if len(data) != rows * region.width * _BYTES_PER_PIXEL:
            raise X11Error("the screen has another pixel format than 32 bits")
        bands.append(np.frombuffer(data, np.uint8).reshape(rows, region.width, _BYTES_PER_PIXEL))
    return np.concatenate(bands)[:, :, 2::-1]
