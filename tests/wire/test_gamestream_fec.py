"""Known answers of the two Reed-Solomon codes and of their field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from punktfunk.gamestream.audio import PARITY_MATRIX
from punktfunk.gamestream.video_blocks import Block, plan_blocks
from punktfunk.wire import gf256, isal

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "gamestream.json").read_text())

BACKENDS = [
    pytest.param("isal", marks=pytest.mark.skipif(isal.library() is None, reason="ISA-L is not installed")),
    "numpy",
]


def rows(hex_rows: list[str]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.array([list(bytes.fromhex(row)) for row in hex_rows], np.uint8)


def test_field_tables() -> None:
    field = VECTORS["gf256"]
    assert gf256.EXP[:32].tobytes().hex() == field["exp_0_to_31"]
    assert gf256.EXP[254] == int(field["exp_254"], 16)
    assert {value: gf256.LOG[int(value)] for value in field["log_of"]} == field["log_of"]


@pytest.mark.parametrize("case", VECTORS["gf256"]["mul"])
def test_multiplication(case: dict[str, int]) -> None:
    assert gf256.PRODUCT[case["a"], case["b"]] == case["product"]


@pytest.mark.parametrize("case", VECTORS["gf256"]["inverse"])
def test_inverse(case: dict[str, int]) -> None:
    assert gf256.inverse(case["a"]) == case["inv"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("code", "case"),
    [("video", case) for case in VECTORS["reed_solomon_video"]["cases"]]
    + [("audio", case) for case in VECTORS["reed_solomon_audio"]["cases"]],
)
def test_parity(code: str, case: dict[str, Any], backend: gf256.Backend) -> None:
    k, m = case["k"], case["m"]
    erasure = gf256.cauchy_code(k, m, backend) if code == "video" else gf256.ErasureCode(PARITY_MATRIX, backend)
    expected = case["coefficient_rows"]
    listed = erasure.matrix if len(expected) == m else erasure.matrix[[0, -1]]
    assert [row.tobytes().hex() for row in listed] == expected
    shards = np.zeros((k + m, case["shard_size"]), np.uint8)
    shards[:k] = rows(case["data"])
    erasure.encode(shards)
    assert [row.tobytes().hex() for row in shards[k:]] == case["parity"]


@pytest.mark.parametrize(
    ("data", "percentage", "parity"),
    [(1, 200, 2), (2, 100, 2), (3, 66, 2), (4, 50, 2), (5, 40, 2), (6, 20, 2), (10, 20, 2), (11, 20, 3), (212, 20, 43)],
)
def test_percentage_is_raised_for_the_minimum(data: int, percentage: int, parity: int) -> None:
    assert plan_blocks(data, 20, 2) == [Block(data, parity, percentage)]
