"""Test results across the border: JSON lines that pytest itself knows how to write and read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

FILE_NAME = "reports.jsonl"


class ReportWriter:
    """In the guest: every report as one line of a file."""

    def __init__(self, config: pytest.Config, file: Path) -> None:
        self._config = config
        self._file = file.open("w", buffering=1)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._file.write(json.dumps(data) + "\n")

    def pytest_unconfigure(self) -> None:
        self._file.close()


def read_reports(config: pytest.Config, lines: bytes) -> Iterator[pytest.TestReport]:
    """Outside: the reports again, as pytest objects."""
    for line in lines.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            return  # the machine stopped while it wrote
        report = config.hook.pytest_report_from_serializable(config=config, data=json.loads(line))
        if isinstance(report, pytest.TestReport):
            if report.skipped and isinstance(report.longrepr, list):
                # JSON has no tuples, and pytest takes nothing else for the place and the reason of a skip.
                report.longrepr = tuple(report.longrepr)
            yield report
