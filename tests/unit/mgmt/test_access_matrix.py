"""Every route × every kind of caller. A new route has to be added here, with who may use it."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI
from tests.unit.mgmt.api_client import NATIVE_DEVICE, Bench

from punktfunk.mgmt.access import Rule, Scope
from punktfunk.mgmt.app import create_app
from punktfunk.mgmt.guarded import GuardedRoute, Routes, UnguardedRoute, check_all_guarded
from punktfunk.trust.devices import Grants, PairedDevice, Plane
from punktfunk.trust.identity import load_native_identity

API = "/api/v1"
EXPECTED = {
    Rule.OPEN: {
        "GET /livez",
        "GET /readyz",
        "GET /{path:path}",
        f"GET {API}/health",
        f"GET {API}/openapi.json",
        f"GET {API}/auth/me",
        f"POST {API}/auth/login",
        f"POST {API}/auth/setup",
        f"POST {API}/auth/logout",
        f"POST {API}/play/link-ticket",
    },
    Rule.LOOPBACK: {"GET /metrics", f"GET {API}/local/summary"},
    Rule.DEVICE: {
        f"GET {API}/host",
        f"GET {API}/status",
        f"GET {API}/compositors",
        f"GET {API}/library",
        f"GET {API}/library/art/{{title}}/{{kind}}",
    },
    Rule.READ: {
        f"GET {API}/devices",
        f"GET {API}/clients",
        f"GET {API}/native/clients",
        f"GET {API}/native/pending",
        f"GET {API}/pair",
        f"GET {API}/sessions",
        f"GET {API}/play/links",
        f"GET {API}/sessions/{{session}}",
        f"GET {API}/settings",
        f"GET {API}/doctor",
        f"GET {API}/logs",
        f"GET {API}/events",
        f"GET {API}/stats/capture/status",
        f"GET {API}/stats/capture/live",
        f"GET {API}/stats/recordings",
        f"GET {API}/stats/recordings/{{recording}}",
    },
    Rule.OPERATE: {
        f"DELETE {API}/session",
        f"POST {API}/play/ticket",
        f"POST {API}/session/idr",
        f"GET {API}/sessions/{{session}}/picture",
        f"DELETE {API}/sessions/{{session}}",
        f"POST {API}/sessions/{{session}}/idr",
        f"PUT {API}/sessions/{{session}}/bitrate",
        f"POST {API}/doctor",
        f"POST {API}/stats/capture/start",
        f"POST {API}/stats/capture/stop",
        f"DELETE {API}/stats/recordings/{{recording}}",
    },
    Rule.PAIR: {
        f"PATCH {API}/devices/{{fingerprint}}",
        f"DELETE {API}/devices/{{fingerprint}}",
        f"DELETE {API}/clients/{{fingerprint}}",
        f"PATCH {API}/native/clients/{{fingerprint}}",
        f"DELETE {API}/native/clients/{{fingerprint}}",
        f"POST {API}/pair/pin",
        f"GET {API}/native/pair",
        f"DELETE {API}/native/pair",
        f"POST {API}/native/pair/arm",
        f"POST {API}/native/pending/{{knock}}/approve",
        f"POST {API}/native/pending/{{knock}}/deny",
    },
    Rule.ADMIN: {
        f"POST {API}/play/links",
        f"POST {API}/host/restart",
        f"DELETE {API}/play/links/{{link}}",
        f"GET {API}/library/{{title}}",
        f"POST {API}/library/custom",
        f"PUT {API}/library/custom/{{title}}",
        f"DELETE {API}/library/custom/{{title}}",
        f"POST {API}/settings/validate",
        f"PATCH {API}/settings",
        f"POST {API}/auth/password",
        f"GET {API}/auth/sessions",
        f"DELETE {API}/auth/sessions",
        f"DELETE {API}/auth/sessions/{{session}}",
        f"GET {API}/auth/tokens",
        f"POST {API}/auth/tokens",
        f"DELETE {API}/auth/tokens/{{token}}",
        f"GET {API}/audit",
    },
}
ROUTES = sorted((rule, *text.split(" ")) for rule, texts in EXPECTED.items() for text in texts)
VALUES = {
    "title": "2",
    "kind": "portrait",
    "session": "0a1b2c3d",
    "recording": "1234567890123",
    "fingerprint": NATIVE_DEVICE,
    "knock": "4",
    "token": "abcd",
    "link": "abcd",
    "path:path": "nothing.txt",
}
ALLOWED = {
    "anonymous": {Rule.OPEN},
    "anonymous on this machine": {Rule.OPEN, Rule.LOOPBACK},
    "paired punktfunk/1 client": {Rule.OPEN, Rule.DEVICE},
    "paired Moonlight client": {Rule.OPEN},
    "removed client": {Rule.OPEN},
    "reading token": {Rule.OPEN, Rule.LOOPBACK, Rule.DEVICE, Rule.READ},
    "operating token": {Rule.OPEN, Rule.LOOPBACK, Rule.DEVICE, Rule.READ, Rule.OPERATE},
    "pairing token": {Rule.OPEN, Rule.LOOPBACK, Rule.DEVICE, Rule.READ, Rule.PAIR},
    "admin token": set(Rule),
    "console": set(Rule),
    "token of this machine": set(Rule),
    "token of this machine, elsewhere": set(),
    "admin token that is over": set(),
    "admin token that was revoked": set(),
    "browser that was signed out": {Rule.OPEN},
    "device whose access has ended": {Rule.OPEN},
    "device that is kept out for now": {Rule.OPEN},
    "streaming certificate with a forged cookie": {Rule.OPEN, Rule.DEVICE},
}


def caller(bench: Bench, name: str) -> httpx.AsyncClient:
    match name:
        case "anonymous":
            return bench.client()
        case "anonymous on this machine":
            return bench.client(address="127.0.0.1")
        case "paired punktfunk/1 client":
            return bench.device()
        case "paired Moonlight client":
            identity = load_native_identity(bench.folder / "television")
            tv = PairedDevice(Plane.GAMESTREAM, "TV", identity.fingerprint, identity.certificate.pem)
            bench.store.add(tv)
            return bench.client(certificate=tv.fingerprint)
        case "removed client":
            bench.store.remove(NATIVE_DEVICE)
            return bench.device()
        case "reading token":
            return bench.token(Scope.READ)
        case "operating token":
            return bench.token(Scope.OPERATE)
        case "pairing token":
            return bench.token(Scope.PAIR)
        case "admin token":
            return bench.token(Scope.ADMIN)
        case "console":
            return bench.console()
        case "token of this machine":
            return bench.local()
        case "admin token that is over":
            text, _ = bench.management.account.create_token("script", [Scope.ADMIN], bench.clock(), 60.0)
            bench.clock.now += 61
            return bench.client(headers={"Authorization": f"Bearer {text}"})
        case "admin token that was revoked":
            text, token = bench.management.account.create_token("script", [Scope.ADMIN], bench.clock(), None)
            bench.management.account.revoke_token(token.id)
            return bench.client(headers={"Authorization": f"Bearer {text}"})
        case "browser that was signed out":
            client = bench.console()
            bench.management.account.end_other_sessions("")
            return client
        case "device whose access has ended":
            bench.store.set_grants(NATIVE_DEVICE, Grants.ALL, int(bench.clock()) - 1)
            return bench.device()
        case "device that is kept out for now":
            bench.store.set_enabled(NATIVE_DEVICE, False)
            return bench.device()
        case "streaming certificate with a forged cookie":
            cookie = {"Cookie": f"{bench.management.cookie}={'A' * 43}"}
            return bench.client(certificate=NATIVE_DEVICE, headers=cookie)
        case "token of this machine, elsewhere":
            return bench.client(headers=dict(bench.local().headers))
    raise AssertionError(name)


def test_the_table_lists_exactly_the_routes_that_exist():
    actual = {rule: set() for rule in Rule}
    for route in create_app().routes:
        assert isinstance(route, GuardedRoute)
        actual[route.rule] |= {f"{method} {route.path}" for method in route.methods}
    assert actual == EXPECTED


@pytest.mark.parametrize("name", ALLOWED)
async def test_who_may_use_what(bench: Bench, name: str):
    async with caller(bench, name) as client:
        for rule, method, path in ROUTES:
            if path == f"{API}/events" and rule in ALLOWED[name]:
                continue  # it would not end
            if path == f"{API}/auth/logout" and name == "console":
                continue  # it would end the others
            for key, value in VALUES.items():
                path = path.replace(f"{{{key}}}", value)
            assert "{" not in path
            # An empty JSON list is refused by every route that takes a body, so that nothing changes under the test.
            body = {"json": []} if method in ("POST", "PUT", "PATCH") else {}
            if path.endswith(("/doctor", "/start", "/stop", "/idr", "/deny", "/logout")):
                body = {}
            bench.clock.now += 60
            answer = await client.request(method, path, **body)
            refused = answer.status_code in (401, 403, 429)
            assert refused == (rule not in ALLOWED[name]), (name, method, path, answer.status_code, answer.text)


def test_a_route_without_a_rule_cannot_be_registered():
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    with pytest.raises(UnguardedRoute):
        app.router.add_api_route("/x", lambda: 1, route_class_override=GuardedRoute)
    with pytest.raises(TypeError):
        Routes("x").get("/x")  # type: ignore[call-arg]
    check_all_guarded(app)

    @app.get("/x")
    async def unguarded() -> int:
        return 1

    with pytest.raises(UnguardedRoute):
        check_all_guarded(app)


def test_the_document_says_what_is_enforced():
    document = create_app().openapi()
    for route in create_app().routes:
        assert isinstance(route, GuardedRoute)
        if route.include_in_schema:
            for method in route.methods:
                assert document["paths"][route.path][method.lower()]["x-access"] == route.rule
