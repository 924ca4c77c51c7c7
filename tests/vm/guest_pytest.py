"""Runs pytest in the guest and brings its reports out."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.vm.kernel import get_kernel
from tests.vm.machine import run_script
from tests.vm.reports import FILE_NAME

RUN_TIMEOUT_S = 180
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class GuestRun:
    """The machine's console and the reports, as lines of JSON."""

    console: str
    reports: bytes


def run_pytest(
    arguments: Sequence[str], *, package: str | None = None, accelerator: str = "tcg", timeout_s: float = RUN_TIMEOUT_S
) -> GuestRun:
    """Run pytest with ``arguments`` in the guest, with this interpreter and this checkout."""
    command = [
        *(
            sys.executable,
            "-m",
            "pytest",
            "--vm-guest=/tmp/exchange",
            "-p",
            "no:cacheprovider",
            "-W",
            "ignore::pytest.PytestConfigWarning",
        ),
        *("-m", "vm", "--color=no", *arguments),
    ]
    script = "\n".join(
        (
            "export HOME=/tmp TMPDIR=/tmp PYTHONDONTWRITEBYTECODE=1 PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8",
            # Importing the plugins costs 20 s of emulation; guest tests are plain functions.
            "export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1",
            f"cd {shlex.quote(str(REPOSITORY))}",
            shlex.join(command),
        )
    )
    finished = run_script(get_kernel(package), script, timeout_s=timeout_s, accelerator=accelerator)
    return GuestRun(finished.console, finished.files.get(FILE_NAME, b""))
