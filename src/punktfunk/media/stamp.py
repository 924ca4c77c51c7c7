"""A machine-readable stamp in the corner of a picture: frame number and clock, as black and white cells.

The stamp is 16 x 8 cells of one macroblock (16 x 16 pixels) each, so that it survives 4:2:0 and coarse quantizers:
16 bits of magic, 32 of frame number, 64 of clock, 16 of checksum, most significant bit first, white is one.
"""

from __future__ import annotations

import binascii
import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CELL = 16
COLUMNS = 16
ROWS = 8
WIDTH = CELL * COLUMNS
HEIGHT = CELL * ROWS

_MAGIC = 0xA5C3
_BODY = struct.Struct(">HIQ")
_MARGIN = CELL // 4


class Stamp(NamedTuple):
    """What a stamp says; ``clock_ns`` is the CLOCK_MONOTONIC time at which the picture was drawn."""

    frame: int
    clock_ns: int


def stamp_pixels(frame: int, clock_ns: int) -> NDArray[np.uint8]:
    """The stamp as a (HEIGHT, WIDTH) array of 0 and 255."""
    body = _BODY.pack(_MAGIC, frame & 0xFFFFFFFF, clock_ns & 0xFFFFFFFFFFFFFFFF)
    code = body + struct.pack(">H", binascii.crc_hqx(body, 0))
    bits = np.unpackbits(np.frombuffer(code, np.uint8)).reshape(ROWS, COLUMNS)
    return (bits * np.uint8(255)).repeat(CELL, axis=0).repeat(CELL, axis=1)


def read_stamp(picture: NDArray[np.uint8]) -> Stamp | None:
    """The stamp at the left top of ``picture``, a luma plane (H, W) or RGB image (H, W, 3); None when unreadable."""
    if picture.shape[0] < HEIGHT or picture.shape[1] < WIDTH:
        return None
    corner = picture[:HEIGHT, :WIDTH]
    if corner.ndim == 3:
        corner = corner[:, :, 1]
    cells = corner.reshape(ROWS, CELL, COLUMNS, CELL)[:, _MARGIN:-_MARGIN, :, _MARGIN:-_MARGIN]
    bits = cells.mean(axis=(1, 3)) > 127
    code = np.packbits(bits).tobytes()
    magic, frame, clock_ns = _BODY.unpack_from(code)
    if magic != _MAGIC or binascii.crc_hqx(code[:-2], 0) != int.from_bytes(code[-2:], "big"):
        return None
    return Stamp(frame, clock_ns)
