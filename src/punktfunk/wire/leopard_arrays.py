"""Leopard Reed-Solomon over GF(2^16) in numpy, for Pythons that the native library is not built for.

The code of Lin, Chung and Han ("Novel Polynomial Basis and Its Application to Reed-Solomon Erasure Codes", 2014) with
field and basis as punktfunk1.md §5.6 has them; its vectors are §11.3. A symbol's number is its coordinate in a Cantor
basis, in which the twiddle factor of a butterfly is no more than its place shifted down.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_BITS = 16
_ORDER = (1 << _BITS) - 1
_POLYNOMIAL = 0x1002D
_BASIS = (
    *(0x0001, 0xACCA, 0x3C0E, 0x163E, 0xC582, 0xED2E, 0x914C, 0x4012),
    *(0x6C98, 0x10D8, 0x6A72, 0xB900, 0xFDB8, 0xFB34, 0xFF38, 0x991E),
)
"""Each squared and added to itself gives the one before it."""
_GROUP_BYTES = 64
_ZERO_LOG = 2 * _ORDER

Symbols = NDArray[np.uint16]


@functools.cache
def _tables() -> tuple[NDArray[np.int32], Symbols]:
    """Logarithms by symbol, and powers by sums of two of them; the logarithm of 0 leads to where there is nothing."""
    powers = np.zeros(_ORDER, np.int64)
    value = 1
    for exponent in range(_ORDER):
        powers[exponent] = value
        value <<= 1
        value ^= _POLYNOMIAL if value > _ORDER else 0
    elements = np.zeros(_ORDER + 1, np.int64)
    for bit, element in enumerate(_BASIS):
        elements[1 << bit : 2 << bit] = elements[: 1 << bit] ^ element
    symbols = np.zeros(_ORDER + 1, np.uint16)
    symbols[elements] = np.arange(_ORDER + 1)
    exp = np.zeros(2 * _ZERO_LOG + 1, np.uint16)
    exp[:_ORDER] = symbols[powers]
    exp[_ORDER:_ZERO_LOG] = exp[:_ORDER]
    log = np.zeros(_ORDER + 1, np.int32)
    log[exp[:_ORDER]] = np.arange(_ORDER)
    log[0] = _ZERO_LOG
    return log, exp


def _product(values: Symbols, factors: NDArray[np.integer]) -> Symbols:
    log, exp = _tables()
    result: Symbols = exp[log[values] + log[factors]]
    return result


def _layer(work: Symbols, starts: NDArray[np.int64], bit: int) -> tuple[Symbols, Symbols, NDArray[np.int64]]:
    """The two halves of every butterfly of a layer as views of ``work`` (chunks, places, symbols), and the factors."""
    chunks, places, width = work.shape
    step = 2 << bit
    view = work.reshape(chunks, places // step, 2, step // 2, width)
    factors = (starts[:, None] + np.arange(0, places, step)[None]) >> bit
    return view[:, :, 0], view[:, :, 1], factors[:, :, None, None]


def _to_polynomials(work: Symbols, starts: NDArray[np.int64]) -> None:
    """Values at consecutive places into coefficients, for each chunk, which begins at its place of ``starts``."""
    for bit in range(work.shape[1].bit_length() - 1):
        low, high, factors = _layer(work, starts, bit)
        high ^= low
        low ^= _product(high, factors)


def _to_values(work: Symbols, starts: NDArray[np.int64]) -> None:
    """The way back, at the places that begin with ``starts``."""
    for bit in reversed(range(work.shape[1].bit_length() - 1)):
        low, high, factors = _layer(work, starts, bit)
        low ^= _product(high, factors)
        high ^= low


def _encode(data: Symbols, recovery_count: int) -> Symbols:
    """Recovery rows for data rows; the smaller side, rounded up to a power of two, is the size of a chunk."""
    data_count, width = data.shape
    data_power, recovery_power = _power_of_two(data_count), _power_of_two(recovery_count)
    many_data = data_power > recovery_power or (data_power == recovery_power and data_count <= recovery_count)
    size = recovery_power if many_data else data_power
    if many_data:
        chunks = -(-data_count // size)
        work = np.zeros((chunks, size, width), np.uint16)
        work.reshape(-1, width)[:data_count] = data
        _to_polynomials(work, size * np.arange(1, chunks + 1))
        total = np.bitwise_xor.reduce(work, axis=0, keepdims=True)
        _to_values(total, np.zeros(1, np.int64))
        return total[0, :recovery_count]
    work = np.zeros((1, size, width), np.uint16)
    work[0, :data_count] = data
    _to_polynomials(work, np.zeros(1, np.int64))
    chunks = -(-recovery_count // size)
    copies = np.repeat(work, chunks, axis=0)
    _to_values(copies, size * np.arange(1, chunks + 1))
    return copies.reshape(-1, width)[:recovery_count]


def encode(data: Sequence[bytes], recovery_count: int) -> list[bytes]:
    """Recovery shards for data shards of one even length."""
    if not data or len({len(shard) for shard in data}) != 1 or len(data[0]) % 2 or not data[0]:
        raise ValueError("data shards are of one even length")
    if len(data) + recovery_count > _ORDER:
        raise ValueError(f"{len(data)} + {recovery_count} shards are too many")
    return _shards(_encode(_symbols(data), recovery_count))


def decode(
    data_count: int, recovery_count: int, data: Mapping[int, bytes], recovery: Mapping[int, bytes]
) -> dict[int, bytes]:
    """The missing data shards; of ``recovery`` as many are used as there are missing ones."""
    missing = [index for index in range(data_count) if index not in data]
    if len(recovery) < len(missing):
        raise ValueError(f"{len(recovery)} recovery shards for {len(missing)} missing ones")
    rows = sorted(recovery)[: len(missing)]
    lengths = {len(shard) for shard in (*data.values(), *recovery.values())}
    length = lengths.pop()
    if lengths or length % 2 or not length:
        raise ValueError("shards are of one even length")
    if rows[0] < 0 or rows[-1] >= recovery_count:
        raise ValueError(f"recovery shards are numbered from 0 to {recovery_count - 1}")
    empty = bytes(length)
    there = _encode(_symbols([data.get(index, empty) for index in range(data_count)]), recovery_count)[rows]
    units = np.zeros((data_count, len(missing)), np.uint16)
    units[missing, range(len(missing))] = 1
    solved = _solve(_encode(units, recovery_count)[rows], there ^ _symbols([recovery[row] for row in rows]))
    return dict(zip(missing, _shards(solved), strict=True))


def _solve(matrix: Symbols, right: Symbols) -> Symbols:
    """x of matrix · x = right, by elimination; any square part of the code's matrix can be inverted."""
    log, exp = _tables()
    rows = np.concatenate((matrix, right), axis=1)
    for step in range(len(rows)):
        pivot = step + int(np.argmax(rows[step:, step] != 0))
        rows[[step, pivot]] = rows[[pivot, step]]
        rows[step] = _product(rows[step], exp[_ORDER - log[rows[step, step]] + np.zeros(1, np.int32)])
        factors = rows[:, step].copy()
        factors[step] = 0
        others = np.flatnonzero(factors)
        rows[others] ^= _product(rows[step][None], factors[others][:, None])
    return rows[:, len(rows) :]


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()


