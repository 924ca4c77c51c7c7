"""Systematic Reed-Solomon erasure codes over GF(2^8), polynomial 0x11D (gamestream.md §4.7, §5.4).

Shards are the rows of one two-dimensional ``uint8`` array: k data rows, then m parity rows. Rows may be views into
a larger buffer (any row stride), bytes within a row are contiguous. ISA-L does the arithmetic where it is installed;
numpy gives the same bytes elsewhere, some 80 times slower.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from punktfunk.wire import isal

Bytes2D = NDArray[np.uint8]
Backend = Literal["isal", "numpy"]

BACKEND: Backend = "isal" if isal.library() is not None else "numpy"
"""What codes use unless told otherwise."""

MAX_SHARDS = 255
"""k + m of the Cauchy code: GF(2^8) has no more distinct points that peers agree on."""

MAX_CACHED_CODES = 64
"""A stream meets one (k, m) per block size; a code's tables take 32·k·m bytes, at most 0.5 MB."""

_POLYNOMIAL = 0x11D


def _field_tables() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    exp, log = np.zeros(512, np.uint8), np.zeros(256, np.int64)
    value = 1
    for power in range(255):
        exp[power] = exp[power + 255] = value
        log[value] = power
        value <<= 1
        if value & 0x100:
            value ^= _POLYNOMIAL
    return exp, log


EXP, LOG = _field_tables()
"""Powers of the generator 2, twice round so that logarithms may be added, and the logarithms; LOG[0] is unused."""


def _product_table() -> Bytes2D:
    table: Bytes2D = EXP[LOG[:, None] + LOG[None, :]]
    table[0, :] = table[:, 0] = 0
    return table


PRODUCT = _product_table()
"""``PRODUCT[a, b]`` is a · b."""


def inverse(value: int) -> int:
    """The multiplicative inverse of 1..255."""
    if not 1 <= value <= 255:
        raise ValueError("only 1..255 have an inverse")
    return int(EXP[255 - LOG[value]])


def cauchy_matrix(data_shards: int, parity_shards: int) -> Bytes2D:
    """Row j, column i = 1 / ((m + i) XOR j), the video code's parity rows (gamestream.md §4.7)."""
    if data_shards < 1 or parity_shards < 1 or data_shards + parity_shards > MAX_SHARDS:
        raise ValueError(f"no code for {data_shards} data and {parity_shards} parity shards")
    rows = np.arange(parity_shards)[:, None]
    columns = parity_shards + np.arange(data_shards)[None, :]
    matrix: Bytes2D = EXP[255 - LOG[columns ^ rows]]
    return matrix


class TooFewShards(ValueError):
    """Fewer shards are present than the block has data shards."""


class ErasureCode:
    """A systematic code given by its parity rows (m × k); immutable, and safe to share between threads."""

    def __init__(self, parity_matrix: Bytes2D, backend: Backend = BACKEND) -> None:
        self.matrix = parity_matrix
        self.backend = backend
        self.parity_shards, self.data_shards = parity_matrix.shape
        self._product = _product(parity_matrix, backend)

    def encode(self, shards: Bytes2D) -> None:
        """Fill the last m of the k + m rows with parity over the first k."""
        self._check(shards)
        self._product(shards[: self.data_shards], shards[self.data_shards :])

    def decode(self, shards: Bytes2D, present: Collection[int]) -> None:
        """Restore the data rows whose index is not in ``present``; parity rows stay as they are.

        Raises TooFewShards when fewer than k rows are present.
        """
        self._check(shards)
        k = self.data_shards
        known = sorted(i for i in present if i < k)
        missing = [i for i in range(k) if i not in present]
        helpers = sorted(i for i in present if i >= k)[: len(missing)]
        if len(helpers) < len(missing):
            raise TooFewShards(f"{len(present)} shards of {k} needed")
        if not missing:
            return
        rows = self.matrix[[i - k for i in helpers]]
        solve = _invert(rows[:, missing])
        matrix = np.concatenate([_matrix_product(solve, rows[:, known]), solve], axis=1)
        restored = np.empty((len(missing), shards.shape[1]), np.uint8)
        _product(matrix, self.backend)(shards[known + helpers], restored)
        shards[missing] = restored

    def _check(self, shards: Bytes2D) -> None:
        if shards.dtype != np.uint8 or shards.ndim != 2 or shards.strides[1] != 1:
            raise ValueError("shards must be rows of contiguous bytes")
        if shards.shape[0] != self.data_shards + self.parity_shards or shards.shape[1] == 0:
            raise ValueError(f"shards must be {self.data_shards} + {self.parity_shards} rows of at least one byte")


@functools.lru_cache(maxsize=MAX_CACHED_CODES)
def cauchy_code(data_shards: int, parity_shards: int, backend: Backend = BACKEND) -> ErasureCode:
    """The video code for a block of k + m ≤ 255 shards, from a bounded cache."""
    return ErasureCode(cauchy_matrix(data_shards, parity_shards), backend)


def _product(matrix: Bytes2D, backend: Backend) -> Callable[[Bytes2D, Bytes2D], None]:
    if backend == "isal":
        return isal.IsalProduct(matrix)
    return functools.partial(_numpy_product, matrix)


def _numpy_product(matrix: Bytes2D, source: Bytes2D, target: Bytes2D) -> None:
    target[:] = 0
    for column, row in zip(matrix.T, source, strict=True):
        target ^= PRODUCT[column][:, row]


def _matrix_product(left: Bytes2D, right: Bytes2D) -> Bytes2D:
    result = np.zeros((left.shape[0], right.shape[1]), np.uint8)
    _numpy_product(left, right, result)
    return result


def _invert(matrix: Bytes2D) -> Bytes2D:
    size = matrix.shape[0]
    work = np.concatenate([matrix, np.eye(size, dtype=np.uint8)], axis=1)
    for pivot in range(size):
        candidates = np.flatnonzero(work[pivot:, pivot])
        if candidates.size == 0:
            raise ValueError("the code's matrix has no inverse for these shards")
        work[[pivot, pivot + candidates[0]]] = work[[pivot + candidates[0], pivot]]
        work[pivot] = PRODUCT[inverse(int(work[pivot, pivot])), work[pivot]]
        factors = work[:, pivot].copy()
        factors[pivot] = 0
        work ^= PRODUCT[factors[:, None], work[pivot][None, :]]
    return work[:, size:]
