"""The token for programs of this machine: ``mgmt-token`` in the form of punktfunk1.md §10.1."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from punktfunk.trust.files import write_private

FILE_NAME = "mgmt-token"
VARIABLE = "PUNKTFUNK_MGMT_TOKEN"
_LINE = re.compile(rf"^\s*{VARIABLE}=(\S+)\s*$", re.MULTILINE)
MAX_FILE_BYTES = 4096
MIN_CHARACTERS = 32


class MachineTokenError(Exception):
    """The token cannot be read or made; the message says what to do."""


def load_machine_token(config_dir: Path, from_environment: str = "") -> str:
    """The token of the environment, else of the file, made on first use. Raises MachineTokenError."""
    if from_environment:
        return _checked(from_environment, VARIABLE)
    path = config_dir / FILE_NAME
    try:
        if not path.exists():
            write_private(path, f"{VARIABLE}={secrets.token_hex(32)}\n".encode(), replace=False)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        with path.open(encoding="ascii") as file:
            found = _LINE.search(file.read(MAX_FILE_BYTES))
    except (OSError, UnicodeDecodeError) as error:
        raise MachineTokenError(f"cannot read or make {path}: {error}") from error
    if found is None:
        raise MachineTokenError(f"{path} has no line {VARIABLE}=…; delete it to get a new one")
    return _checked(found[1], str(path))


def _checked(token: str, where: str) -> str:
    if len(token) < MIN_CHARACTERS:
        raise MachineTokenError(f"the token of {where} is too short; use at least {MIN_CHARACTERS} characters")
    return token