def _symbols(shards: Sequence[bytes]) -> Symbols:
    """Bytes into symbols: of each 64 bytes the first half are the low ones, and so of the rest."""
    rows = np.frombuffer(b"".join(shards), np.uint8).reshape(len(shards), -1)
    whole = rows.shape[1] // _GROUP_BYTES * _GROUP_BYTES
    parts = []
    for part, size in ((rows[:, :whole], _GROUP_BYTES), (rows[:, whole:], rows.shape[1] - whole)):
        if part.shape[1]:
            halves = part.reshape(len(shards), -1, 2, size // 2).astype(np.uint16)
            parts.append((halves[:, :, 0] | halves[:, :, 1] << 8).reshape(len(shards), -1))
    return np.concatenate(parts, axis=1)


def _shards(symbols: Symbols) -> list[bytes]:
    """The way back."""
    count, width = symbols.shape
    whole = 2 * width // _GROUP_BYTES * (_GROUP_BYTES // 2)
    rows = np.empty((count, 2 * width), np.uint8)
    for start, stop, half in ((0, whole, _GROUP_BYTES // 2), (whole, width, width - whole)):
        if stop > start:
            part = symbols[:, start:stop].reshape(count, -1, 1, half)
            halves = np.concatenate((part & 0xFF, part >> 8), axis=2).astype(np.uint8)
            rows[:, 2 * start : 2 * stop] = halves.reshape(count, -1)
    return [row.tobytes() for row in rows]
