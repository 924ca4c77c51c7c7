"""Who the programs of a session run as."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass

DEFAULT_DESKTOP_USER = "punktfunk-desktop"
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"


class IdentityError(Exception):
    """No user to run the desktop as; the message tells what to do."""


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """A user of this machine. ``runtime_dir`` is the login session's runtime folder, "" when there is none."""

    name: str
    uid: int
    gid: int
    home: str
    runtime_dir: str
    shell: str = "/bin/sh"

    @property
    def is_current(self) -> bool:
        """Whether this process already runs as that user."""
        return self.uid == os.geteuid()

    def groups(self) -> list[int]:
        """Primary and supplementary group ids."""
        return os.getgrouplist(self.name, self.gid)

    def environment(self, runtime_dir: str, *, lang: str = "C.UTF-8") -> dict[str, str]:
        """The smallest useful environment of a program of this user; nothing of the host's own gets in."""
        return {
            "HOME": self.home,
            "USER": self.name,
            "LOGNAME": self.name,
            "SHELL": self.shell,
            "PATH": _DEFAULT_PATH,
            "LANG": lang,
            "XDG_RUNTIME_DIR": runtime_dir,
        }


def desktop_user(requested: str | None, *, xdg_runtime_dir: str | None = None) -> UserIdentity:
    """The user that a session's programs run as.

    Without root it is the current user, and ``requested`` may only name that one. With root it is ``requested`` or
    ``punktfunk-desktop``; root itself only when it was asked for by name. ``xdg_runtime_dir`` is the current user's,
    from the environment. Raises IdentityError.
    """
    current = _lookup_uid(os.geteuid())
    if current.pw_uid != 0:
        if requested and requested != current.pw_name:
            raise IdentityError(
                f"only root can run the desktop as {requested!r}; this host runs as {current.pw_name!r}"
            )
        return _identity(current, xdg_runtime_dir)
    name = requested or DEFAULT_DESKTOP_USER
    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError):
        raise IdentityError(
            f"the desktop should run as user {name!r}, who does not exist; "
            f"create it with: useradd --create-home --shell /bin/bash {DEFAULT_DESKTOP_USER if not requested else name}"
        ) from None
    if entry.pw_uid == 0 and requested is None:
        raise IdentityError(f"user {name!r} is root; name another desktop user")
    return _identity(entry, xdg_runtime_dir if entry.pw_uid == 0 else None)


def _lookup_uid(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise IdentityError(f"the current user id {uid} has no entry in the user database") from None


def _identity(entry: pwd.struct_passwd, xdg_runtime_dir: str | None) -> UserIdentity:
    candidates = (xdg_runtime_dir or "", f"/run/user/{entry.pw_uid}")
    runtime_dir = next((path for path in candidates if path and is_private_dir(path, entry.pw_uid)), "")
    return UserIdentity(
        entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, runtime_dir, entry.pw_shell or "/bin/sh"
    )


def is_private_dir(path: str, uid: int) -> bool:
    """Whether ``path`` is a real folder (no link) that belongs to ``uid`` and to nobody else."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == uid and not status.st_mode & 0o077
