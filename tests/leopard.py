"""GF(2^16) parity comes from a library that is not built for every Python; its tests say so where it is missing."""

import pytest

try:
    import reed_solomon_leopard
except ImportError:
    reed_solomon_leopard = None

needs_leopard = pytest.mark.skipif(
    reed_solomon_leopard is None, reason="reed-solomon-leopard has no build for this Python; GF(2^8) is used instead"
)
