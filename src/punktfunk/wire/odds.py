"""How many recovery packets a block needs at a given loss, from the odds and not from the average."""

from __future__ import annotations

import math

LOST_BLOCKS = 0.0005
"""The share of blocks that may stay beyond repair: of 60 frames a second, one in half a minute."""

_QUANTILE = 3.29
"""Standard deviations that ``LOST_BLOCKS`` lies above the mean."""
_EXACT_PACKETS = 400


def recovery_packets(data_packets: int, loss: float, most: int) -> int:
    """Recovery packets, at most ``most``, for ``data_packets`` when a packet is lost with ``loss`` (below 1)."""
    if data_packets > _EXACT_PACKETS:
        mean, deviation = data_packets * loss / (1 - loss), math.sqrt(data_packets * loss) / (1 - loss)
        return min(most, math.ceil(mean + _QUANTILE * deviation))
    # Packets that are lost before the last one needed arrives: a negative binomial distribution.
    odds = covered = (1 - loss) ** data_packets
    count = 0
    while covered < 1 - LOST_BLOCKS and count < most:
        count += 1
        odds *= (data_packets + count - 1) / count * loss
        covered += odds
    return count
