"""The console's password: argon2id hashes and what makes a password acceptable."""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

MIN_CHARACTERS = 8
MAX_CHARACTERS = 256
_USUAL = frozenset({"password", "passwort", "punktfunk", "12345678", "123456789", "1234567890", "qwertyui", "qwertzui"})


class WeakPassword(ValueError):
    """The password is not acceptable; the message says why."""


def check_new_password(password: str) -> None:
    """Raise WeakPassword for one that is too short, too long or the first that anybody tries."""
    if len(password) < MIN_CHARACTERS:
        raise WeakPassword(f"the password needs at least {MIN_CHARACTERS} characters")
    if len(password) > MAX_CHARACTERS:
        raise WeakPassword(f"the password may have at most {MAX_CHARACTERS} characters")
    if password.lower() in _USUAL or len(set(password)) < 3:
        raise WeakPassword("that password is one of the first that anybody would try")


class Passwords:
    """Hashes and verifies; both take tens of milliseconds and 64 MiB, so call them in a thread, one at a time."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        # Checked when there is no password yet, so that the answer takes as long.
        self._nobody = self._hasher.hash("nobody knows this")

    def hash(self, password: str) -> str:
        """The argon2id hash with its salt and parameters."""
        return self._hasher.hash(_normal(password))

    def verify(self, stored: str, password: str) -> bool:
        """Whether ``password`` is the one that was hashed."""
        try:
            return self._hasher.verify(stored or self._nobody, _normal(password)[: 4 * MAX_CHARACTERS]) and bool(stored)
        except (Argon2Error, InvalidHashError):
            return False


def _normal(password: str) -> str:
    """One form for what keyboards of different systems produce for the same letters."""
    return unicodedata.normalize("NFKC", password)
