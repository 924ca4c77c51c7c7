"""Leopard encode and decode, by the native library and by numpy."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.leopard import both_leopards

from punktfunk.wire import leopard, leopard_arrays


@both_leopards
@pytest.mark.parametrize(("k", "m", "length"), [(1, 1, 2), (5, 3, 66), (30, 3, 1408), (100, 50, 512), (4096, 100, 64)])
def test_any_k_shards_restore_the_data(
    monkeypatch: pytest.MonkeyPatch, native: bool, k: int, m: int, length: int
) -> None:
    monkeypatch.setattr(leopard, "NATIVE", native)
    rng = random.Random(k)
    data = [rng.randbytes(length) for _ in range(k)]
    parity = leopard.encode(data, m)
    lost = set(rng.sample(range(k), min(k, m)))
    kept = {i: data[i] for i in range(k) if i not in lost}
    helpers = dict(rng.sample(list(enumerate(parity)), len(lost)))
    assert leopard.decode(k, m, kept, helpers) == {i: data[i] for i in lost}


@both_leopards
def test_nothing_missing_and_nothing_to_add(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    monkeypatch.setattr(leopard, "NATIVE", native)
    assert leopard.decode(2, 1, {0: b"ab", 1: b"cd"}, {}) == {}
    assert leopard.encode([b"ab"], 0) == []


@both_leopards
def test_bad_shards_are_one_error(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    monkeypatch.setattr(leopard, "NATIVE", native)
    for data in ([b"abc"], [b"ab", b"abcd"], [b""], []):
        with pytest.raises(leopard.ShardError):
            leopard.encode(data, 1)
    with pytest.raises(leopard.ShardError):
        leopard.encode([b"ab"] * 60_000, 6_000)
    with pytest.raises(leopard.ShardError):
        leopard.decode(3, 1, {0: b"ab"}, {0: b"cd"})
    with pytest.raises(leopard.ShardError):
        leopard.decode(2, 1, {0: b"ab"}, {7: b"cd"})
    with pytest.raises(leopard.ShardError):
        leopard.decode(2, 1, {0: b"ab"}, {0: b"cdef"})


@pytest.mark.skipif(not leopard.NATIVE, reason="reed-solomon-leopard has no build for this Python")
@settings(max_examples=300, deadline=None)
@given(
    k=st.one_of(st.integers(1, 140), st.integers(1, 1500)),
    m=st.one_of(st.integers(1, 140), st.integers(1, 600)),
    half=st.integers(1, 100),
    seed=st.integers(0, 2**32),
)
def test_numpy_and_the_library_agree_byte_by_byte(k: int, m: int, half: int, seed: int) -> None:
    rng = random.Random(seed)
    data = [rng.randbytes(2 * half) for _ in range(k)]
    parity = leopard.encode(data, m)
    assert leopard_arrays.encode(data, m) == parity
    lost = set(rng.sample(range(k), min(k, m, 40)))
    kept = {i: data[i] for i in range(k) if i not in lost}
    helpers = dict(rng.sample(list(enumerate(parity)), len(lost)))
    if lost:
        assert leopard_arrays.decode(k, m, kept, helpers) == leopard.decode(k, m, kept, helpers)
