"""The console that users get is what its sources give, and its sources pass their own checks."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 180


def test_types_unit_tests_and_committed_build() -> None:
    ran = subprocess.run(
        [ROOT / "scripts/web", "--check"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "passed" in ran.stdout
