"""The web rows of the security checklist, each as a test by its name, and what belongs to them."""

from __future__ import annotations

import json

import httpx
import pytest
from tests.unit.mgmt.api_client import MACHINE_TOKEN, ORIGIN, PASSWORD, Bench
from tests.unit.mgmt.fake_host import CANARY

from punktfunk.mgmt import shield
from punktfunk.mgmt.access import Scope
from punktfunk.mgmt.app import create_app
from punktfunk.mgmt.assets import Asset, find_asset, load_assets
from punktfunk.mgmt.guarded import GuardedRoute
from punktfunk.mgmt.throttle import FREE_FAILURES

API = "/api/v1"
PAGE = Asset(b"<html>", "text/html; charset=utf-8", '"1"', False)
CHANGES = sorted(
    (method, route.path)
    for route in create_app().routes
    if isinstance(route, GuardedRoute)
    for method in route.methods
    if method != "GET" and route.path != f"{API}/auth/logout"
)
TRAVERSALS = [
    "/../config/mgmt-token",
    "/assets/../../mgmt-token",
    "/%2e%2e/%2e%2e/config/mgmt-token",
    "/%252e%252e/mgmt-token",
    "/..%2f..%2fmgmt-token",
    "/..\\..\\mgmt-token",
    "/..%5c..%5cmgmt-token",
    "/mgmt-token%00.html",
    "//server/share/mgmt-token",
    "/%5c%5cserver%5cshare%5cmgmt-token",
    "//etc/passwd",
    "/etc/passwd",
    "/C:/Windows/win.ini",
    "/link.txt",
    "/./index.html",
    "/api/v1/stats/recordings/..%2f..%2fmgmt-auth",
    "/api/v1/library/art/..%2f..%2fkey/portrait",
]


@pytest.fixture
def console_folder(tmp_path):
    folder = tmp_path / "assets"
    folder.mkdir()
    (folder / "index.html").write_text("<html>")
    (folder / "app-0123abcd.js").write_text("1")
    (folder / "notes.secret").write_text(CANARY)
    (tmp_path / "outside.txt").write_text(CANARY)
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    return folder


@pytest.mark.parametrize("path", TRAVERSALS)
async def test_path_traversal(console_folder, tmp_path, path):
    bench = Bench(tmp_path, load_assets(console_folder))
    async with bench.client() as client:
        request = client.build_request("GET", ORIGIN)
        request.url = httpx.URL(ORIGIN).copy_with(raw_path=path.encode())
        answer = await client.send(request)
    assert answer.status_code in (401, 404) or answer.text == "<html>"
    assert CANARY not in answer.text
    assert MACHINE_TOKEN not in answer.text


async def test_the_consoles_files_are_small_on_the_way(tmp_path):
    text = b"<html>" + b"console " * 1000
    folder = tmp_path / "assets"
    folder.mkdir()
    (folder / "index.html").write_bytes(text)
    bench = Bench(tmp_path, load_assets(folder))
    async with bench.client() as client:
        small = await client.get("/", headers={"Accept-Encoding": "gzip, br"})
        plain = await client.get("/", headers={"Accept-Encoding": "identity"})
    assert small.content == plain.content == text
    assert int(small.headers["content-length"]) < len(text) / 10
    assert small.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers


def test_only_regular_files_of_known_types_are_served(console_folder):
    assets = load_assets(console_folder)
    assert set(assets) == {"/index.html", "/app-0123abcd.js"}
    assert assets["/app-0123abcd.js"].immutable
    assert not assets["/index.html"].immutable


def test_pages_of_the_console_are_one_file_and_nothing_else_is():
    assets = {"/index.html": PAGE}
    assert all(find_asset(assets, path) is PAGE for path in ("/", "/setup", "/devices/pair"))
    assert all(find_asset(assets, path) is None for path in ("/api", "/api/v1/x", "/a.js", "/../x", "/A", "//x", "/x/"))


