"""A cgroup per process tree, where the host may make one: the only mark that no program can shed by itself."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "punktfunk-"
_MAX_STALE = 256


def create(mark: str) -> str:
    """Make a cgroup below the host's own; returns its folder, or "" where cgroup v2 is absent, old or not writable."""
    parent = _own()
    if parent is None:
        return ""
    folder = parent / f"{_PREFIX}{mark}"
    try:
        folder.mkdir()
    except OSError:
        return ""
    # cgroup.kill came with Linux 5.14.
    if not all(os.access(folder / name, os.W_OK) for name in ("cgroup.kill", "cgroup.procs")):
        remove(str(folder))
        return ""
    return str(folder)


def kill(folder: str) -> None:
    """SIGKILL everything in the cgroup at once; nothing in it can fork its way out."""
    if folder:
        with contextlib.suppress(OSError):
            Path(folder, "cgroup.kill").write_text("1")


def remove(folder: str) -> bool:
    """Remove an empty cgroup; False while something in it still runs or dies."""
    if folder:
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            return True
        except OSError:
            return False
    return True


def found() -> Iterator[tuple[str, str]]:
    """Mark and folder of the cgroups that ``create`` made here, for this host or an earlier one."""
    parent = _own()
    if parent is not None:
        for folder in sorted(parent.glob(f"{_PREFIX}*"))[:_MAX_STALE]:
            yield folder.name.removeprefix(_PREFIX), str(folder)


def _own() -> Path | None:
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        groups = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    # "… root mount-point options - cgroup2 source options"
    point = next((line.split()[4] for line in mounts if " - cgroup2 " in line), None)
    group = next((line.removeprefix("0::") for line in groups if line.startswith("0::")), None)
    if point is None or group is None:
        return None
    folder = Path(point, group.lstrip("/"))
    return folder if folder.is_dir() else None
