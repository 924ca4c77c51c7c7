"""The owner's account: password, browser sessions and API tokens together, each change on the disk at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from punktfunk.mgmt.access import Scope
from punktfunk.mgmt.api_tokens import ApiTokens
from punktfunk.mgmt.console_sessions import ConsoleSessions
from punktfunk.mgmt.passwords import Passwords, check_new_password
from punktfunk.mgmt.stored import FILE_NAME, AuthState, StoredToken, read_state, write_state


class Account:
    """Runs on the event loop; password work goes to a thread, one at a time. Methods that write raise AuthFileError."""

    def __init__(self, config_dir: Path, passwords: Passwords | None = None) -> None:
        """Read the stored state; raises AuthFileError."""
        self._path = config_dir / FILE_NAME
        state = read_state(self._path)
        self._password = state.password
        self.sessions = ConsoleSessions(state.sessions)
        self.tokens = ApiTokens(state.tokens)
        self._passwords = passwords
        self._one_at_a_time = asyncio.Lock()

    @property
    def has_password(self) -> bool:
        """Whether the owner has chosen a password."""
        return bool(self._password)

    async def set_password(self, password: str) -> None:
        """Take a new password and end every session. Raises WeakPassword."""
        check_new_password(password)
        async with self._one_at_a_time:
            hashed = await asyncio.to_thread(lambda: self._worker().hash(password))
        self._password = hashed
        self.sessions.end_all()
        self._save()

    async def password_is(self, password: str) -> bool:
        """Whether this is the password; takes as long when there is none."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(lambda: self._worker().verify(self._password, password))

    def open_session(self, now_unix: float, address: str, agent: str) -> str:
        """Sign a browser in; the secret for its cookie."""
        secret = self.sessions.open(now_unix, address, agent)
        self._save()
        return secret

    def end_session(self, session_id: str) -> bool:
        """Sign a browser out."""
        ended = self.sessions.end(session_id)
        self._save()
        return ended

    def end_other_sessions(self, keep: str) -> None:
        """Sign every other browser out."""
        self.sessions.end_all(keep)
        self._save()

    def create_token(
        self, name: str, scopes: Iterable[Scope], now_unix: float, lifetime_s: float | None
    ) -> tuple[str, StoredToken]:
        """A new API token: its text, which is shown once, and its entry. Raises ValueError when there are too many."""
        created = self.tokens.create(name, scopes, now_unix, lifetime_s)
        self._save()
        return created

    def revoke_token(self, token_id: str) -> bool:
        """Make a token worthless."""
        revoked = self.tokens.revoke(token_id)
        self._save()
        return revoked

    def _worker(self) -> Passwords:
        if self._passwords is None:
            self._passwords = Passwords()
        return self._passwords

    def _save(self) -> None:
        write_state(self._path, AuthState(self._password, self.sessions.stored(), self.tokens.stored()))
