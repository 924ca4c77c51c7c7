"""GF(2^16) parity comes from a native library or, where Python has no build of it, from numpy: both are tested."""

from __future__ import annotations

import pytest

from punktfunk.wire import leopard

both_leopards = pytest.mark.parametrize(
    "native",
    [
        pytest.param(
            True,
            marks=pytest.mark.skipif(not leopard.NATIVE, reason="reed-solomon-leopard has no build for this Python"),
        ),
        False,
    ],
    ids=["library", "numpy"],
)
"""For tests that set ``leopard.NATIVE`` by monkeypatch."""
