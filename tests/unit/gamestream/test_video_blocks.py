from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.gamestream.video_blocks import MAX_PIECES, Block, FrameTooLarge, plan_blocks


def test_a_second_block_starts_above_212_pieces() -> None:
    assert plan_blocks(212, 20, 2) == [Block(212, 43, 20)]
    assert plan_blocks(213, 20, 2) == [Block(107, 22, 20), Block(106, 22, 20)]


def test_fec_is_off_above_four_blocks() -> None:
    assert [block.parity for block in plan_blocks(848, 20, 2)] == [43] * 4
    assert plan_blocks(849, 20, 2) == [Block(213, 0, 0), Block(213, 0, 0), Block(213, 0, 0), Block(210, 0, 0)]


def test_the_largest_frame() -> None:
    assert [block.data for block in plan_blocks(MAX_PIECES, 20, 2)] == [1023] * 4
    with pytest.raises(FrameTooLarge, match="4093"):
        plan_blocks(MAX_PIECES + 1, 20, 2)


def test_no_parity_at_zero_percent_whatever_the_minimum() -> None:
    assert plan_blocks(10, 0, 2) == [Block(10, 0, 0)]


@pytest.mark.parametrize(
    ("data", "fec", "minimum", "block"),
    [
        (1, 20, 3, Block(1, 3, 255)),
        (1, 20, 50, Block(1, 3, 255)),
        (252, 1, 5, Block(252, 3, 1)),
        (230, 1, 5, Block(230, 5, 2)),
        (212, 20, 200, Block(212, 43, 20)),
    ],
    ids=[
        "percentage has 8 bits",
        "so has any minimum",
        "255 shards",
        "rounding up reaches it",
        "the minimum gives way",
    ],
)
def test_a_minimum_that_the_format_cannot_express(data: int, fec: int, minimum: int, block: Block) -> None:
    assert plan_blocks(data, fec, minimum) == [block]


@given(st.integers(1, MAX_PIECES), st.integers(0, 255), st.integers(0, 255))
def test_every_plan_is_one_that_the_client_computes_too(pieces: int, fec: int, minimum: int) -> None:
    blocks = plan_blocks(pieces, fec, minimum)
    assert sum(block.data for block in blocks) == pieces
    assert 1 <= len(blocks) <= 4
    for block in blocks:
        assert 1 <= block.data <= 1023
        assert block.parity == (block.data * block.percentage + 99) // 100
        assert block.percentage <= 255
        assert block.parity == 0 or block.data + block.parity <= 255
        assert block.percentage == 0 or block.percentage >= fec
    assert len({block.percentage == 0 for block in blocks}) == 1
    assert len({block.data for block in blocks[:-1]}) <= 1


@given(st.integers(1, 200), st.integers(1, 20), st.integers(0, 2))
def test_the_usual_minimum_is_met(pieces: int, fec: int, minimum: int) -> None:
    assert all(block.parity >= minimum for block in plan_blocks(pieces, fec, minimum))
