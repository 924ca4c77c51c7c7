"""Draws the built-in desktop's wallpaper: layered hills under an evening sky. Usage: wallpaper.py OUTPUT.png"""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 1920, 1080
SKY = ((16, 26, 38), (30, 62, 78), (92, 128, 124), (214, 178, 132))
HILLS = ((62, 104, 108), (42, 82, 90), (28, 60, 70), (18, 42, 52), (12, 29, 38))


def sky() -> NDArray[np.float64]:
    """A vertical blend through the sky's colours."""
    stops = np.linspace(0, 0.78, len(SKY))
    rows = np.linspace(0, 1, HEIGHT)
    column = np.stack([np.interp(rows, stops, [color[i] for color in SKY]) for i in range(3)], axis=-1)
    return np.repeat(column[:, None, :], WIDTH, axis=1)


def sun(picture: NDArray[np.float64]) -> None:
    """A low sun with a soft glow."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    distance = np.hypot(x - WIDTH * 0.68, y - HEIGHT * 0.56)
    for color, strength in (
        ((255, 214, 160), np.exp(-distance / 260) * 0.55),
        ((255, 238, 206), (distance < 74) * 0.9),
    ):
        picture += (np.array(color) - picture) * strength[:, :, None]


def hills(picture: NDArray[np.float64]) -> None:
    """Ridges, each nearer one lower and darker."""
    x = np.linspace(0, 1, WIDTH)
    random = np.random.default_rng(7)
    rows = np.arange(HEIGHT)[:, None]
    for layer, color in enumerate(HILLS):
        ridge = np.full(WIDTH, 0.60 + 0.085 * layer)
        for octave in range(1, 5):
            ridge += 0.05 / octave**1.3 * np.sin(2 * np.pi * (x * octave * 1.3 + random.random()))
        edge = np.clip(rows - (ridge * HEIGHT)[None, :], 0, 1)[:, :, None]
        picture += (np.array(color) - picture) * edge


def png(picture: NDArray[np.uint8]) -> bytes:
    """An 8-bit RGB PNG with the "up" filter, which suits vertical gradients."""
    rows = picture.reshape(HEIGHT, WIDTH * 3)
    up = rows - np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    raw = np.hstack([np.full((HEIGHT, 1), 2, np.uint8), up]).tobytes()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")


def main() -> None:
    """Draw and write."""
    picture = sky()
    sun(picture)
    hills(picture)
    Path(sys.argv[1]).write_bytes(png(picture.round().clip(0, 255).astype(np.uint8)))


if __name__ == "__main__":
    main()
