"""How a frame is cut into FEC blocks (gamestream.md §4.5)."""

from __future__ import annotations

from typing import NamedTuple

MAX_BLOCKS = 4
MAX_DATA_SHARDS = 1023
"""Per block: the field has 10 bits."""
MAX_PIECES = MAX_BLOCKS * MAX_DATA_SHARDS
MAX_FEC_SHARDS = 255
"""Data and parity shards of a block that has parity."""
MAX_PERCENTAGE = 255
"""The field has 8 bits."""


class FrameTooLarge(ValueError):
    """The access unit needs more than 4092 packets, which the wire format cannot number."""


class Block(NamedTuple):
    """One FEC block; ``percentage`` is what the packets say, and gives ``parity`` by the receiver's formula."""

    data: int
    parity: int
    percentage: int


def plan_blocks(pieces: int, fec_percentage: int, min_parity: int) -> list[Block]:
    """Cut ``pieces`` payloads into at most 4 blocks with parity, or 4 without where parity would need more.

    ``fec_percentage`` is 0 (off) to 255. Raises FrameTooLarge above 4092 pieces.
    """
    if pieces > MAX_PIECES:
        raise FrameTooLarge(f"a frame of {pieces} packets exceeds the protocol's {MAX_PIECES}")
    largest = 25_500 // (100 + fec_percentage)
    count = -(-pieces // largest)
    if count > MAX_BLOCKS:
        count, fec_percentage = MAX_BLOCKS, 0
    share = -(-pieces // count)
    sizes = [share] * (count - 1) + [pieces - share * (count - 1)]
    return [_with_parity(data, fec_percentage, min_parity) for data in sizes]


def _with_parity(data: int, fec_percentage: int, min_parity: int) -> Block:
    if fec_percentage == 0:
        return Block(data, 0, 0)
    percentage = fec_percentage
    if _parity(data, percentage) < min_parity:
        percentage = 100 * min_parity // data
        # Above 100 data shards one percent is more than one shard, and rounding down may miss the minimum.
        percentage += _parity(data, percentage) < min_parity
        # The receiver's formula must give our count, within 8 bits and 255 shards, even if that is below the minimum.
        percentage = min(percentage, MAX_PERCENTAGE, 100 * (MAX_FEC_SHARDS - data) // data)
    return Block(data, _parity(data, percentage), percentage)


def _parity(data: int, percentage: int) -> int:
    return (data * percentage + 99) // 100
