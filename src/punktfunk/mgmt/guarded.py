"""Routes with an access rule. There is no other way to register one, and the rule is checked before a body is read.

The rule stands in the OpenAPI document as ``x-access``: what is documented there is what is enforced.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from punktfunk.mgmt.access import Lane, Principal, Rule
from punktfunk.mgmt.audit import AuditEntry
from punktfunk.mgmt.errors import ApiError
from punktfunk.mgmt.gate import SAFE_METHODS
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.request_facts import facts_of

API = "/api/v1"
ERROR_REFERENCE = {"$ref": "#/components/schemas/Error"}
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])
_ERRORS = {
    400: "The request is malformed.",
    401: "Nobody is signed in, or the token is not known.",
    403: "The caller may not do this, or a browser's change was not proved to come from the console.",
    404: "There is no such thing.",
    409: "Not now: something else has to happen first.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    421: "The Host header names another machine; see mgmt.allowed_hosts in docs/configure.md.",
    422: "A value is wrong; the message names it.",
    429: "Too many attempts; Retry-After says how long to wait.",
    503: "That part of the host does not run.",
}
_SECURITY: list[dict[str, list[str]]] = [{"token": []}, {"console": []}]


class UnguardedRoute(TypeError):
    """A route without an access rule: a mistake in this program."""


class GuardedRoute(APIRoute):
    """A route whose rule is ``openapi_extra["x-access"]``."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        rule = (options.get("openapi_extra") or {}).get("x-access")
        if rule not in set(Rule):
            raise UnguardedRoute(f"{path} has no access rule")
        self.rule = Rule(rule)
        super().__init__(path, endpoint, **options)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the caller in or refuse it; keep changes in the audit log."""
        management: Management = scope["app"].state.management
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        facts = facts_of(Request(scope), management.cookie)
        principal = management.gate.admit(self.rule, facts, management.clock(), management.wall_clock())
        scope.setdefault("state", {})["principal"] = principal
        if scope["method"] in SAFE_METHODS:
            await super().handle(scope, receive, send)
            return
        with _audited(management, principal, scope) as seen:
            await super().handle(scope, receive, seen(send))


class Routes:
    """The routes of one subject, to be installed into an application."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._entries: list[tuple[str, Callable[..., Any], dict[str, Any]]] = []

    def get(self, path: str, rule: Rule, **options: Any) -> Callable[[_Endpoint], _Endpoint]:
        """Register a GET route."""
        return self._add("GET", path, rule, **options)

    def post(self, path: str, rule: Rule, **options: Any) -> Callable[[_Endpoint], _Endpoint]:
        """Register a POST route."""
        return self._add("POST", path, rule, **options)

    def put(self, path: str, rule: Rule, **options: Any) -> Callable[[_Endpoint], _Endpoint]:
        """Register a PUT route."""
        return self._add("PUT", path, rule, **options)

    def patch(self, path: str, rule: Rule, **options: Any) -> Callable[[_Endpoint], _Endpoint]:
        """Register a PATCH route."""
        return self._add("PATCH", path, rule, **options)

    def delete(self, path: str, rule: Rule, **options: Any) -> Callable[[_Endpoint], _Endpoint]:
        """Register a DELETE route."""
        return self._add("DELETE", path, rule, **options)

    def install(self, app: FastAPI) -> None:
        """Add every route to ``app``."""
        for path, endpoint, options in self._entries:
            app.router.add_api_route(path, endpoint, route_class_override=GuardedRoute, **options)

    def _add(
        self,
        method: str,
        path: str,
        rule: Rule,
        *,
        errors: Sequence[int] = (),
        answers: dict[int | str, dict[str, Any]] | None = None,
        **options: Any,
    ) -> Callable[[_Endpoint], _Endpoint]:
        change = method not in SAFE_METHODS
        statuses = {400, 401, 421, 422, 429, *errors} | ({403, 413, 415} if change else set())
        statuses |= {403} if rule is not Rule.OPEN else set()
        extra: dict[str, Any] = {"x-access": rule.value, "security": _security(rule)}
        responses: dict[int | str, dict[str, Any]] = {s: _refusal(s) for s in sorted(statuses)}
        responses.update(answers or {})
        options |= {
            "methods": [method],
            "tags": [self._tag],
            "openapi_extra": extra,
            "responses": responses,
        }
        if options.get("status_code") == 204:
            options["response_class"] = Response

        def register(endpoint: _Endpoint) -> _Endpoint:
            self._entries.append((path, endpoint, options))
            return endpoint

        return register


def check_all_guarded(app: FastAPI) -> None:
    """Raise UnguardedRoute when anything but guarded routes was added to ``app``."""
    for route in app.routes:
        if not isinstance(route, GuardedRoute):
            raise UnguardedRoute(f"{getattr(route, 'path', route)} has no access rule")


def _refusal(status: int) -> dict[str, Any]:
    return {"description": _ERRORS[status], "content": {"application/json": {"schema": ERROR_REFERENCE}}}


def _security(rule: Rule) -> list[dict[str, list[str]]]:
    if rule is Rule.OPEN:
        return [{}]
    if rule is Rule.DEVICE:
        return [*_SECURITY, {"device": []}]
    return [*_SECURITY, {}] if rule is Rule.LOOPBACK else _SECURITY


@contextlib.contextmanager
def _audited(management: Management, principal: Principal, scope: Scope) -> Any:
    status = 500

    def seen(send: Send) -> Send:
        async def watch(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        return watch

    try:
        yield seen
    except ApiError as error:
        status = error.status
        raise
    finally:
        # Strangers could fill the log with attempts that changed nothing; wrong passwords are kept by the sign-in.
        if principal.lane is not Lane.ANONYMOUS or status < 400:
            what = f"{scope['method']} {scope['path']}"
            management.audit.add(
                AuditEntry(
                    management.wall_clock(), principal.name, principal.lane.value, principal.address, what, status
                )
            )
