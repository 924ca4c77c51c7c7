"""The replay window, against a set that remembers everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.gamestream.replay import ReplayWindow

SIZE = 128


@given(st.lists(st.one_of(st.integers(0, 400), st.integers(0, 2**32)), max_size=200))
def test_takes_each_number_once(numbers):
    window, seen = ReplayWindow(SIZE), set()
    for number in numbers:
        expected = number not in seen and number > max(seen, default=-1) - SIZE
        assert window.is_fresh(number) == expected
        if expected:
            window.mark(number)
            seen.add(number)


def test_reaches_exactly_its_size_back():
    window = ReplayWindow(SIZE)
    window.mark(1000)
    assert window.is_fresh(1000 - SIZE + 1)
    assert not window.is_fresh(1000 - SIZE)


@pytest.mark.parametrize("size", [0, -64, 100])
def test_size_must_fill_words(size):
    with pytest.raises(ValueError, match="multiple of 64"):
        ReplayWindow(size)
