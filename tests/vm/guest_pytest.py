"""Runs pytest in the guest and brings its reports out."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from tests.vm import uml
from tests.vm.errors import VmFailed
from tests.vm.kernel import get_kernel
from tests.vm.machine import CONSOLE_TAIL_CHARS, run_script
from tests.vm.reports import FILE_NAME
from tests.vm.scratch import REPOSITORY
from tests.vm.uml import get_user_mode_kernel

RUN_TIMEOUT_S = 400
"""The whole suite takes 100 s of a quiet machine with two cores, and three times that of a busy one."""


STATUS_FILE = "status"
ENVIRONMENT = "HOME=/tmp TMPDIR=/tmp PYTHONDONTWRITEBYTECODE=1 PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8"


@dataclass(frozen=True)
class GuestRun:
    """The machine's console, the reports as lines of JSON, and the command's exit status."""

    console: str
    reports: bytes
    status: int


def run_pytest(
    arguments: Sequence[str], *, package: str | None = None, accelerator: str = "tcg", timeout_s: float = RUN_TIMEOUT_S
) -> GuestRun:
    """Run pytest with ``arguments`` in the guest, with this interpreter and this checkout."""
    command = [
        *("python", "-m", "pytest", "--vm-guest=/tmp/exchange", "-p", "no:cacheprovider"),
        *("-W", "ignore::pytest.PytestConfigWarning", "-m", "vm", "--color=no", *arguments),
    ]
    return run_command_line(command, package=package, accelerator=accelerator, timeout_s=timeout_s)


def run_command_line(
    command: Sequence[str], *, package: str | None = None, accelerator: str = "tcg", timeout_s: float = RUN_TIMEOUT_S
) -> GuestRun:
    """Run a command in the guest, in this checkout; ``python`` is this interpreter.

    Raises VmUnavailable, or VmFailed when the guest does not get to the command's end.
    """
    program, *arguments = command
    script = "\n".join(
        (
            # Importing the plugins costs 20 s of emulation; guest tests are plain functions.
            f"export {ENVIRONMENT} PYTEST_DISABLE_PLUGIN_AUTOLOAD=1",
            f"cd {shlex.quote(str(REPOSITORY))}",
            shlex.join((sys.executable if program == "python" else program, *arguments)),
            f'echo "$?" >"$EXCHANGE/{STATUS_FILE}"',
        )
    )
    kernel = get_user_mode_kernel() if package == uml.NAME else get_kernel(package)
    finished = run_script(kernel, script, timeout_s=timeout_s, accelerator=accelerator)
    status = finished.files.get(STATUS_FILE)
    if status is None:
        tail = finished.console[-CONSOLE_TAIL_CHARS:]
        raise VmFailed(f"the machine went down before the end:\n{tail}", finished.files)
    return GuestRun(finished.console, finished.files.get(FILE_NAME, b""), int(status))
