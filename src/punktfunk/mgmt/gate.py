"""The one mechanism that lets requests in: who calls, is it a forgery, does the route's rule allow it.

Sans-IO: facts of a request and the time go in, a Principal or an ApiError comes out. Nothing of a request's body has
been read at that point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from punktfunk.mgmt.access import ALL_SCOPES, Lane, Principal, Rule, Scope, allows
from punktfunk.mgmt.account import Account
from punktfunk.mgmt.console_sessions import csrf_matches, session_id_of
from punktfunk.mgmt.errors import ApiError
from punktfunk.mgmt.hostname import same_origin
from punktfunk.mgmt.secret_text import same_secret
from punktfunk.mgmt.throttle import GuessThrottle
from punktfunk.trust.devices import PairedDevice

SAFE_METHODS = frozenset({"GET", "HEAD"})
_SAME_SITE = ("", "none", "same-origin")


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What a request says about its origin. Texts are empty where a header is missing."""

    method: str
    host: str = ""
    origin: str = ""
    fetch_site: str = ""
    authorization: str = ""
    cookie: str = ""
    csrf: str = ""
    content_type: str = ""
    has_body: bool = False
    address: str = ""
    loopback: bool = False
    certificate: str = ""
    """Fingerprint of the client certificate whose key the connection has proved to hold."""


class Gate:
    """``find_device`` returns the paired punktfunk/1 device with exactly this fingerprint that may connect now."""

    def __init__(
        self,
        account: Account,
        machine_token: str,
        find_device: Callable[[str], PairedDevice | None],
        throttle: GuessThrottle,
    ) -> None:
        self._account = account
        self._machine_token = machine_token
        self._find_device = find_device
        self._throttle = throttle

    def admit(self, rule: Rule, facts: RequestFacts, now: float, now_unix: float) -> Principal:
        """Who may go on. Raises ApiError 401, 403, 415 or 429."""
        principal = self._identify(facts, now, now_unix)
        if facts.method not in SAFE_METHODS:
            self._check_forgery(facts, principal)
            if facts.has_body and facts.content_type.partition(";")[0].strip().lower() != "application/json":
                raise ApiError(415, "send JSON, with Content-Type: application/json")
        if allows(rule, principal):
            return principal
        if principal.lane is Lane.ANONYMOUS:
            raise ApiError(401, "sign in first, or send an API token")
        raise ApiError(403, f"{principal.name} may not do this; it takes the right: {rule.value}")

    def still_good(self, principal: Principal, now_unix: float) -> bool:
        """Whether what a long answer began with has not been revoked since."""
        if principal.lane is Lane.CONSOLE:
            return self._account.sessions.lives(principal.id, now_unix)
        if principal.lane is Lane.TOKEN:
            return self._account.tokens.lives(principal.id, now_unix)
        return principal.lane is not Lane.DEVICE or self._find_device(principal.id) is not None

    def _identify(self, facts: RequestFacts, now: float, now_unix: float) -> Principal:
        if facts.authorization:
            return self._bearer(facts, now, now_unix)
        if facts.cookie and (session := self._account.sessions.find(facts.cookie, now_unix)) is not None:
            return _principal(Lane.CONSOLE, "console", session_id_of(session), ALL_SCOPES, facts)
        if facts.certificate and (device := self._find_device(facts.certificate)) is not None:
            return _principal(Lane.DEVICE, device.name, device.fingerprint, frozenset(), facts)
        return _principal(Lane.ANONYMOUS, "anonymous", "", frozenset(), facts)

    def _bearer(self, facts: RequestFacts, now: float, now_unix: float) -> Principal:
        scheme, _, text = facts.authorization.partition(" ")
        text = text.strip()
        if scheme.lower() == "bearer":
            if facts.loopback and same_secret(text, self._machine_token):
                return _principal(Lane.MACHINE, "this machine", "", ALL_SCOPES, facts)
            if (token := self._account.tokens.find(text, now_unix)) is not None:
                scopes = frozenset(token.scopes) | {Scope.READ}
                return _principal(Lane.TOKEN, f"token {token.name}", token.id, scopes, facts)
        if (wait_s := self._throttle.wait_s(facts.address, now)) > 0:
            raise ApiError(429, f"too many wrong tokens; wait {wait_s:.0f} s", retry_after_s=wait_s)
        self._throttle.failed(facts.address, now)
        raise ApiError(401, "that token is not known, or is over")

    def _check_forgery(self, facts: RequestFacts, principal: Principal) -> None:
        """A page of somebody else's must not be able to change anything with this browser's cookie or address."""
        if facts.origin and not same_origin(facts.origin, facts.host):
            raise ApiError(403, "this request comes from another site's page")
        if facts.fetch_site.lower() not in _SAME_SITE:
            raise ApiError(403, "this request comes from another site's page")
        if principal.lane is not Lane.CONSOLE:
            return
        if not facts.origin:
            raise ApiError(403, "a browser's change has to name its origin")
        if not csrf_matches(facts.csrf, facts.cookie):
            raise ApiError(403, "the X-CSRF-Token header is missing or wrong; reload the page")


def _principal(lane: Lane, name: str, ident: str, scopes: frozenset[Scope], facts: RequestFacts) -> Principal:
    return Principal(lane, name, ident, scopes, facts.address, facts.loopback)
