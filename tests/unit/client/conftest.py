from __future__ import annotations

import pytest

from punktfunk.client.identity import ClientIdentity, new_identity


@pytest.fixture(scope="session")
def identity() -> ClientIdentity:
    return new_identity()
