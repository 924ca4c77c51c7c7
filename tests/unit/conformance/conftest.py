import json
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.moonlight.violations import Violations

VECTORS = Path(__file__).parents[2] / "wire/vectors/gamestream.json"


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    return json.loads(VECTORS.read_text())


@pytest.fixture
def violations() -> Violations:
    return Violations()
