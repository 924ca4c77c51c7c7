"""Intel ISA-L's erasure kernel through ctypes: matrix times shards over GF(2^8), about 20 GB/s a core."""

from __future__ import annotations

import ctypes
import functools

import numpy as np
from numpy.typing import NDArray

_SONAME = "libisal.so.2"
_TABLE_BYTES_PER_COEFFICIENT = 32


@functools.cache
def library() -> ctypes.CDLL | None:
    """The loaded library, or None where it is not installed (Debian: ``libisal2``)."""
    try:
        isal = ctypes.CDLL(_SONAME)
    except OSError:
        return None
    isal.ec_init_tables.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    isal.ec_init_tables.restype = None
    isal.ec_encode_data.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int, *[ctypes.c_void_p] * 3]
    isal.ec_encode_data.restype = None
    return isal


class IsalProduct:
    """One coefficient matrix, expanded once into ISA-L's tables; calls may come from any thread.

    Raises RuntimeError when the library is missing. The caller has checked shapes (see ``gf256``).
    """

    def __init__(self, matrix: NDArray[np.uint8]) -> None:
        isal = library()
        if isal is None:
            raise RuntimeError(f"{_SONAME} is not installed")
        self._encode = isal.ec_encode_data
        self._rows, self._columns = matrix.shape
        self._tables = np.empty(_TABLE_BYTES_PER_COEFFICIENT * matrix.size, np.uint8)
        self._tables_address = self._tables.ctypes.data
        coefficients = np.ascontiguousarray(matrix)
        isal.ec_init_tables(self._columns, self._rows, coefficients.ctypes.data, self._tables_address)

    def __call__(self, source: NDArray[np.uint8], target: NDArray[np.uint8]) -> None:
        """``target[j] = Σ matrix[j][i] · source[i]`` for rows of equal length."""
        inputs, outputs = _row_pointers(source), _row_pointers(target)
        self._encode(
            source.shape[1],
            self._columns,
            self._rows,
            self._tables_address,
            inputs.ctypes.data,
            outputs.ctypes.data,
        )


def _row_pointers(rows: NDArray[np.uint8]) -> NDArray[np.intp]:
    return np.arange(rows.shape[0], dtype=np.intp) * rows.strides[0] + rows.ctypes.data
