"""Reed-Solomon over GF(2^8) as video and audio use it (gamestream.md §4.7, §5.4)."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Bytes8 = NDArray[np.uint8]

POLYNOMIAL = 0x11D
MAX_SHARDS = 255


def _tables() -> tuple[Bytes8, Bytes8, Bytes8]:
    exp = np.zeros(510, np.uint8)
    log = np.zeros(256, np.uint8)
    value = 1
    for power in range(255):
        exp[power] = exp[power + 255] = value
        log[value] = power
        value = (value << 1) ^ (POLYNOMIAL if value & 0x80 else 0)
    product = exp[log.astype(np.intp)[:, None] + log.astype(np.intp)[None, :]]
    product[0, :] = product[:, 0] = 0
    return exp, log, product


EXP, LOG, PRODUCT = _tables()
INVERSE: Bytes8 = np.concatenate([np.zeros(1, np.uint8), EXP[255 - LOG[1:].astype(np.intp)]])

AUDIO_ROWS: Bytes8 = np.array([[0x77, 0x40, 0x38, 0x0E], [0xC7, 0xA7, 0x0D, 0x6C]], np.uint8)


@lru_cache(maxsize=512)
def video_rows(data_shards: int, parity_shards: int) -> Bytes8:
    """Coefficients of each parity shard (one row) over the data shards (columns)."""
    if data_shards < 1 or parity_shards < 0 or data_shards + parity_shards > MAX_SHARDS:
        raise ValueError(f"no code for {data_shards} + {parity_shards} shards")
    column = parity_shards + np.arange(data_shards)
    rows: Bytes8 = INVERSE[column[None, :] ^ np.arange(parity_shards)[:, None]]
    return rows


def encode(rows: Bytes8, data: Sequence[bytes]) -> list[bytes]:
    """The parity shards of ``data``."""
    views = [np.frombuffer(shard, np.uint8) for shard in data]
    return [_combine(row, views).tobytes() for row in rows]


def recover(rows: Bytes8, data: Mapping[int, bytes], parity: Mapping[int, bytes]) -> dict[int, bytes]:
    """The missing data shards by index. Needs as many parity shards as data shards are missing, else ValueError."""
    missing = [index for index in range(rows.shape[1]) if index not in data]
    used = sorted(parity)[: len(missing)]
    if len(used) < len(missing):
        raise ValueError(f"{len(missing)} data shards missing, {len(parity)} parity shards received")
    known = sorted(data)
    known_views = [np.frombuffer(data[index], np.uint8) for index in known]
    syndromes = [
        np.frombuffer(parity[row], np.uint8) ^ _combine(rows[row, known], known_views)
        if known
        else np.frombuffer(parity[row], np.uint8)
        for row in used
    ]
    inverse = _invert(rows[np.ix_(used, missing)])
    return {index: _combine(inverse[at], syndromes).tobytes() for at, index in enumerate(missing)}


def _combine(coefficients: Bytes8, shards: Sequence[Bytes8]) -> Bytes8:
    total = np.zeros(len(shards[0]), np.uint8)
    for coefficient, shard in zip(coefficients, shards, strict=True):
        total ^= PRODUCT[coefficient].take(shard)
    return total


def _invert(matrix: Bytes8) -> Bytes8:
    size = len(matrix)
    work = np.concatenate([matrix, np.eye(size, dtype=np.uint8)], axis=1)
    for column in range(size):
        pivot = column + int(np.argmax(work[column:, column] != 0))
        if not work[pivot, column]:
            raise ValueError("singular matrix")
        work[[column, pivot]] = work[[pivot, column]]
        work[column] = PRODUCT[INVERSE[work[column, column]]][work[column]]
        factors = work[:, column].copy()
        factors[column] = 0
        work ^= PRODUCT[factors[:, None], work[column][None, :]]
    return work[:, size:]