FORGERIES = {
    "no token": {"X-CSRF-Token": None},
    "wrong token": {"X-CSRF-Token": "A" * 43},
    "token of another session": {"X-CSRF-Token": "other"},
    "Origin: null": {"Origin": "null"},
    "other origin": {"Origin": "https://evil.example"},
    "same host, other port": {"Origin": "https://192.0.2.1:8443"},
    "same host, plain HTTP": {"Origin": "http://192.0.2.1:47990"},
    "no origin": {"Origin": None},
    "other site": {"Sec-Fetch-Site": "cross-site"},
    "same site, other origin": {"Sec-Fetch-Site": "same-site"},
    "DNS rebinding": {"Host": "evil.example:47990", "Origin": "https://evil.example:47990"},
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_csrf_no_change_by_a_page_of_somebody_else(bench: Bench, forgery: str):
    async with bench.console() as other, bench.console() as client:
        for name, value in FORGERIES[forgery].items():
            if value is None:
                del client.headers[name]
            else:
                client.headers[name] = other.headers[name] if value == "other" else value
        for method, path in CHANGES:
            if path.endswith(("/login", "/setup")) and not FORGERIES[forgery].keys() & {"Host", "Sec-Fetch-Site"}:
                continue  # no session yet that a token could belong to; foreign origins have a test of their own
            path = path.replace("{session}", "0a1b2c3d").replace("{knock}", "4").replace("{title}", "2")
            answer = await client.request(method, path.replace("{fingerprint}", "ab" * 32), json={})
            assert answer.status_code in (403, 421), (method, path, answer.status_code)
    assert [s.id for s in bench.host.sessions.all()] == ["0a1b2c3d"]
    assert len(bench.store.devices()) == 1


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""]
)
async def test_csrf_a_form_is_no_json(bench: Bench, content_type: str):
    async with bench.console() as client:
        for method, path in CHANGES:
            path = path.replace("{session}", "0a1b2c3d").replace("{knock}", "4").replace("{title}", "2")
            path = path.replace("{fingerprint}", "ab" * 32).replace("{token}", "ab").replace("{recording}", "1" * 13)
            answer = await client.request(
                method, path, content=b'{"pin":"1234"}', headers={"Content-Type": content_type}
            )
            assert answer.status_code == 415, (method, path)


@pytest.mark.parametrize("origin", ["null", "https://evil.example"])
async def test_csrf_a_foreign_page_cannot_sign_a_browser_in(bench: Bench, origin: str):
    await bench.management.account.set_password(PASSWORD)
    async with bench.client(headers={"Origin": origin}) as client:
        answer = await client.post(f"{API}/auth/login", json={"password": PASSWORD})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:47990", "192.0.2.1.evil.example", "fake.evil", "", "a b", "[::1", "fake:x"]
)
async def test_dns_rebinding(bench: Bench, host: str):
    async with bench.console() as client:
        answer = await client.get(f"{API}/host", headers={"Host": host})
        assert answer.status_code == 421
        assert "fingerprint" not in answer.text


@pytest.mark.parametrize("host", ["192.0.2.1:47990", "[2001:db8::1]:47990", "fake", "FAKE.local:47990", "localhost"])
async def test_our_own_names_are_answered(bench: Bench, host: str):
    async with bench.console() as client:
        assert (await client.get(f"{API}/host", headers={"Host": host})).status_code == 200


async def test_clickjacking_headers_on_every_answer(tmp_path):
    bench = Bench(tmp_path, {"/index.html": PAGE})
    answers = []
    async with bench.client() as client:
        answers += [await client.get(path) for path in ("/", f"{API}/health", f"{API}/host", "/nothing.js", "/livez")]
        answers.append(await client.get("/", headers={"If-None-Match": '"1"'}))
        answers.append(await client.post(f"{API}/health"))
        answers.append(await client.get("/", headers={"Host": "evil"}))
        answers.append(
            await client.post(f"{API}/auth/login", content=b"{", headers={"Content-Type": "application/json"})
        )
        answers.append(await client.post(f"{API}/auth/login", headers={"Content-Length": "99999999"}))
        bench.host.facts = None  # type: ignore[assignment]
    async with bench.local() as client:
        answers.append(await client.get(f"{API}/host"))
    assert [a.status_code for a in answers] == [200, 200, 401, 404, 200, 304, 405, 421, 422, 413, 500]
    for answer in answers:
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        if answer.headers.get("content-type") == "application/json":
            assert answer.headers["cache-control"] == "no-store"
            if answer.status_code >= 400:
                assert set(answer.json()) == {"error"}


def test_the_pages_policy_lets_no_script_of_elsewhere_in():
    assert "unsafe" not in shield.PAGE_POLICY
    assert "http:" not in shield.PAGE_POLICY
    assert "https:" not in shield.PAGE_POLICY


@pytest.mark.parametrize("kind", ["client", "device"])
async def test_nobody_can_submit_the_own_pin(bench: Bench, kind: str):
    async with getattr(bench, kind)() as client:
        assert (await client.post(f"{API}/pair/pin", json={"pin": "1234"})).status_code in (401, 403)
        assert (await client.get(f"{API}/native/pair")).status_code in (401, 403)
        assert (await client.post(f"{API}/native/pair/arm", json={})).status_code in (401, 403)
        assert (await client.post(f"{API}/native/pending/4/approve", json={})).status_code in (401, 403)
    assert bench.host.pin_entry.submitted == []
    assert bench.host.native_pairing.approved == []


async def test_a_streaming_certificate_has_no_admin_rights(bench: Bench):
    async with bench.device() as client:
        for method, path in CHANGES:
            if any(open_to_all in path for open_to_all in ("/auth/login", "/auth/setup", "/play/link-ticket")):
                continue  # these are for whoever knows the secret that they ask for
            answer = await client.request(method, path, json={})
            assert answer.status_code == 403, (method, path)
        assert (await client.get(f"{API}/settings")).status_code == 403


