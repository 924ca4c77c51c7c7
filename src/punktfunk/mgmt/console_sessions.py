"""Browsers that are signed in. Only digests of their cookies are kept. Times are Unix seconds and arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from punktfunk.mgmt.secret_text import MAX_SECRET_CHARACTERS, derived, digest_of, new_secret, same_secret
from punktfunk.mgmt.stored import StoredSession

LIFETIME_S = 30 * 86400.0
IDLE_LIFETIME_S = 7 * 86400.0
MAX_SESSIONS = 64
MAX_AGENT_CHARACTERS = 160
ID_CHARACTERS = 16


class ConsoleSessions:
    """Opens, finds and ends sessions; above ``MAX_SESSIONS`` the oldest one ends.

    A session ends 30 days after its beginning, or when it was not used for 7 days; use is remembered in memory only,
    so that reading costs no write.
    """

    def __init__(self, stored: Iterable[StoredSession] = (), *, new: Callable[[], str] = new_secret) -> None:
        self._sessions = {session.digest: session for session in stored}
        self._used: dict[str, float] = {}
        self._new = new

    def stored(self) -> tuple[StoredSession, ...]:
        """What to write to the file."""
        return tuple(self._sessions.values())

    def open(self, now: float, address: str, agent: str) -> str:
        """Begin a session; the secret for its cookie."""
        self._drop_expired(now)
        while len(self._sessions) >= MAX_SESSIONS:
            self._forget(next(iter(self._sessions)))
        secret = self._new()
        digest = digest_of(secret)
        shown = "".join(c for c in agent[:MAX_AGENT_CHARACTERS] if c.isprintable())
        self._sessions[digest] = StoredSession(digest, now, now + LIFETIME_S, address, shown)
        self._used[digest] = now
        return secret

    def find(self, secret: str, now: float) -> StoredSession | None:
        """The session of this cookie, if it is still good; counts as use."""
        if not 0 < len(secret) <= MAX_SECRET_CHARACTERS:
            return None
        session = self._sessions.get(digest_of(secret))
        if session is None or self._expired(session, now):
            return None
        self._used[session.digest] = now
        return session

    def lives(self, session_id: str, now: float) -> bool:
        """Whether the session with this short id is still good."""
        return any(_id(s) == session_id and not self._expired(s, now) for s in self._sessions.values())

    def list(self, now: float) -> list[tuple[str, StoredSession, float]]:
        """(short id, session, last use) of every good session."""
        return [
            (_id(s), s, self._used.get(s.digest, s.created_unix))
            for s in self._sessions.values()
            if not self._expired(s, now)
        ]

    def end(self, session_id: str) -> bool:
        """End one session by its short id."""
        found = [s.digest for s in self._sessions.values() if _id(s) == session_id]
        for digest in found:
            self._forget(digest)
        return bool(found)

    def end_all(self, keep: str = "") -> None:
        """End every session but the one with the short id ``keep``."""
        for session in [s for s in self._sessions.values() if _id(s) != keep]:
            self._forget(session.digest)

    def _forget(self, digest: str) -> None:
        self._sessions.pop(digest, None)
        self._used.pop(digest, None)

    def _drop_expired(self, now: float) -> None:
        for session in [s for s in self._sessions.values() if self._expired(s, now)]:
            self._forget(session.digest)

    def _expired(self, session: StoredSession, now: float) -> bool:
        # A restart of the host has forgotten the last use; half of the idle time is left then.
        used = self._used.setdefault(session.digest, max(session.created_unix, now - IDLE_LIFETIME_S / 2))
        return now >= session.expires_unix or now - used >= IDLE_LIFETIME_S


def session_id_of(session: StoredSession) -> str:
    """The short id that is shown; it opens nothing."""
    return _id(session)


def csrf_token(secret: str) -> str:
    """The token that every change from a browser has to carry: made from the cookie, which scripts cannot read."""
    return derived(secret, "punktfunk console csrf")


def csrf_matches(given: str, secret: str) -> bool:
    """Whether ``given`` is the token of the session with this cookie."""
    return len(given) <= MAX_SECRET_CHARACTERS and same_secret(given, csrf_token(secret))


def _id(session: StoredSession) -> str:
    return session.digest[:ID_CHARACTERS]
