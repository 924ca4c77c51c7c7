"""Leopard encode and decode."""

from __future__ import annotations

import random

import pytest
from tests.leopard import needs_leopard

from punktfunk.wire import leopard

pytestmark = needs_leopard


@pytest.mark.parametrize(("k", "m", "length"), [(1, 1, 2), (5, 3, 66), (30, 3, 1408), (100, 50, 512), (4096, 410, 64)])
def test_any_k_shards_restore_the_data(k: int, m: int, length: int) -> None:
    rng = random.Random(k)
    data = [rng.randbytes(length) for _ in range(k)]
    parity = leopard.encode(data, m)
    lost = set(rng.sample(range(k), min(k, m)))
    kept = {i: data[i] for i in range(k) if i not in lost}
    helpers = dict(rng.sample(list(enumerate(parity)), len(lost)))
    assert leopard.decode(k, m, kept, helpers) == {i: data[i] for i in lost}


def test_nothing_missing_and_nothing_to_add() -> None:
    assert leopard.decode(2, 1, {0: b"ab", 1: b"cd"}, {}) == {}
    assert leopard.encode([b"ab"], 0) == []


def test_bad_shards_are_one_error() -> None:
    with pytest.raises(leopard.ShardError):
        leopard.encode([b"abc"], 1)
    with pytest.raises(leopard.ShardError):
        leopard.decode(3, 1, {0: b"ab"}, {0: b"cd"})
    with pytest.raises(leopard.ShardError):
        leopard.decode(2, 1, {0: b"ab"}, {7: b"cd"})
