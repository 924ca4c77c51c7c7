"""Passwords, browser sessions, tokens and the setup link, and the routes that use them."""

import asyncio
import json

import pytest
from tests.unit.mgmt.api_client import FAST, ORIGIN, PASSWORD, Bench

from punktfunk.mgmt.access import Scope
from punktfunk.mgmt.account import Account
from punktfunk.mgmt.api_tokens import MAX_TOKENS, ApiTokens
from punktfunk.mgmt.console_sessions import (
    IDLE_LIFETIME_S,
    LIFETIME_S,
    MAX_SESSIONS,
    ConsoleSessions,
    csrf_matches,
    csrf_token,
    session_id_of,
)
from punktfunk.mgmt.machine_token import MachineTokenError, load_machine_token
from punktfunk.mgmt.passwords import Passwords, WeakPassword, check_new_password
from punktfunk.mgmt.secret_text import digest_of, same_secret
from punktfunk.mgmt.setup_link import LIFETIME_S as LINK_LIFETIME_S
from punktfunk.mgmt.setup_link import SetupLink, setup_url
from punktfunk.mgmt.stored import AuthFileError, read_state

API = "/api/v1"


def test_passwords_are_argon2id_and_forgiving_about_keyboards_only():
    hashed = Passwords().hash("pässwörd one")
    assert hashed.startswith("$argon2id$")
    assert FAST.verify(FAST.hash("pa\u0308ss"), "päss")
    assert not FAST.verify(FAST.hash("abc"), "Abc")
    assert not FAST.verify("", "nobody knows this")
    assert not FAST.verify("not a hash", "x")


@pytest.mark.parametrize("weak", ["", "short", "password", "12345678", "aaaaaaaaaa", "x" * 300])
def test_weak_passwords_are_not_taken(weak):
    with pytest.raises(WeakPassword):
        check_new_password(weak)


def test_a_session_ends_by_age_disuse_and_request():
    sessions = ConsoleSessions()
    secret = sessions.open(0.0, "192.0.2.1", "Browser\x1b[31m")
    assert sessions.stored()[0].agent == "Browser[31m"
    assert sessions.find(secret, IDLE_LIFETIME_S - 1) is not None
    assert sessions.find(secret, 2 * IDLE_LIFETIME_S) is None
    used = sessions.open(0.0, "", "")
    for week in range(1, 5):
        assert sessions.find(used, week * IDLE_LIFETIME_S - 10 * week) is not None
    assert sessions.find(used, LIFETIME_S) is None
    other = sessions.open(0.0, "", "")
    found = sessions.find(other, 1.0)
    assert found is not None
    assert sessions.end(session_id_of(found))
    assert sessions.find(other, 1.0) is None
    assert not sessions.end("0" * 16)


def test_sessions_are_bounded_and_the_oldest_goes_first():
    sessions = ConsoleSessions()
    secrets = [sessions.open(0.0, "", "") for _ in range(3 * MAX_SESSIONS)]
    assert len(sessions.stored()) == MAX_SESSIONS
    assert sessions.find(secrets[0], 1.0) is None
    assert sessions.find(secrets[-1], 1.0) is not None


def test_a_csrf_token_belongs_to_one_session():
    sessions = ConsoleSessions()
    one, two = sessions.open(0.0, "", ""), sessions.open(0.0, "", "")
    assert csrf_matches(csrf_token(one), one)
    assert not csrf_matches(csrf_token(one), two)
    assert not csrf_matches("", one)


def test_absurd_secrets_are_no_secrets():
    sessions, tokens = ConsoleSessions(), ApiTokens()
    for text in ("", "x" * 100_000, "\udcff", "pft_" + "x" * 1000):
        assert sessions.find(text, 0.0) is None
        assert tokens.find(text, 0.0) is None
        assert not same_secret(text, "")
        assert digest_of(text)


def test_tokens_have_scopes_an_end_and_a_limit():
    tokens = ApiTokens()
    text, token = tokens.create("script", [Scope.READ], 100.0, 60.0)
    assert tokens.find(text, 159.0) == token
    assert tokens.find(text, 160.0) is None
    assert not tokens.lives(token.id, 160.0)
    assert tokens.revoke(token.id)
    assert not tokens.revoke(token.id)
    for number in range(MAX_TOKENS):
        tokens.create(str(number), [Scope.READ], 0.0, None)
    with pytest.raises(ValueError, match="revoke some first"):
        tokens.create("one more", [Scope.READ], 0.0, None)


def test_the_setup_link_works_once_and_not_for_ever():
    link = SetupLink()
    assert not link.matches("", 0.0)
    old = link.make(0.0)
    secret = link.make(0.0)
    assert not link.matches(old, 1.0)
    assert link.matches(secret, 1.0)
    assert not link.matches(secret, LINK_LIFETIME_S)
    link.close()
    assert not link.matches(secret, 1.0)
    assert setup_url("https://h:1", "s") == "https://h:1/setup#s"


