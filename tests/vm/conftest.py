"""Tests marked ``vm`` run inside a virtual machine, all in one boot, and report here like any other test.

Asked for with ``-m vm``; otherwise skipped. Skipped with the reason when there is no QEMU or no kernel.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from tests.vm.errors import VmFailed, VmUnavailable
from tests.vm.guest_pytest import run_pytest
from tests.vm.machine import ACCELERATORS, CONSOLE_TAIL_CHARS
from tests.vm.reports import FILE_NAME, ReportWriter, read_reports


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("vm")
    group.addoption("--vm-guest", metavar="FOLDER", help="set inside the guest: where results go")
    group.addoption("--vm-kernel", metavar="PACKAGE", help="a linux-image package instead of the default, or uml")
    group.addoption("--vm-accel", choices=sorted(ACCELERATORS))


def pytest_configure(config: pytest.Config) -> None:
    folder = config.getoption("--vm-guest", None)
    if folder:
        config.pluginmanager.register(ReportWriter(config, Path(folder) / FILE_NAME))
    else:
        config.pluginmanager.register(VmRunner(config), "vm-runner")


class VmRunner:
    """Outside: takes the marked tests away from pytest, boots once, and hands in the reports that come back."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._asked_for = "vm" in (config.getoption("markexpr", "") or "")
        self._reports: dict[str, list[pytest.TestReport]] | None = None
        self._no_machine: tuple[str, str] | None = None
        """Outcome and reason when the machine did not run."""

    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if item.get_closest_marker("vm") is None:
            return None
        if self._reports is None:
            self._run([each.nodeid for each in item.session.items if each.get_closest_marker("vm")])
        assert self._reports is not None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = self._reports[item.nodeid]
        if not any(report.when == "teardown" for report in reports):
            # Not a word of it, or cut off in the middle, where what passed so far is no pass.
            reports = [*(report for report in reports if report.failed), self._missing(item)]
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _run(self, node_ids: list[str]) -> None:
        self._reports = defaultdict(list)
        if not self._asked_for:
            self._no_machine = ("skipped", "runs in a virtual machine; ask for it with -m vm")
            return
        # The options exist only when tests/vm is named on the command line, so each has its default here too.
        package, accelerator = (self._config.getoption(name, None) for name in ("--vm-kernel", "--vm-accel"))
        lines = b""
        try:
            done = run_pytest(node_ids, package=package, accelerator=accelerator or "tcg")
        except VmUnavailable as error:
            self._no_machine = ("skipped", f"no virtual machine: {error}")
        except VmFailed as error:
            lines = error.files.get(FILE_NAME, b"")
            self._no_machine = ("failed", f"the guest did not get to this test's end: {error}")
        else:
            lines = done.reports
            tail = done.console[-CONSOLE_TAIL_CHARS:]
            self._no_machine = ("failed", f"the guest ended with {done.status} and did not report this test:\n{tail}")
        for report in read_reports(self._config, lines):
            self._reports[report.nodeid].append(report)

    def _missing(self, item: pytest.Item) -> pytest.TestReport:
        assert self._no_machine is not None
        outcome, reason = self._no_machine
        path, line, _ = item.location
        detail = (path, line or 0, f"Skipped: {reason}") if outcome == "skipped" else reason
        return pytest.TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords={},
            outcome=outcome,  # type: ignore[arg-type]
            longrepr=detail,
            when="setup" if outcome == "skipped" else "call",
        )
