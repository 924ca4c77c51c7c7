"""What can be launched: the list that clients browse, its pictures, and editing (punktfunk1.md §10.2, §10.4)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import Path, Response
from pydantic import Field

from punktfunk.mgmt.access import Rule, Scope
from punktfunk.mgmt.context import Caller, Context
from punktfunk.mgmt.errors import ApiError, not_found
from punktfunk.mgmt.guarded import API, Routes
from punktfunk.mgmt.host_view import Refused
from punktfunk.mgmt.images import read_image
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.models import Answer, Body
from punktfunk.session.plan import App, PrepareCommand

routes = Routes("library")
STORE = "custom"
AppId = Annotated[str, Path(pattern=r"^[0-9]{1,10}$", description="Id of a title.")]
ArtKind = Literal["portrait", "hero", "header", "logo"]
Command = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*$")]
Title = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
_IMAGE = {200: {"content": {"image/png": {}, "image/jpeg": {}}, "description": "The picture."}}


class Art(Answer):
    """Paths below this host, to be fetched with the same credentials."""

    portrait: str | None = None
    hero: str | None = None
    header: str | None = None
    logo: str | None = None


class Launch(Answer):
    """How a title is started; told to those with the admin right only, because commands may hold secrets."""

    kind: str
    value: str


class Entry(Answer):
    """A title; ``id`` goes into Hello.launch."""

    id: str
    store: str
    title: str
    art: Art
    launch: Launch | None = None


class Step(Answer):
    """A command before the title starts, and the one that undoes it."""

    do: str
    undo: str = ""


class Details(Entry):
    """Everything that can be edited. ``custom`` titles stand in host.toml."""

    custom: bool
    working_dir: str
    environment: dict[str, str]
    prepare: list[Step]
    image: str
    exit_ends_session: bool


class LaunchBody(Body):
    """``value`` is the owner's own command; empty means the desktop alone."""

    kind: Literal["command"] = "command"
    value: Command = ""


class StepBody(Body):
    """A command before the title starts, and the one that undoes it."""

    do: Annotated[Command, Field(min_length=1)]
    undo: Command = ""


class Custom(Body):
    """A title of one's own. ``image`` is a path to a PNG or JPEG on the host."""

    title: Title
    launch: LaunchBody = LaunchBody()
    working_dir: Command = ""
    environment: Annotated[dict[VariableName, Command], Field(max_length=64)] = Field(default_factory=dict)
    prepare: Annotated[list[StepBody], Field(max_length=16)] = Field(default_factory=list)
    image: Command = ""
    exit_ends_session: bool = True


@routes.get(f"{API}/library", Rule.DEVICE, response_model_exclude_none=True)
async def library(m: Context, caller: Caller) -> list[Entry]:
    """All titles, in the order that clients show."""
    return [_entry(app, full=Scope.ADMIN in caller.scopes) for app in m.host.library.apps()]


@routes.get(
    f"{API}/library/art/{{title}}/{{kind}}", Rule.DEVICE, errors=(404,), response_class=Response, answers=_IMAGE
)
async def art(m: Context, title: AppId, kind: ArtKind) -> Response:
    """A title's picture."""
    app = _find(m, title)
    picture = await asyncio.to_thread(read_image, app.image) if app.image and kind == "portrait" else None
    if picture is None:
        raise not_found("such picture")
    data, media_type = picture
    return Response(data, media_type=media_type, headers={"Cache-Control": "private, max-age=300"})


@routes.get(f"{API}/library/{{title}}", Rule.ADMIN, errors=(404,), response_model_exclude_none=True)
async def details(m: Context, title: AppId) -> Details:
    """Everything about one title. Commands and variables may hold secrets, so it takes the admin right."""
    return _details(m, _find(m, title))


@routes.post(f"{API}/library/custom", Rule.ADMIN, status_code=201, errors=(409,), response_model_exclude_none=True)
async def add(m: Context, body: Custom) -> Details:
    """Add a title."""
    try:
        added = m.host.library.add(_app(body))
    except Refused as error:
        raise _refusal(error) from error
    return _changed(m, added)


@routes.put(f"{API}/library/custom/{{title}}", Rule.ADMIN, errors=(404, 409), response_model_exclude_none=True)
async def replace(m: Context, title: AppId, body: Custom) -> Details:
    """Write a title anew. Its id is made from the name, so a new name brings a new id."""
    try:
        replaced = m.host.library.replace(int(title), _app(body))
    except KeyError:
        raise not_found("title of one's own with this id") from None
    except Refused as error:
        raise _refusal(error) from error
    return _changed(m, replaced)


@routes.delete(f"{API}/library/custom/{{title}}", Rule.ADMIN, status_code=204, errors=(404, 409))
async def remove(m: Context, title: AppId) -> Response:
    """Take a title out."""
    try:
        m.host.library.remove(int(title))
    except KeyError:
        raise not_found("title of one's own with this id") from None
    except Refused as error:
        raise _refusal(error) from error
    m.events.publish("library", {"removed": title})
    return Response(status_code=204)


def _find(m: Management, title: str) -> App:
    for app in m.host.library.apps():
        if str(app.id) == title:
            return app
    raise not_found("title with this id")


def _entry(app: App, *, full: bool) -> Entry:
    picture = f"{API}/library/art/{app.id}/portrait" if app.image else None
    launch = Launch(kind="command", value=app.command) if full and app.command else None
    return Entry(id=str(app.id), store=STORE, title=app.name, art=Art(portrait=picture), launch=launch)


def _details(m: Management, app: App) -> Details:
    return Details(
        **_entry(app, full=True).model_dump(),
        custom=m.host.library.is_custom(app.id),
        working_dir=app.working_dir,
        environment=app.environment,
        prepare=[Step(do=step.do, undo=step.undo) for step in app.prepare],
        image=app.image,
        exit_ends_session=app.exit_ends_session,
    )


def _app(body: Custom) -> App:
    return App(
        id=0,
        name=body.title,
        command=body.launch.value,
        working_dir=body.working_dir,
        environment=dict(body.environment),
        prepare=tuple(PrepareCommand(step.do, step.undo) for step in body.prepare),
        image=body.image,
        exit_ends_session=body.exit_ends_session,
    )


def _changed(m: Management, app: App) -> Details:
    m.events.publish("library", {"changed": str(app.id)})
    return _details(m, app)


def _refusal(error: Refused) -> ApiError:
    return ApiError(409 if error.conflict else 422, str(error))
