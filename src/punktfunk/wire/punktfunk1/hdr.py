"""The 28-byte HDR static-metadata body (punktfunk1.md §6.10)."""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass

from punktfunk.wire.punktfunk1.errors import MalformedError

_BODY = struct.Struct("<8H2I2H")
HDR_BODY_BYTES = _BODY.size


@dataclass(frozen=True, slots=True)
class HdrMetadata:
    """Mastering display and content light levels. Chromaticities in 1/50000, luminances in 0.0001 cd/m², content
    levels in cd/m² (0 unknown)."""

    green_x: int
    green_y: int
    blue_x: int
    blue_y: int
    red_x: int
    red_y: int
    white_x: int
    white_y: int
    max_luminance: int
    min_luminance: int
    max_content_light: int
    max_frame_average_light: int

    @classmethod
    def decode(cls, body: bytes) -> HdrMetadata:
        """From exactly 28 bytes."""
        if len(body) != HDR_BODY_BYTES:
            raise MalformedError("hdr", f"{len(body)} bytes instead of {HDR_BODY_BYTES}")
        return cls(*_BODY.unpack(body))

    def encode(self) -> bytes:
        """The 28 bytes."""
        return _BODY.pack(*astuple(self))


GENERIC_HDR10 = HdrMetadata(8500, 39850, 6550, 2300, 35400, 14600, 15635, 16450, 10_000_000, 1, 1000, 400)
"""The baseline of a display that says nothing about itself."""
