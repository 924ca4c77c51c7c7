from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.wire import gf256, isal
from punktfunk.wire.gf256 import ErasureCode, TooFewShards, cauchy_code, cauchy_matrix

Shards = np.ndarray[Any, np.dtype[np.uint8]]

needs_isal = pytest.mark.skipif(isal.library() is None, reason="ISA-L is not installed")


@st.composite
def codes(draw: st.DrawFn) -> tuple[int, int]:
    data = draw(st.integers(1, 60))
    return data, draw(st.integers(1, min(60, gf256.MAX_SHARDS - data)))


def block(data: int, parity: int, size: int, seed: int) -> Shards:
    shards = np.zeros((data + parity, size), np.uint8)
    shards[:data] = np.random.default_rng(seed).integers(0, 256, (data, size), np.uint8)
    return shards


@needs_isal
@settings(deadline=None)
@given(codes(), st.integers(1, 300), st.integers(0, 2**32))
def test_isal_and_numpy_agree(code: tuple[int, int], size: int, seed: int) -> None:
    first = block(*code, size, seed)
    second = first.copy()
    cauchy_code(*code, "isal").encode(first)
    cauchy_code(*code, "numpy").encode(second)
    assert np.array_equal(first, second)


@settings(deadline=None)
@given(st.data(), codes(), st.sampled_from(["numpy", *(["isal"] if isal.library() else [])]))
def test_any_k_shards_restore_the_data(data: st.DataObject, code: tuple[int, int], backend: gf256.Backend) -> None:
    k, m = code
    erasure = cauchy_code(k, m, backend)
    shards = block(k, m, 33, seed=k * 256 + m)
    erasure.encode(shards)
    present = data.draw(st.sets(st.integers(0, k + m - 1), min_size=k, max_size=k))
    damaged = shards.copy()
    damaged[[i for i in range(k + m) if i not in present]] = 0xAA
    erasure.decode(damaged, present)
    assert np.array_equal(damaged[:k], shards[:k])


def test_rows_may_lie_apart_in_a_larger_buffer() -> None:
    packed = block(5, 3, 40, seed=1)
    spread = np.full((8, 100), 0x55, np.uint8)
    spread[:, 10:50] = packed
    cauchy_code(5, 3).encode(packed)
    cauchy_code(5, 3).encode(spread[:, 10:50])
    assert np.array_equal(spread[:, 10:50], packed)
    assert np.all(spread[:, :10] == 0x55)
    assert np.all(spread[:, 50:] == 0x55)


def test_too_few_shards() -> None:
    with pytest.raises(TooFewShards):
        cauchy_code(4, 2).decode(block(4, 2, 8, seed=0), {0, 1, 4})


@pytest.mark.parametrize(("data", "parity"), [(0, 1), (1, 0), (200, 56), (-1, 3)])
def test_codes_that_do_not_exist(data: int, parity: int) -> None:
    with pytest.raises(ValueError, match="no code for"):
        cauchy_matrix(data, parity)


@pytest.mark.parametrize(
    "shards",
    [
        np.zeros((5, 8), np.uint8),
        np.zeros((6, 0), np.uint8),
        np.zeros((6, 8), np.uint16),
        np.zeros(48, np.uint8),
        np.zeros((6, 16), np.uint8)[:, ::2],
    ],
    ids=["rows", "empty", "type", "flat", "strided"],
)
def test_misshapen_shards_never_reach_native_code(shards: Shards) -> None:
    with pytest.raises(ValueError, match="shards must be"):
        cauchy_code(4, 2).encode(shards)


def test_a_matrix_without_inverse_is_reported() -> None:
    code = ErasureCode(np.array([[1, 1], [1, 1]], np.uint8), "numpy")
    with pytest.raises(ValueError, match="no inverse"):
        code.decode(np.zeros((4, 1), np.uint8), {2, 3})


def test_only_non_zero_values_have_an_inverse() -> None:
    with pytest.raises(ValueError, match="inverse"):
        gf256.inverse(0)


def test_the_cache_of_codes_is_bounded() -> None:
    for data in range(1, 2 * gf256.MAX_CACHED_CODES):
        cauchy_code(data, 2, "numpy")
    assert cauchy_code.cache_info().currsize == gf256.MAX_CACHED_CODES