async def test_only_digests_reach_the_disk_and_they_survive_a_restart(tmp_path):
    account = Account(tmp_path, FAST)
    await account.set_password(PASSWORD)
    cookie = account.open_session(1000.0, "192.0.2.1", "test")
    token, _ = account.create_token("script", [Scope.OPERATE], 1000.0, None)
    file = tmp_path / "mgmt-auth.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any(secret in file.read_text() for secret in (PASSWORD, cookie, token))
    again = Account(tmp_path, FAST)
    assert await again.password_is(PASSWORD)
    assert again.sessions.find(cookie, 2000.0) is not None
    assert again.tokens.find(token, 2000.0) is not None
    await again.set_password(PASSWORD + "2")
    assert again.sessions.find(cookie, 2000.0) is None


@pytest.mark.parametrize("damage", ["{", '{"password": 1}', "x" * (2 << 20)])
def test_a_damaged_file_is_told_and_never_ignored(tmp_path, damage):
    path = tmp_path / "mgmt-auth.json"
    path.write_text(damage)
    with pytest.raises(AuthFileError, match="is damaged"):
        read_state(path)


def test_the_token_of_this_machine(tmp_path):
    token = load_machine_token(tmp_path)
    file = tmp_path / "mgmt-token"
    assert file.read_text() == f"PUNKTFUNK_MGMT_TOKEN={token}\n"
    assert len(token) == 64
    file.chmod(0o644)
    assert load_machine_token(tmp_path) == token
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_machine_token(tmp_path, "y" * 40) == "y" * 40
    for text in ("", "PUNKTFUNK_MGMT_TOKEN=short\n", "token\n"):
        file.write_text(text)
        with pytest.raises(MachineTokenError):
            load_machine_token(tmp_path)


async def test_setup_sign_in_and_out(bench: Bench):
    secret = bench.management.setup.make(bench.clock())
    async with bench.client() as client:
        assert (await client.get(f"{API}/auth/me")).json()["needs_setup"]
        early = await client.post(f"{API}/auth/login", json={"password": PASSWORD})
        assert early.status_code == 409
        weak = await client.post(f"{API}/auth/setup", json={"secret": secret, "password": "password"})
        assert weak.status_code == 422
        done = await client.post(f"{API}/auth/setup", json={"secret": secret, "password": PASSWORD})
        assert done.status_code == 200
        flags = done.headers["set-cookie"]
        assert flags.startswith("__Host-punktfunk=")
        assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} <= set(flags.split("; "))
        again = await client.post(f"{API}/auth/setup", json={"secret": secret, "password": PASSWORD})
        assert again.status_code == 403  # signed in by now, and without a token
        csrf = (await client.get(f"{API}/auth/me")).json()["csrf_token"]
        assert csrf == done.json()["csrf_token"]
        headers = {"X-CSRF-Token": csrf, "Origin": ORIGIN}
        assert (await client.post(f"{API}/auth/logout", headers=headers)).status_code == 204
        assert (await client.get(f"{API}/devices")).status_code == 401
    async with bench.client() as client:
        used = await client.post(f"{API}/auth/setup", json={"secret": secret, "password": PASSWORD})
        assert used.status_code == 401


async def test_of_two_with_the_same_setup_link_one_wins(bench: Bench):
    secret = bench.management.setup.make(bench.clock())
    async with bench.client() as one, bench.client() as two:
        answers = await asyncio.gather(
            *(c.post(f"{API}/auth/setup", json={"secret": secret, "password": PASSWORD}) for c in (one, two))
        )
    assert sorted(answer.status_code for answer in answers) == [200, 401]


async def test_a_new_password_needs_the_old_one_and_ends_every_session(bench: Bench):
    await bench.management.account.set_password(PASSWORD)
    async with bench.console() as client:
        wrong = await client.post(f"{API}/auth/password", json={"current": "x", "password": "entirely new"})
        assert wrong.status_code == 409
        right = await client.post(f"{API}/auth/password", json={"current": PASSWORD, "password": "entirely new"})
        assert right.status_code == 204
        assert (await client.get(f"{API}/devices")).status_code == 401


async def test_a_token_is_shown_once_and_can_be_revoked(bench: Bench):
    async with bench.console() as client:
        body = {"name": "script", "scopes": ["read"], "expires_in_s": 3600}
        made = (await client.post(f"{API}/auth/tokens", json=body)).json()
        async with bench.client(headers={"Authorization": f"Bearer {made['token']}"}) as script:
            assert (await script.get(f"{API}/devices")).status_code == 200
            assert made["token"] not in (await client.get(f"{API}/auth/tokens")).text
            assert (await client.delete(f"{API}/auth/tokens/{made['id']}")).status_code == 204
            assert (await script.get(f"{API}/devices")).status_code == 401


async def test_every_change_is_in_the_audit_log(bench: Bench, tmp_path):
    async with bench.console() as client:
        await client.patch(f"{API}/devices/{'ab' * 32}", json={"name": "Telephone"})
        await client.patch(f"{API}/settings", json={"changes": {"host.nonsense": 1}})
    async with bench.token(Scope.READ) as client:
        await client.delete(f"{API}/sessions/0a1b2c3d")
    async with bench.client() as client:
        await client.delete(f"{API}/sessions/0a1b2c3d")
    lines = [json.loads(line) for line in (tmp_path / "state/audit.jsonl").read_text().splitlines()]
    assert [(e["who"], e["what"], e["status"]) for e in lines] == [
        ("console", f"PATCH {API}/devices/{'ab' * 32}", 200),
        ("console", f"PATCH {API}/settings", 422),
    ]
    assert lines[0]["address"] == "192.0.2.50"
