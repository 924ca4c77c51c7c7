"""A session's worker that notes when input was injected, and whose synthetic display costs no encoding."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tests.e2e.noisy_worker import NoiseSource

from punktfunk.input.events import InputEvent, PointerPlaced
from punktfunk.media.displays.synthetic import SyntheticSource
from punktfunk.native.worker import NativeMedia
from punktfunk.session.worker import Worker, run_worker

MARKS = 10_000
"""Width of the surface on which the bench places the pointer: the place is the number of the mark."""


def log_of(host_pid: int) -> Path:
    """Where the workers of a host write; opened before they drop their rights."""
    return Path(f"/tmp/punktfunk-bench-{host_pid}.log")


def note_injections() -> None:
    """One line for each placed pointer: its number, and CLOCK_MONOTONIC once it is injected."""
    inject = Worker._inject
    lines = log_of(os.getppid()).open("a", buffering=1)

    def timed(worker: Worker, event: InputEvent) -> None:
        inject(worker, event)
        if isinstance(event, PointerPlaced):
            lines.write(f"{round(event.x * MARKS)} {time.monotonic_ns()}\n")

    Worker._inject = timed  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    note_injections()
    for name in ("_recovers", "invalidate", "_emit"):
        setattr(SyntheticSource, name, getattr(NoiseSource, name))
    sys.exit(run_worker(NativeMedia()))
