"""Child processes for checks: native code that may crash or hang is tried in one, never in the doctor itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence

import msgspec

MAX_OUTPUT_BYTES = 1 << 20


class ChildResult(msgspec.Struct, frozen=True):
    """How it ended. ``status`` is negative for a signal, as in ``subprocess``."""

    status: int
    output: str
    errors: str

    @property
    def last_error(self) -> str:
        """The last line that it wrote to standard error, or how it ended."""
        lines = [line for line in self.errors.splitlines() if line.strip()]
        if self.status < 0:
            return f"ended by signal {signal.Signals(-self.status).name}"
        return lines[-1].strip() if lines else f"exit status {self.status}"


async def run_program(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> ChildResult:
    """Run to the end and collect the output. Cancelling kills the program with all that it started."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=None if environment is None else dict(environment),
        start_new_session=True,
    )
    try:
        output, errors = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    status = process.returncode if process.returncode is not None else -signal.SIGKILL
    return ChildResult(status, _text(output), _text(errors))


async def run_python(code: str, *arguments: str, environment: Mapping[str, str] | None = None) -> ChildResult:
    """Run ``code`` in a fresh interpreter of this environment."""
    return await run_program([sys.executable, "-c", code, *arguments], environment)


def _text(data: bytes) -> str:
    return data[:MAX_OUTPUT_BYTES].decode(errors="replace")
