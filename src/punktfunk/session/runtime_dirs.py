"""Private runtime folders: one per running host, 0700, removed with it, and by the next start when it could not."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from punktfunk.session.identity import UserIdentity, is_private_dir

MAX_SOCKET_PATH_BYTES = 107
"""Length that ``sockaddr_un`` leaves for a path."""
MAX_BASE_BYTES = 60
"""Longest folder that still leaves room for the instance, the session and a socket's own name."""
_MAX_STALE_REMOVED = 64


class RuntimeDirError(Exception):
    """No safe place for runtime files; the message names the folder and what is wrong with it."""


@dataclass(slots=True)
class RuntimeDir:
    """The runtime folder of one host instance. It lives as long as its lock, whatever ends the host."""

    path: Path
    owner: UserIdentity
    _lock_fd: int = field(repr=False)

    @classmethod
    def create(cls, owner: UserIdentity) -> RuntimeDir:
        """Make a folder for programs of ``owner``, and remove those of hosts that are gone. Raises RuntimeDirError."""
        base = _base(owner)
        with _locked(base / ".lock"):
            _remove_stale(base)
            name = secrets.token_hex(3)
            lock_fd = _open_lock(base / f"{name}.lock")
            fcntl.flock(lock_fd, fcntl.LOCK_EX)
            path = base / name
            path.mkdir(mode=0o700)
            _give(path, owner)
        return cls(path, owner, lock_fd)

    def subdir(self, name: str) -> Path:
        """A new private folder inside, owned like this one; ``name`` is short and plain."""
        path = self.path / name
        path.mkdir(mode=0o700)
        _give(path, self.owner)
        return path

    def socket_path(self, name: str) -> str:
        """The path of a Unix socket in here. Raises RuntimeDirError when the kernel could not take it."""
        path = str(self.path / name)
        if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
            raise RuntimeDirError(f"the socket path {path} is longer than {MAX_SOCKET_PATH_BYTES} bytes")
        return path

    def close(self) -> None:
        """Remove the folder with all that is in it; safe to repeat."""
        if self._lock_fd < 0:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.with_name(f"{self.path.name}.lock").unlink(missing_ok=True)
        os.close(self._lock_fd)
        self._lock_fd = -1


def _base(owner: UserIdentity) -> Path:
    uid = os.geteuid()
    if owner.is_current and owner.runtime_dir and len(os.fsencode(owner.runtime_dir)) <= MAX_BASE_BYTES:
        return _ensure(Path(owner.runtime_dir, "punktfunk"), 0o700)
    if uid == 0 and os.path.isdir("/run"):
        # Others may pass through, to their own folder inside, but neither list nor write.
        return _ensure(Path("/run/punktfunk"), 0o711)
    return _ensure(Path(f"/tmp/punktfunk-{uid}"), 0o711 if uid == 0 else 0o700)


def _ensure(path: Path, mode: int) -> Path:
    """The folder, made or found safe: in /tmp anybody could have put a link or a folder of theirs in its place."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise RuntimeDirError(f"{path} is not a folder of this user; remove it and start again")
    if stat.S_IMODE(status.st_mode) != mode:
        os.chmod(path, mode)
    return path


def _give(path: Path, owner: UserIdentity) -> None:
    if owner.uid != os.geteuid():
        os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
    if not is_private_dir(str(path), owner.uid):
        raise RuntimeDirError(f"{path} could not be made private to {owner.name}")


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    fd = _open_lock(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _remove_stale(base: Path) -> None:
    for lock in sorted(base.glob("??????.lock"))[:_MAX_STALE_REMOVED]:
        fd = _open_lock(lock)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
        finally:
            os.close(fd)
