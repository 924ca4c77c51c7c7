"""Routes that act on what runs: pictures of sessions, the restart, and links for playing."""

from __future__ import annotations

import pytest
from tests.unit.mgmt.api_client import Bench
from tests.unit.mgmt.fake_host import LINK_SECRET

from punktfunk.mgmt.access import Scope
from punktfunk.mgmt.throttle import FREE_FAILURES

API = "/api/v1"


async def test_a_picture_is_for_those_who_may_operate(bench: Bench):
    path = f"{API}/sessions/0a1b2c3d/picture"
    async with bench.token(Scope.READ) as reader, bench.token(Scope.OPERATE) as operator:
        assert (await reader.get(path)).status_code == 403
        answer = await operator.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_session_without_a_picture_has_none(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    async def none(_session: str) -> bytes | None:
        return None

    monkeypatch.setattr(bench.host.sessions, "picture", none)
    async with bench.console() as owner:
        assert (await owner.get(f"{API}/sessions/0a1b2c3d/picture")).status_code == 404
        assert (await owner.get(f"{API}/sessions/00000000/picture")).status_code == 404


async def test_the_owner_restarts_the_host_and_the_audit_log_knows(bench: Bench):
    async with bench.console() as owner:
        assert (await owner.post(f"{API}/host/restart")).status_code == 202
        entry = (await owner.get(f"{API}/audit")).json()[0]
    assert bench.host.restarts == 1
    assert (entry["who"], entry["what"], entry["status"]) == ("console", f"POST {API}/host/restart", 202)


async def test_a_link_is_made_used_listed_without_its_secret_and_taken_back(bench: Bench):
    async with bench.console() as owner, bench.client() as guest:
        made = (await owner.post(f"{API}/play/links", json={"name": "Eva", "grants": 3, "expires_in_s": 600})).json()
        assert made["path"] == f"/play#{LINK_SECRET}"
        listed = await owner.get(f"{API}/play/links")
        assert "Eva" in [link["name"] for link in listed.json()]
        assert LINK_SECRET not in listed.text
        assert (await guest.post(f"{API}/play/link-ticket", json={"secret": LINK_SECRET})).json()["ticket"]
        assert (await owner.delete(f"{API}/play/links/{made['id']}")).status_code == 204
        assert (await owner.delete(f"{API}/play/links/{made['id']}")).status_code == 404
        assert "Eva" not in (await owner.get(f"{API}/play/links")).text


async def test_guessing_links_locks_out(bench: Bench):
    async with bench.client() as guest:
        for _ in range(FREE_FAILURES + 1):
            assert (await guest.post(f"{API}/play/link-ticket", json={"secret": "guess"})).status_code == 403
        answer = await guest.post(f"{API}/play/link-ticket", json={"secret": LINK_SECRET})
    assert answer.status_code == 429


async def test_a_host_without_the_player_says_so(bench: Bench):
    bench.host.play = None
    async with bench.console() as owner:
        assert (await owner.get(f"{API}/play/links")).status_code == 409