async def test_a_removed_device_is_a_stranger_at_its_next_request(bench: Bench):
    async with bench.device() as client:
        assert (await client.get(f"{API}/library")).status_code == 200
        bench.store.set_enabled("ab" * 32, False)
        assert (await client.get(f"{API}/library")).status_code == 401
        bench.store.set_enabled("ab" * 32, True)
        bench.store.remove("ab" * 32)
        assert (await client.get(f"{API}/library")).status_code == 401


async def test_secrets_are_not_in_answers_logs_or_files(bench: Bench, tmp_path, caplog):
    secret_password = f"{CANARY}-password"
    secret_link = bench.management.setup.make(bench.clock())
    async with bench.client() as client:
        answers = [await client.post(f"{API}/auth/setup", json={"secret": secret_link, "password": secret_password})]
        cookie = client.cookies.jar
        answers.append(await client.post(f"{API}/auth/login", json={"password": f"{CANARY}-wrong"}))
        answers.append(await client.post(f"{API}/auth/login", json={"password": {"x": CANARY}}))
        answers.append(await client.post(f"{API}/auth/login", json={"password": secret_password, "extra": CANARY}))
        answers.append(await client.get(f"{API}/host", headers={"Authorization": f"Bearer {CANARY}"}))
    async with bench.token(Scope.READ, Scope.OPERATE, Scope.PAIR) as client:
        for route in create_app().routes:
            if isinstance(route, GuardedRoute) and route.methods == {"GET"} and "events" not in route.path:
                answers.append(await client.get(route.path.replace("{title}", "2").replace("{session}", "0a1b2c3d")))
        token = client.headers["Authorization"].removeprefix("Bearer ")
    async with bench.local() as client:
        answers.append(await client.get(f"{API}/audit"))
        answers.append(await client.get(f"{API}/auth/tokens"))
        answers.append(await client.get(f"{API}/auth/sessions"))
    said = "".join(answer.text for answer in answers)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()).decode()
    for secret in (CANARY, secret_link, token, MACHINE_TOKEN, *(c.value for c in cookie)):
        assert secret not in said
        assert secret not in caplog.text
        assert secret not in written


async def test_the_answers_for_signing_in_never_say_which_part_was_wrong_in_detail(bench: Bench):
    await bench.management.account.set_password(PASSWORD)
    async with bench.client() as client:
        answer = await client.post(f"{API}/auth/login", json={"password": PASSWORD + "x"})
    assert (answer.status_code, answer.json()) == (401, {"error": "the password is wrong"})


async def test_guessing_passwords_locks_out_with_growing_waits(bench: Bench):
    await bench.management.account.set_password(PASSWORD)
    async with bench.client() as client:
        for _ in range(FREE_FAILURES + 1):
            assert (await client.post(f"{API}/auth/login", json={"password": "wrong"})).status_code == 401
            bench.clock.now += 1
        locked = await client.post(f"{API}/auth/login", json={"password": PASSWORD})
        assert locked.status_code == 429
        assert int(locked.headers["retry-after"]) <= 2
        bench.clock.now += 2
        assert (await client.post(f"{API}/auth/login", json={"password": "wrong"})).status_code == 401
        bench.clock.now += 3
        assert (await client.post(f"{API}/auth/login", json={"password": PASSWORD})).status_code == 429
    async with bench.client(address="192.0.2.99") as elsewhere:
        assert (await elsewhere.post(f"{API}/auth/login", json={"password": PASSWORD})).status_code == 200


async def test_guessing_tokens_and_setup_links_locks_out_too(bench: Bench):
    bench.management.setup.make(bench.clock())
    async with bench.client() as client:
        for _ in range(FREE_FAILURES + 1):
            bad = {"secret": "guess", "password": PASSWORD}
            assert (await client.post(f"{API}/auth/setup", json=bad)).status_code == 401
        answer = await client.get(f"{API}/host", headers={"Authorization": "Bearer guess"})
        assert answer.status_code == 429


async def test_bodies_are_bounded(bench: Bench):
    async with bench.console() as client:
        big = json.dumps({"changes": {"host.name": "x" * (300 << 10)}}).encode()
        headers = {"Content-Type": "application/json"}

        async def chunks():
            for start in range(0, len(big), 16384):
                yield big[start : start + 16384]

        assert (await client.patch(f"{API}/settings", content=big, headers=headers)).status_code == 413
        assert (await client.patch(f"{API}/settings", content=chunks(), headers=headers)).status_code == 411
        for length in ("-1", "1e9", "18446744073709551616", "９"):
            raw = {**headers, "Content-Length": length.encode()}
            answer = await client.patch(f"{API}/settings", headers=raw)
            assert answer.status_code in (400, 413), length


async def test_the_token_of_this_machine_is_worthless_elsewhere(bench: Bench):
    async with bench.client(headers={"Authorization": f"Bearer {MACHINE_TOKEN}"}) as client:
        assert (await client.get(f"{API}/devices")).status_code == 401
    for address in ("127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"):
        async with bench.client(address=address, headers={"Authorization": f"Bearer {MACHINE_TOKEN}"}) as client:
            assert (await client.get(f"{API}/devices")).status_code == 200
