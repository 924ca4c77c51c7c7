"""The one-time link that lets the owner choose the console's password. Times are seconds and arguments."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from punktfunk.mgmt.secret_text import MAX_SECRET_CHARACTERS, same_secret

LIFETIME_S = 24 * 3600.0
PATH = "/setup"
SECRET_BYTES = 24
"""The longest that leaves the QR code of an ordinary address small enough for a terminal of 80 by 24."""


class SetupLink:
    """At most one secret is good at a time; using it ends it. It lives in memory only."""

    def __init__(self, *, new: Callable[[], str] = lambda: secrets.token_urlsafe(SECRET_BYTES)) -> None:
        self._new = new
        self._secret = ""
        self._deadline = 0.0

    def make(self, now: float) -> str:
        """A new secret; an older one is void."""
        self._secret, self._deadline = self._new(), now + LIFETIME_S
        return self._secret

    def open(self, now: float) -> bool:
        """Whether there is a secret that could be used."""
        return bool(self._secret) and now < self._deadline

    def matches(self, secret: str, now: float) -> bool:
        """Whether ``secret`` is the one; call ``close`` once it has served."""
        return self.open(now) and len(secret) <= MAX_SECRET_CHARACTERS and same_secret(secret, self._secret)

    def close(self) -> None:
        """No link is good any more."""
        self._secret = ""

    def reopen(self, secret: str) -> None:
        """The link was used with a password that cannot be taken: it may be used once more until its deadline."""
        if not self._secret:
            self._secret = secret


def setup_url(origin: str, secret: str) -> str:
    """Where to send the owner. The secret is in the fragment, which browsers keep out of requests and referrers."""
    return f"{origin}{PATH}#{secret}"
