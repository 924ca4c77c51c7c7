"""What a check is, and how a list of them is run."""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from punktfunk.host.settings import Settings
from punktfunk.host.settings_load import LoadedSettings, config_file, load
from punktfunk.host.settings_sources import SettingsError
from punktfunk.session.identity import UserIdentity, desktop_user

DEFAULT_DEADLINE_S = 10.0


class Status(enum.Enum):
    """``WARN``: works, but worse than it could; ``SKIP``: does not apply here."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


class Outcome(msgspec.Struct, frozen=True):
    """What a check found, in one sentence, and how to mend it where that is needed."""

    status: Status
    message: str
    fix: str = ""


class Context(msgspec.Struct, frozen=True):
    """What checks work with. Defaults stand in for settings that are wrong; ``mistakes`` then says why."""

    settings: Settings
    environment: Mapping[str, str]
    file: Path
    mistakes: str = ""
    warnings: str = ""

    def desktop_user(self) -> UserIdentity:
        """The account whose desktops are streamed. Raises IdentityError."""
        requested = self.settings.display.user or None
        return desktop_user(requested, xdg_runtime_dir=self.environment.get("XDG_RUNTIME_DIR"))


class Check(msgspec.Struct, frozen=True):
    """A named probe. It may raise: that is a failure, too. Cancelled at its deadline, so it has to clean up."""

    name: str
    probe: Callable[[Context], Awaitable[Outcome]]
    deadline_s: float = DEFAULT_DEADLINE_S


class Result(msgspec.Struct, frozen=True):
    """A check's outcome with its name and how long it took."""

    name: str
    status: Status
    message: str
    fix: str
    took_s: float


def ok(message: str) -> Outcome:
    """It works."""
    return Outcome(Status.OK, message)


def warn(message: str, fix: str) -> Outcome:
    """It works, but worse than it could."""
    return Outcome(Status.WARN, message, fix)


def fail(message: str, fix: str) -> Outcome:
    """It does not work."""
    return Outcome(Status.FAIL, message, fix)


def skip(message: str) -> Outcome:
    """It does not apply to this machine or these settings."""
    return Outcome(Status.SKIP, message)


def make_context(environment: Mapping[str, str], file: Path | None) -> Context:
    """The context of this machine; wrong settings are kept for the check that tells of them."""
    path = config_file(environment, file)[0]
    try:
        loaded: LoadedSettings = load(environment=environment, file=file)
    except SettingsError as error:
        return Context(Settings(), environment, path, mistakes=str(error))
    return Context(loaded.settings, environment, path, warnings="\n".join(map(str, loaded.warnings)))


async def run_checks(checks: Iterable[Check], context: Context) -> AsyncIterator[Result]:
    """One result per check, as soon as it is there; one after the other, because they share devices and cores."""
    for check in checks:
        start = time.monotonic()
        outcome = await _run(check, context)
        took_s = round(time.monotonic() - start, 3)
        yield Result(check.name, outcome.status, outcome.message, outcome.fix, took_s)


async def _run(check: Check, context: Context) -> Outcome:
    try:
        async with asyncio.timeout(check.deadline_s):
            return await check.probe(context)
    except TimeoutError:
        return fail(f"no answer within {check.deadline_s:g} s", "look at the load of this machine and try again")
    except Exception as error:  # noqa: BLE001 - whatever happens, the next check runs
        return fail(f"the check itself failed: {type(error).__name__}: {error}", "report this with the whole output")
