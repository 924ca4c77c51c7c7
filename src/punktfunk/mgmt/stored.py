"""What the management API keeps of its secrets: digests only, in one file that is replaced atomically."""

from __future__ import annotations

from pathlib import Path

import msgspec

from punktfunk.mgmt.access import Scope
from punktfunk.trust.files import write_private

FILE_NAME = "mgmt-auth.json"
MAX_FILE_BYTES = 1 << 20


class StoredSession(msgspec.Struct, frozen=True):
    """A browser that has signed in; ``digest`` is of its cookie."""

    digest: str
    created_unix: float
    expires_unix: float
    address: str = ""
    agent: str = ""


class StoredToken(msgspec.Struct, frozen=True):
    """An API token; ``expires_unix`` 0 means never."""

    id: str
    name: str
    digest: str
    scopes: tuple[Scope, ...]
    created_unix: float
    expires_unix: float = 0.0


class AuthState(msgspec.Struct, frozen=True):
    """The whole file. ``password`` is an argon2id hash, empty until the setup link was used."""

    password: str = ""
    sessions: tuple[StoredSession, ...] = ()
    tokens: tuple[StoredToken, ...] = ()


class AuthFileError(Exception):
    """The file cannot be read or written; the message says what to do."""


def read_state(path: Path) -> AuthState:
    """The stored state; a missing file is an empty one. Raises AuthFileError for a damaged one."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        return msgspec.json.decode(data, type=AuthState) if len(data) <= MAX_FILE_BYTES else _damaged(path, "too large")
    except FileNotFoundError:
        return AuthState()
    except OSError as error:
        raise AuthFileError(f"cannot read {path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        return _damaged(path, str(error))


def write_state(path: Path, state: AuthState) -> None:
    """Replace the file; raises AuthFileError."""
    try:
        write_private(path, msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n", replace=True)
    except OSError as error:
        raise AuthFileError(f"cannot write {path}: {error.strerror}") from error


def _damaged(path: Path, reason: str) -> AuthState:
    raise AuthFileError(f"{path} is damaged ({reason}); delete it to choose the console's password anew")
