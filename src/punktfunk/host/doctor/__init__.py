"""`doctor`: small checks that each prove one thing by doing it, and say in words how to mend it."""

from punktfunk.host.doctor.check import (
    Check,
    Context,
    Outcome,
    Result,
    Status,
    fail,
    make_context,
    ok,
    run_checks,
    skip,
    warn,
)
from punktfunk.host.doctor.checks import standard_checks

__all__ = [
    "Check",
    "Context",
    "Outcome",
    "Result",
    "Status",
    "fail",
    "make_context",
    "ok",
    "run_checks",
    "skip",
    "standard_checks",
    "warn",
]
