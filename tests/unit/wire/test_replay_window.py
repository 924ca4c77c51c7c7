"""The replay window."""

from __future__ import annotations

import random

import pytest

from punktfunk.wire.replay import ReplayWindow


def test_each_number_once_in_any_order() -> None:
    window = ReplayWindow(128)
    numbers = list(range(100))
    random.Random(1).shuffle(numbers)
    assert all(window.accept(n) for n in numbers)
    assert not any(window.accept(n) for n in numbers)


def test_too_old_to_tell() -> None:
    window = ReplayWindow(128)
    assert window.accept(1000)
    assert not window.accept(1000 - 128)
    assert window.accept(1000 - 127)
    assert not window.accept(-1)


def test_agrees_with_a_set_over_jumps() -> None:
    rng = random.Random(2)
    window, seen, highest, base = ReplayWindow(192), set(), -1, 0
    for _ in range(20_000):
        base += rng.choice([0, 0, 1, 1, 2, 63, 64, 65, 500]) if rng.random() < 0.5 else 0
        number = max(0, base + rng.randrange(-250, 3))
        fresh = number not in seen and number > highest - 192
        assert window.is_fresh(number) is fresh
        assert window.accept(number) is fresh
        seen.add(number)
        highest = max(highest, number)
    assert window.highest == highest


def test_memory_is_fixed_even_for_huge_jumps() -> None:
    window = ReplayWindow(131_072)
    for power in range(64):
        assert window.accept(1 << power)
    assert len(window._words) == 131_072 // 64 + 1


@pytest.mark.parametrize("size", [0, -64, 100])
def test_size_must_fill_words(size: int) -> None:
    with pytest.raises(ValueError, match="multiple"):
        ReplayWindow(size)
