from pathlib import Path

import pytest
from tests.unit.mgmt.api_client import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
