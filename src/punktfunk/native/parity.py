"""Recovery shards that a block needs at the loss that a client tells of."""

from __future__ import annotations

from functools import lru_cache

from punktfunk.wire.odds import recovery_packets
from punktfunk.wire.punktfunk1.video import MAX_FEC_PERCENT, recovery_shards

MAX_PERCENT = 40
"""What 10 % of loss takes in frames of a dozen packets. More on top of the video keeps a narrow path full."""
SMALL_BLOCK_SHARDS = 4
"""So many recovery shards a small block may have beyond ``MAX_PERCENT``: it is far below what the bitrate allows."""

_STEP_PPM = 2_500
_MAX_LOSS_PPM = 130_000
"""More is a queue that overflows, which parity only makes worse: the client has to lower the bitrate."""


def needed(data_shards: int, loss_ppm: int) -> int:
    """Recovery shards for a block of ``data_shards`` where a client tells of ``loss_ppm``; 0 without loss.

    A client counts the data that it lost, as a share of data and recovery shards (§6.2): the more of the latter, the
    less it tells of.
    """
    if loss_ppm <= 0:
        return 0
    told = _needed(data_shards, _steps(loss_ppm))
    return _needed(data_shards, _steps(loss_ppm * (data_shards + told) // data_shards))


def _steps(loss_ppm: int) -> int:
    return -(-min(loss_ppm, _MAX_LOSS_PPM) // _STEP_PPM)


@lru_cache(maxsize=8192)
def _needed(k: int, steps: int) -> int:
    loss = steps * _STEP_PPM / 1_000_000
    most = max(recovery_shards(k, MAX_PERCENT), min(recovery_shards(k, MAX_FEC_PERCENT), SMALL_BLOCK_SHARDS))
    return recovery_packets(k, loss, most)
