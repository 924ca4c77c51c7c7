"""Signing in: setup link, password, browser sessions, API tokens, and the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from punktfunk.mgmt.access import Lane, Principal, Rule, Scope
from punktfunk.mgmt.audit import AuditEntry
from punktfunk.mgmt.console_sessions import LIFETIME_S, csrf_token
from punktfunk.mgmt.context import Caller, Context
from punktfunk.mgmt.errors import ApiError, not_found
from punktfunk.mgmt.guarded import API, Routes
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.models import Answer, Body, LifetimeSeconds, ShortId
from punktfunk.mgmt.passwords import MAX_CHARACTERS, WeakPassword

routes = Routes("sign-in")
Password = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]


class SignIn(Body):
    """The console's password."""

    password: Password


class Setup(Body):
    """The secret of the setup link and the password to be."""

    secret: Annotated[str, Field(min_length=1, max_length=256)]
    password: Password


class NewPassword(Body):
    """A change of the password; ``current`` proves that it is not somebody who found the browser open."""

    current: Password
    password: Password


class Me(Answer):
    """Who calls. ``csrf_token`` goes into the X-CSRF-Token header of every change from a browser."""

    signed_in: bool
    lane: Lane
    name: str
    scopes: list[Scope]
    needs_setup: bool
    csrf_token: str = ""


class ConsoleSession(Answer):
    """A browser that has signed in."""

    id: str
    current: bool
    address: str
    agent: str
    created_unix: float
    used_unix: float
    expires_unix: float


class NewToken(Body):
    """``expires_in_s`` may be left out for a token without an end."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    scopes: Annotated[list[Annotated[Scope, Field(strict=False)]], Field(min_length=1, max_length=4)]
    expires_in_s: LifetimeSeconds | None = None


class Token(Answer):
    """An API token, without its text."""

    id: str
    name: str
    scopes: list[Scope]
    created_unix: float
    expires_unix: float


class CreatedToken(Token):
    """A new one; ``token`` is shown this once."""

    token: str


class Audit(Answer):
    """One change or sign-in."""

    time_unix: float
    who: str
    lane: str
    address: str
    what: str
    status: int


@routes.get(f"{API}/auth/me", Rule.OPEN)
async def me(m: Context, caller: Caller, request: Request) -> Me:
    """Who calls, as far as the host can tell; for the console's first look."""
    return _me(m, caller, request.cookies.get(m.cookie, ""))


@routes.post(f"{API}/auth/login", Rule.OPEN, errors=(401, 409))
async def login(m: Context, caller: Caller, body: SignIn, request: Request, response: Response) -> Me:
    """Sign a browser in with the password."""
    _check_pace(m, caller)
    if not m.account.has_password:
        raise ApiError(409, "no password was chosen yet; open the setup link that the host printed")
    if not await m.account.password_is(body.password):
        m.throttle.failed(caller.address, m.clock())
        _note(m, caller, "wrong password", 401)
        raise ApiError(401, "the password is wrong")
    return _sign_in(m, caller, request, response)


@routes.post(f"{API}/auth/setup", Rule.OPEN, errors=(401,))
async def setup(m: Context, caller: Caller, body: Setup, request: Request, response: Response) -> Me:
    """Choose the password with the one-time setup link, and sign in."""
    _check_pace(m, caller)
    if not m.setup.matches(body.secret, m.clock()):
        m.throttle.failed(caller.address, m.clock())
        _note(m, caller, "wrong setup link", 401)
        raise ApiError(401, "this setup link is not good any more; the host prints a new one when it starts")
    # Closed before anything is awaited: two requests with the same link must not both succeed.
    m.setup.close()
    try:
        await m.account.set_password(body.password)
    except WeakPassword as error:
        m.setup.reopen(body.secret)
        raise ApiError(422, str(error)) from error
    return _sign_in(m, caller, request, response)


@routes.post(f"{API}/auth/logout", Rule.OPEN, status_code=204)
async def logout(m: Context, caller: Caller) -> Response:
    """Sign this browser out."""
    if caller.lane is Lane.CONSOLE:
        m.account.end_session(caller.id)
    response = Response(status_code=204)
    response.delete_cookie(m.cookie, path="/", secure=True, httponly=True, samesite="strict")
    return response


