"""What is wrong: the doctor and the newest log lines."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query

from punktfunk.mgmt.access import Rule
from punktfunk.mgmt.context import Context
from punktfunk.mgmt.errors import ApiError
from punktfunk.mgmt.guarded import API, Routes
from punktfunk.mgmt.log_ring import MAX_ANSWER_LINES
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.models import Answer

routes = Routes("diagnosis")


class CheckResult(Answer):
    """One check; ``status`` is ok, warn, fail or skip, ``fix`` says how to mend it."""

    name: str
    status: str
    message: str
    fix: str
    took_s: float


class DoctorState(Answer):
    """The newest run, growing while it runs; each result is also an event."""

    running: bool
    checks: list[CheckResult]


class LogLine(Answer):
    """One line; secrets were removed from it."""

    seq: int
    ts_ms: int
    level: str
    target: str
    msg: str


class Logs(Answer):
    """``next`` is the cursor for ``after``; ``dropped`` says that lines in between were forgotten."""

    entries: list[LogLine]
    next: int
    dropped: bool


@routes.get(f"{API}/doctor", Rule.READ)
async def doctor(m: Context) -> DoctorState:
    """What the newest run has found so far."""
    return _state(m)


@routes.post(f"{API}/doctor", Rule.OPERATE, status_code=202, errors=(409,))
async def run_doctor(m: Context) -> DoctorState:
    """Start a run; it takes seconds."""
    if not m.doctor.start():
        raise ApiError(409, "the doctor is at work already")
    return _state(m)


@routes.get(f"{API}/logs", Rule.READ)
async def logs(
    m: Context,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_ANSWER_LINES)] = 200,
    level: Literal["debug", "info", "warning", "error"] = "debug",
    target: Annotated[str, Query(max_length=64)] = "",
    text: Annotated[str, Query(max_length=128)] = "",
) -> Logs:
    """Log lines behind a cursor, or the newest; filtered by least level, start of the target, and words."""
    page = m.logs.page(after=after, limit=limit, level=level, target=target, text=text)
    return Logs(entries=[LogLine.model_validate(line) for line in page.entries], next=page.next, dropped=page.dropped)


def _state(m: Management) -> DoctorState:
    return DoctorState(
        running=m.doctor.running, checks=[CheckResult.model_validate(result) for result in m.doctor.results]
    )
