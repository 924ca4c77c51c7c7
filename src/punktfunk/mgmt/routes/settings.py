"""Settings: read with their origins, check, change. Some act at once, the others when the host starts the next time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from punktfunk.mgmt.access import Rule
from punktfunk.mgmt.context import Context
from punktfunk.mgmt.errors import ApiError
from punktfunk.mgmt.guarded import API, Routes
from punktfunk.mgmt.host_view import Refused, SettingMistake
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.models import Answer, Body

routes = Routes("settings")
Key = Annotated[str, Field(pattern=r"^[a-z_]{1,32}\.[a-z_0-9]{1,32}$")]
Plain = str | int | bool | Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=16)] | None
"""A value as JSON; null means the default."""


class Setting(Answer):
    """One setting. ``origin`` is ``default``, ``FILE:LINE``, a variable or a flag; ``changed`` waits for a restart;
    ``acts_at_once`` need not wait, though it may be about the next session."""

    key: str
    value: str | int | bool | list[str]
    default: str | int | bool | list[str]
    origin: str
    origin_kind: str
    description: str
    type: str
    choices: list[str]
    minimum: int | None
    maximum: int | None
    changed: bool
    acts_at_once: bool


class AllSettings(Answer):
    """Every setting in the order of docs/configure.md."""

    file: str
    settings: list[Setting]


class Changes(Body):
    """``section.key`` → new value; null takes the line out of the file, so that the default applies."""

    changes: Annotated[dict[Key, Plain], Field(min_length=1, max_length=64)]


class Mistake(Answer):
    """Why a value is not taken."""

    key: str
    message: str


class Verdict(Answer):
    """Whether all of it could be taken."""

    ok: bool
    mistakes: list[Mistake]


class Changed(AllSettings):
    """The settings after a change. Until a restart the host goes on with what it had."""

    restart_needed: bool


@routes.get(f"{API}/settings", Rule.READ, errors=(409,))
async def read(m: Context) -> AllSettings:
    """Every setting with its value and where that comes from."""
    return AllSettings(file=m.host.settings.file(), settings=_list(m))


@routes.post(f"{API}/settings/validate", Rule.ADMIN, errors=(409,))
async def validate(m: Context, body: Changes) -> Verdict:
    """Check changes without making them."""
    try:
        mistakes = m.host.settings.check(body.changes)
    except Refused as error:
        raise ApiError(409, str(error)) from error
    return Verdict(ok=not mistakes, mistakes=[Mistake(key=x.key, message=x.message) for x in mistakes])


@routes.patch(f"{API}/settings", Rule.ADMIN, errors=(409,))
async def change(m: Context, body: Changes) -> Changed:
    """Write changes to host.toml; all of them or, when one is wrong, none."""
    try:
        mistakes = m.host.settings.change(body.changes)
    except Refused as error:
        raise ApiError(409, str(error)) from error
    if mistakes:
        raise ApiError(422, _in_words(mistakes))
    m.events.publish("settings", {"keys": sorted(body.changes)})
    settings = _list(m)
    return Changed(file=m.host.settings.file(), settings=settings, restart_needed=any(s.changed for s in settings))


def _list(m: Management) -> list[Setting]:
    try:
        return [Setting.model_validate(setting) for setting in m.host.settings.all()]
    except Refused as error:
        raise ApiError(409, str(error)) from error


def _in_words(mistakes: Sequence[SettingMistake]) -> str:
    return "; ".join(f"{mistake.key}: {mistake.message}".removeprefix(": ") for mistake in mistakes)
