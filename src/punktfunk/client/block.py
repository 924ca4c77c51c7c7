"""One FEC block on the receiving side (punktfunk1.md §5.5-5.7)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from punktfunk.wire import gf256, leopard
from punktfunk.wire.punktfunk1.enums import FecScheme


class Block:
    """Collects the shards of one block until any ``data_shards`` of them are there. ``base`` counts the data shards
    of the frame before this block."""

    __slots__ = ("_data", "_recovery", "_scheme", "base", "complete", "data_shards", "recovered", "recovery_shards")

    def __init__(self, base: int, data_shards: int, recovery_shards: int, scheme: FecScheme) -> None:
        self.base = base
        self.data_shards = data_shards
        self.recovery_shards = recovery_shards
        self.complete = False
        self.recovered = 0
        self._scheme = scheme
        self._data: dict[int, bytes] = {}
        self._recovery: dict[int, bytes] = {}

    @property
    def held(self) -> int:
        """Shards in memory."""
        return len(self._data) + len(self._recovery)

    def add(self, index: int, shard: bytes) -> bool:
        """Take one shard; whether it was new to a block that still needed it."""
        k = self.data_shards
        shards, position = (self._data, index) if index < k else (self._recovery, index - k)
        if self.complete or position in shards:
            return False
        shards[position] = shard
        if len(self._data) + len(self._recovery) == k:
            self._finish()
        return True

    def shards(self) -> list[bytes]:
        """All data shards of a complete block, in order."""
        return [self._data[i] for i in range(self.data_shards)]

    def _finish(self) -> None:
        if self._recovery:
            restored = self._restore()
            self.recovered = len(restored)
            self._data.update(restored)
            self._recovery.clear()
        self.complete = True

    def _restore(self) -> Mapping[int, bytes]:
        k, m = self.data_shards, self.recovery_shards
        if self._scheme is FecScheme.GF16:
            return leopard.decode(k, m, self._data, self._recovery)
        present = {**self._data, **{k + i: shard for i, shard in self._recovery.items()}}
        rows = np.zeros((k + m, len(next(iter(present.values())))), np.uint8)
        for i, shard in present.items():
            rows[i] = np.frombuffer(shard, np.uint8)
        gf256.cauchy_code(k, m).decode(rows, present)
        return {i: rows[i].tobytes() for i in range(k) if i not in present}
