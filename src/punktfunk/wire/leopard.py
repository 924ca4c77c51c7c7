"""Leopard Reed-Solomon over GF(2^16), as punktfunk/1 peers compute it (punktfunk1.md §5.6).

The binding takes and returns ``bytes`` objects, so shards are cut from the access unit once and never copied again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from punktfunk.wire import leopard_arrays

try:
    import reed_solomon_leopard
except ImportError:  # no wheel for this Python
    reed_solomon_leopard = None

NATIVE = reed_solomon_leopard is not None
"""Whether the native library computes blocks; without it numpy does, to the same bytes."""

MAX_SHARDS = 65_535


class ShardError(ValueError):
    """The shards given cannot be encoded or decoded."""


def encode(data: Sequence[bytes], recovery_count: int) -> list[bytes]:
    """``recovery_count`` recovery shards for data shards of one even length; none for a count of 0."""
    if recovery_count == 0:
        return []
    try:
        if not NATIVE:
            return leopard_arrays.encode(data, recovery_count)
        parity: list[bytes] = reed_solomon_leopard.encode(list(data), recovery_count)
    except ValueError as error:
        raise ShardError(str(error)) from None
    return parity


def decode(
    data_count: int, recovery_count: int, data: Mapping[int, bytes], recovery: Mapping[int, bytes]
) -> dict[int, bytes]:
    """The data shards missing from ``data``; ``recovery`` is keyed from 0. Raises ``ShardError`` when there are fewer
    than ``data_count`` shards altogether."""
    if len(data) >= data_count:
        return {}
    if len(data) + len(recovery) < data_count:
        raise ShardError(f"{len(data) + len(recovery)} shards of {data_count} needed")
    try:
        if not NATIVE:
            return leopard_arrays.decode(data_count, recovery_count, data, recovery)
        restored: dict[int, bytes] = reed_solomon_leopard.decode(data_count, recovery_count, dict(data), dict(recovery))
    except ValueError as error:
        raise ShardError(str(error)) from None
    return restored
