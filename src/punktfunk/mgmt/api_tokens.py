"""API tokens for scripts: named, scoped, with an end; only digests are kept. Times are Unix seconds and arguments."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

from punktfunk.mgmt.access import Scope
from punktfunk.mgmt.secret_text import MAX_SECRET_CHARACTERS, digest_of, new_secret
from punktfunk.mgmt.stored import StoredToken

PREFIX = "pft_"
MAX_TOKENS = 64
ID_BYTES = 4


class ApiTokens:
    """Makes, finds and revokes tokens."""

    def __init__(self, stored: Iterable[StoredToken] = (), *, new: Callable[[], str] = new_secret) -> None:
        self._tokens = {token.digest: token for token in stored}
        self._new = new

    def stored(self) -> tuple[StoredToken, ...]:
        """What to write to the file, oldest first."""
        return tuple(self._tokens.values())

    def create(
        self, name: str, scopes: Iterable[Scope], now: float, lifetime_s: float | None
    ) -> tuple[str, StoredToken]:
        """The token's text, shown once, and its entry. Raises ValueError when there are too many."""
        if len(self._tokens) >= MAX_TOKENS:
            raise ValueError(f"{MAX_TOKENS} tokens exist already; revoke some first")
        text = PREFIX + self._new()
        expires = 0.0 if lifetime_s is None else now + lifetime_s
        token = StoredToken(
            secrets.token_hex(ID_BYTES), name, digest_of(text), tuple(sorted(set(scopes))), now, expires
        )
        self._tokens[token.digest] = token
        return text, token

    def find(self, text: str, now: float) -> StoredToken | None:
        """The token with this text, unless it is over."""
        if not text.startswith(PREFIX) or len(text) > MAX_SECRET_CHARACTERS:
            return None
        token = self._tokens.get(digest_of(text))
        return token if token is not None and not _over(token, now) else None

    def lives(self, token_id: str, now: float) -> bool:
        """Whether the token of this id is still good."""
        return any(token.id == token_id and not _over(token, now) for token in self._tokens.values())

    def revoke(self, token_id: str) -> bool:
        """Make a token worthless; False when there is none of that id."""
        found = [token.digest for token in self._tokens.values() if token.id == token_id]
        for digest in found:
            del self._tokens[digest]
        return bool(found)


def _over(token: StoredToken, now: float) -> bool:
    return bool(token.expires_unix) and now >= token.expires_unix
