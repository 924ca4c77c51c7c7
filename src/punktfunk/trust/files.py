"""Files that only the owner may read: 0600 in a 0700 directory, replaced atomically."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def ensure_private_directory(directory: Path) -> None:
    """Create ``directory`` (and its parents) for the owner only; raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, data: bytes, *, replace: bool) -> None:
    """Write ``data`` so that a reader sees the old file or the whole new one, even after a power cut.

    With ``replace`` False an existing file is left alone and FileExistsError raised. Raises OSError (no space left,
    read-only file system, permission) and leaves no temporary file behind.
    """
    ensure_private_directory(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
