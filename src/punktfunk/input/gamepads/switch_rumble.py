"""Strength of a Switch pad's two actuators out of its vibration data: two tones each, with an amplitude on a curve."""

from __future__ import annotations

NEUTRAL = bytes((0x00, 0x01, 0x40, 0x40))
MAX_STEP = 100
_FULL = 1003.0


def _strength(step: int) -> int:
    """0..65535 of an amplitude step 0..100. The curve is exponential in three parts, finer towards the top."""
    if step == 0:
        return 0
    if step < 16:
        value = 10 * 2 ** ((step - 1) / 4)
    elif step < 32:
        value = 117 * 2 ** ((step - 16) / 16)
    else:
        value = 230 * 2 ** ((min(step, MAX_STEP) - 32) / 32)
    return min(round(value / _FULL * 65535), 65535)


_STRENGTHS = tuple(_strength(step) for step in range(MAX_STEP + 1))


def decode_rumble(data: bytes) -> tuple[int, int]:
    """Left (the heavy one for most games) and right level, 0..65535, out of eight bytes."""
    return _level(data[0:4]), _level(data[4:8])


def _level(side: bytes) -> int:
    """The stronger of the two tones."""
    high_tone = side[1] >> 1
    low_tone = max(side[3] - 0x40, 0) << 1 | side[2] >> 7
    return _STRENGTHS[min(max(high_tone, low_tone), MAX_STEP)]