@routes.post(f"{API}/auth/password", Rule.ADMIN, status_code=204, errors=(409,))
async def change_password(m: Context, caller: Caller, body: NewPassword) -> Response:
    """Change the password; every browser has to sign in again."""
    _check_pace(m, caller)
    if not await m.account.password_is(body.current):
        m.throttle.failed(caller.address, m.clock())
        raise ApiError(409, "the current password is wrong")
    try:
        await m.account.set_password(body.password)
    except WeakPassword as error:
        raise ApiError(422, str(error)) from error
    return Response(status_code=204)


@routes.get(f"{API}/auth/sessions", Rule.ADMIN)
async def list_sessions(m: Context, caller: Caller) -> list[ConsoleSession]:
    """The browsers that are signed in."""
    return [
        ConsoleSession(
            id=ident,
            current=ident == caller.id,
            address=session.address,
            agent=session.agent,
            created_unix=session.created_unix,
            used_unix=used,
            expires_unix=session.expires_unix,
        )
        for ident, session, used in m.account.sessions.list(m.wall_clock())
    ]


@routes.delete(f"{API}/auth/sessions/{{session}}", Rule.ADMIN, status_code=204, errors=(404,))
async def end_session(m: Context, session: ShortId) -> Response:
    """Sign a browser out; what it has open ends within a second."""
    if not m.account.end_session(session):
        raise not_found("such browser")
    return Response(status_code=204)


@routes.delete(f"{API}/auth/sessions", Rule.ADMIN, status_code=204)
async def end_other_sessions(m: Context, caller: Caller) -> Response:
    """Sign every other browser out."""
    m.account.end_other_sessions(caller.id if caller.lane is Lane.CONSOLE else "")
    return Response(status_code=204)


@routes.get(f"{API}/auth/tokens", Rule.ADMIN)
async def list_tokens(m: Context) -> list[Token]:
    """The API tokens, those that are over included."""
    return [Token.model_validate(token) for token in m.account.tokens.stored()]


@routes.post(f"{API}/auth/tokens", Rule.ADMIN, status_code=201, errors=(409,))
async def create_token(m: Context, body: NewToken) -> CreatedToken:
    """Make an API token."""
    lifetime_s = None if body.expires_in_s is None else float(body.expires_in_s)
    try:
        text, token = m.account.create_token(body.name, body.scopes, m.wall_clock(), lifetime_s)
    except ValueError as error:
        raise ApiError(409, str(error)) from error
    return CreatedToken(**Token.model_validate(token).model_dump(), token=text)


@routes.delete(f"{API}/auth/tokens/{{token}}", Rule.ADMIN, status_code=204, errors=(404,))
async def revoke_token(m: Context, token: ShortId) -> Response:
    """Make a token worthless; what it has open ends within a second."""
    if not m.account.revoke_token(token):
        raise not_found("such token")
    return Response(status_code=204)


@routes.get(f"{API}/audit", Rule.ADMIN)
async def audit(m: Context, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> list[Audit]:
    """The last changes and failed sign-ins, newest first."""
    return [Audit.model_validate(entry, from_attributes=True) for entry in m.audit.newest(limit)]


def _check_pace(m: Management, caller: Principal) -> None:
    if (wait_s := m.throttle.wait_s(caller.address, m.clock())) > 0:
        raise ApiError(429, f"too many attempts; wait {max(1, round(wait_s))} s", retry_after_s=wait_s)


def _sign_in(m: Management, caller: Principal, request: Request, response: Response) -> Me:
    m.throttle.succeeded(caller.address)
    now = m.wall_clock()
    secret = m.account.open_session(now, caller.address, request.headers.get("user-agent", ""))
    response.set_cookie(
        m.cookie, secret, max_age=int(LIFETIME_S), path="/", secure=True, httponly=True, samesite="strict"
    )
    return Me(
        signed_in=True,
        lane=Lane.CONSOLE,
        name="console",
        scopes=list(Scope),
        needs_setup=False,
        csrf_token=csrf_token(secret),
    )


def _me(m: Management, caller: Principal, cookie: str) -> Me:
    signed_in = caller.lane is Lane.CONSOLE
    return Me(
        signed_in=signed_in,
        lane=caller.lane,
        name=caller.name,
        scopes=sorted(caller.scopes),
        needs_setup=not m.account.has_password,
        csrf_token=csrf_token(cookie) if signed_in else "",
    )


def _note(m: Management, caller: Principal, what: str, status: int) -> None:
    m.audit.add(AuditEntry(m.wall_clock(), caller.name, caller.lane.value, caller.address, what, status))
