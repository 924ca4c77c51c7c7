"""A decoded picture as a PNG file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import VideoFrame


def write_png(frame: VideoFrame, path: Path) -> None:
    """Write ``frame`` as RGB; raises OSError."""
    picture = frame.reformat(format="rgb24")
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height = picture.width, picture.height
    encoder.pix_fmt = "rgb24"
    encoder.time_base = Fraction(1, 60)
    picture.pts = 0
    path.write_bytes(b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)]))
