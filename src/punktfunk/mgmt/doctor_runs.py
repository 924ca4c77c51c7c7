"""Runs the doctor in the background, one run at a time, and keeps what it found."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict

from punktfunk.mgmt.events import EventBus
from punktfunk.mgmt.host_view import CheckResult, Doctor

_logger = logging.getLogger(__name__)


class DoctorRuns:
    """``results`` are those of the newest run, growing while ``running``."""

    def __init__(self, doctor: Doctor, events: EventBus) -> None:
        self._doctor = doctor
        self._events = events
        self._task: asyncio.Task[None] | None = None
        self.results: list[CheckResult] = []

    @property
    def running(self) -> bool:
        """Whether checks are being made."""
        return self._task is not None and not self._task.done()

    def start(self) -> bool:
        """Begin a run; False when one is under way."""
        if self.running:
            return False
        self.results = []
        self._task = asyncio.create_task(self._run())
        return True

    def cancel(self) -> None:
        """Stop a run."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            async for result in self._doctor.run():
                self.results.append(result)
                self._events.publish("doctor", {"running": True, "result": asdict(result)})
        except Exception:
            _logger.exception("the doctor failed")
        self._events.publish("doctor", {"running": False, "result": None})
