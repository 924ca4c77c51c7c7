"""What pytest is told when the machine does not do what it should: never a pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.vm import conftest
from tests.vm.errors import VmFailed, VmUnavailable
from tests.vm.guest_pytest import GuestRun
from tests.vm.reports import FILE_NAME

pytest_plugins = ["pytester"]

GUEST_TESTS = """
import pytest
pytestmark = pytest.mark.vm
def test_first(): raise RuntimeError("only the guest runs this")
def test_second(): pass
"""
Run = Callable[..., GuestRun]


def report(name: str, when: str, outcome: str = "passed") -> bytes:
    """A line as the guest's pytest writes it."""
    data: dict[str, Any] = {
        "$report_type": "TestReport",
        "nodeid": f"test_guest.py::{name}",
        "location": ["test_guest.py", 1, name],
        "keywords": {},
        "outcome": outcome,
        "longrepr": None if outcome == "passed" else "it broke",
        "when": when,
        "sections": [],
        "duration": 0.1,
        "start": 0.0,
        "stop": 0.1,
        "user_properties": [],
    }
    return json.dumps(data).encode() + b"\n"


def whole(name: str, outcome: str = "passed") -> bytes:
    return report(name, "setup") + report(name, "call", outcome) + report(name, "teardown")


@pytest.fixture
def outcomes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, int]]:
    """Runs two guest tests with a machine of the test's own; how they ended."""

    def run(machine: Run, *options: str) -> dict[str, int]:
        monkeypatch.setattr(conftest, "run_pytest", machine)
        pytester.makeini(
            "[pytest]\nmarkers = vm: runs inside a virtual machine\nasyncio_default_fixture_loop_scope = function\n"
        )
        pytester.makepyfile(test_guest=GUEST_TESTS)
        result = pytester.inline_run("test_guest.py", "-p", "no:cacheprovider", *options, plugins=[conftest])
        passed, skipped, failed = result.countoutcomes()
        return {"passed": passed, "skipped": skipped, "failed": failed}

    return run


def answering(console: str = "", reports: bytes = b"", status: int = 0) -> Run:
    return lambda *_arguments, **_options: GuestRun(console, reports, status)


def raising(error: Exception) -> Run:
    def run(*_arguments: Any, **_options: Any) -> GuestRun:
        raise error

    return run


def test_reports_of_the_guest_are_the_outcomes(outcomes: Callable[..., dict[str, int]]) -> None:
    machine = answering(reports=whole("test_first") + whole("test_second", "failed"))
    assert outcomes(machine, "-m", "vm") == {"passed": 1, "skipped": 0, "failed": 1}


def test_a_guest_that_ran_no_test_is_a_failure(outcomes: Callable[..., dict[str, int]]) -> None:
    assert outcomes(answering("no tests ran", status=5), "-m", "vm") == {"passed": 0, "skipped": 0, "failed": 2}


def test_a_test_that_the_guest_does_not_report_is_a_failure(outcomes: Callable[..., dict[str, int]]) -> None:
    assert outcomes(answering(reports=whole("test_first")), "-m", "vm") == {"passed": 1, "skipped": 0, "failed": 1}


def test_a_guest_that_hangs_keeps_what_it_did_and_fails_the_rest(outcomes: Callable[..., dict[str, int]]) -> None:
    half = whole("test_first") + report("test_second", "setup") + b'{"$report_type": "TestRep'
    machine = raising(VmFailed("the machine did not finish within 9 s", {FILE_NAME: half}))
    assert outcomes(machine, "-m", "vm") == {"passed": 1, "skipped": 0, "failed": 1}


def test_a_guest_that_dies_between_call_and_teardown_did_not_pass(outcomes: Callable[..., dict[str, int]]) -> None:
    half = whole("test_first") + report("test_second", "setup") + report("test_second", "call")
    machine = raising(VmFailed("the machine went down before the end", {FILE_NAME: half}))
    assert outcomes(machine, "-m", "vm") == {"passed": 1, "skipped": 0, "failed": 1}


def test_a_machine_that_cannot_be_had_is_skipped(outcomes: Callable[..., dict[str, int]]) -> None:
    machine = raising(VmUnavailable("qemu-system-x86_64 is missing"))
    assert outcomes(machine, "-m", "vm") == {"passed": 0, "skipped": 2, "failed": 0}


def test_nobody_asked(outcomes: Callable[..., dict[str, int]]) -> None:
    assert outcomes(raising(AssertionError("must not boot"))) == {"passed": 0, "skipped": 2, "failed": 0}
