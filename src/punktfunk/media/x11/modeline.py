"""Timings of modes that no monitor has to show. No I/O."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from punktfunk.media.plan import Mode

NAME_PREFIX = "punktfunk-"
"""Modes that we make are called so, and nobody else's are touched."""
_INFO = struct.Struct("<IHHIHHHHHHHHI")
_BLANK_WIDTH, _BLANK_HEIGHT = 160, 40
# Reduced blanking: where the pulses lie after the picture.
_H_PULSE, _V_PULSE = (48, 80), (3, 13)
_RATE_TOLERANCE_PPM = 1000


@dataclass(frozen=True, slots=True)
class Modeline:
    """A mode of RandR. ``dot_clock_hz`` over the totals is its refresh rate."""

    id: int
    name: str
    width: int
    height: int
    dot_clock_hz: int
    h_sync_start: int
    h_sync_end: int
    h_total: int
    h_skew: int
    v_sync_start: int
    v_sync_end: int
    v_total: int
    flags: int

    @property
    def refresh_mhz(self) -> int:
        """In thousandths of a hertz; 0 when the mode does not say."""
        pixels = self.h_total * self.v_total
        return round(self.dot_clock_hz * 1000 / pixels) if pixels else 0

    @property
    def is_ours(self) -> bool:
        """Whether we made it."""
        return self.name.startswith(NAME_PREFIX)

    def shows(self, mode: Mode) -> bool:
        """Whether it is that mode: to the pixel, and to the thousandth of its rate."""
        off = abs(self.refresh_mhz - mode.refresh_mhz)
        same_rate = off * 1_000_000 <= mode.refresh_mhz * _RATE_TOLERANCE_PPM
        return (self.width, self.height) == (mode.width, mode.height) and same_rate

    def pack(self) -> bytes:
        """MODEINFO of the RandR protocol."""
        return _INFO.pack(
            self.id,
            self.width,
            self.height,
            self.dot_clock_hz,
            self.h_sync_start,
            self.h_sync_end,
            self.h_total,
            self.h_skew,
            self.v_sync_start,
            self.v_sync_end,
            self.v_total,
            len(self.name.encode()),
            self.flags,
        )

    @classmethod
    def unpack_all(cls, infos: bytes, names: bytes) -> tuple[Modeline, ...]:
        """Every mode of a GetScreenResources reply."""
        found, position = [], 0
        for fields in _INFO.iter_unpack(infos[: len(infos) // _INFO.size * _INFO.size]):
            length = fields[11]
            name = names[position : position + length].decode(errors="replace")
            position += length
            found.append(cls(fields[0], name, *(*fields[1:11], fields[12])))
        return tuple(found)


def make_modeline(mode: Mode) -> Modeline:
    """Timings with which a display that draws by them is refreshed at exactly the mode's rate."""
    h_total, v_total = mode.width + _BLANK_WIDTH, mode.height + _BLANK_HEIGHT
    return Modeline(
        id=0,
        name=f"{NAME_PREFIX}{mode}",
        width=mode.width,
        height=mode.height,
        dot_clock_hz=round(h_total * v_total * mode.refresh_mhz / 1000),
        h_sync_start=mode.width + _H_PULSE[0],
        h_sync_end=mode.width + _H_PULSE[1],
        h_total=h_total,
        h_skew=0,
        v_sync_start=mode.height + _V_PULSE[0],
        v_sync_end=mode.height + _V_PULSE[1],
        v_total=v_total,
        flags=0,
    )
