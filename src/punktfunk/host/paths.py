"""Where the host keeps its files, and how private folders are made."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

CONFIG_FILE_NAME = "host.toml"
CONTROL_SOCKET_NAME = "control.sock"


class PathError(Exception):
    """A folder of ours cannot be used; the message says which, why and what to do."""


class Directories(msgspec.Struct, frozen=True):
    """``config``: settings, identity and paired devices; ``state``: what may be lost; ``runtime``: sockets."""

    config: Path
    state: Path
    runtime: Path


def default_directories(environment: Mapping[str, str]) -> Directories:
    """The XDG folders, each with ``punktfunk`` below; without ``XDG_RUNTIME_DIR`` below /run for root, else in state.

    Never a folder that others can write to, such as /tmp: the control socket lives in ``runtime``.
    """
    home = Path(environment.get("HOME") or Path.home())
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "punktfunk"
    state = Path(environment.get("XDG_STATE_HOME") or home / ".local/state") / "punktfunk"
    if runtime_base := environment.get("XDG_RUNTIME_DIR"):
        runtime = Path(runtime_base) / "punktfunk"
    elif os.geteuid() == 0:
        runtime = Path("/run/punktfunk/host")
    else:
        runtime = state / "run"
    return Directories(config, state, runtime)


def ensure_private_directory(path: Path) -> Path:
    """Make ``path`` (and its parents) and see that it is ours alone: a real folder, owner us, mode 0700.

    Raises ``PathError`` for a symbolic link, a foreign owner, or where it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = path.lstat()
        if not stat.S_ISDIR(facts.st_mode):
            raise PathError(f"{path} is a link or a file where a folder of this host's own is needed; move it away")
        if facts.st_uid != os.geteuid():
            raise PathError(f"{path} belongs to user id {facts.st_uid}, not to you; remove it or choose another folder")
        if facts.st_mode & 0o077:
            path.chmod(0o700)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PathError(f"{path} cannot be used: {reason}; free it or choose another folder") from error
    return path
