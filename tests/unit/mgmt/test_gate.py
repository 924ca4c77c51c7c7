"""The gate without a server: whatever a stranger writes into headers, only open routes answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.mgmt.api_client import FAST, MACHINE_TOKEN

from punktfunk.mgmt.access import Lane, Rule, Scope
from punktfunk.mgmt.account import Account
from punktfunk.mgmt.console_sessions import csrf_token
from punktfunk.mgmt.errors import ApiError
from punktfunk.mgmt.gate import Gate, RequestFacts
from punktfunk.mgmt.throttle import GuessThrottle
from punktfunk.trust.devices import PairedDevice, Plane

PAIRED = PairedDevice(Plane.NATIVE, "Phone", "ab" * 32)
TEXT = st.one_of(st.text(max_size=80), st.sampled_from(["Bearer ", "bearer pft_", "Basic eDp5", "null", "https://h"]))


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    return Account(tmp_path_factory.mktemp("gate"), FAST)


def gate_of(account: Account) -> Gate:
    return Gate(account, MACHINE_TOKEN, lambda f: PAIRED if f == PAIRED.fingerprint else None, GuessThrottle())


@settings(deadline=None, max_examples=300)
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "DELETE", "BREW"]),
    fields=st.fixed_dictionaries(
        dict.fromkeys(("host", "origin", "fetch_site", "authorization", "cookie", "csrf", "certificate"), TEXT)
    ),
    rule=st.sampled_from([rule for rule in Rule if rule is not Rule.OPEN]),
)
def test_no_header_makes_a_stranger_somebody(account, method, fields, rule):
    with pytest.raises(ApiError) as refused:
        gate_of(account).admit(rule, RequestFacts(method=method, address="192.0.2.1", **fields), 0.0, 0.0)
    assert refused.value.status in (401, 403, 415, 429)


def test_an_authorization_header_is_never_ignored_for_a_cookie(account):
    cookie = account.open_session(0.0, "", "")
    facts = RequestFacts("GET", cookie=cookie, authorization="Bearer wrong", address="192.0.2.1")
    with pytest.raises(ApiError, match="not known"):
        gate_of(account).admit(Rule.OPEN, facts, 0.0, 1.0)


def test_a_cookie_comes_before_a_certificate(account):
    cookie = account.open_session(0.0, "", "")
    facts = RequestFacts("GET", cookie=cookie, certificate=PAIRED.fingerprint)
    assert gate_of(account).admit(Rule.ADMIN, facts, 0.0, 1.0).lane is Lane.CONSOLE


def test_what_a_long_answer_began_with_is_asked_again(account):
    gate = gate_of(account)
    cookie = account.open_session(0.0, "", "")
    facts = RequestFacts("POST", "h", "https://h", cookie=cookie, csrf=csrf_token(cookie))
    principal = gate.admit(Rule.ADMIN, facts, 0.0, 1.0)
    assert gate.still_good(principal, 2.0)
    account.end_session(principal.id)
    assert not gate.still_good(principal, 2.0)
    text, token = account.create_token("x", [Scope.READ], 0.0, 60.0)
    reader = gate.admit(Rule.READ, RequestFacts("GET", authorization=f"Bearer {text}"), 0.0, 1.0)
    assert gate.still_good(reader, 59.0)
    assert not gate.still_good(reader, 60.0)
    account.revoke_token(token.id)
    assert not gate.still_good(reader, 2.0)
