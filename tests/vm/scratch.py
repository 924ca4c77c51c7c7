"""The guest's own /tmp over the machine's, with what the guest needs of the machine's still in it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_NEEDED = (REPOSITORY, Path(sys.prefix))


def mount_scratch(root: str = "", busybox: str = "", *, needed: tuple[Path, ...] = _NEEDED) -> str:
    """Shell lines that put an empty /tmp below ``root``, and what is needed of the machine's own into it again.

    ``busybox`` is put before each command. /mnt serves meanwhile.
    """
    folders = [folder for folder in needed if folder.is_relative_to("/tmp")]
    if not folders:
        return f"{busybox}mount -t tmpfs tmp {root}/tmp"
    lines = [f"{busybox}mount --bind {root}/tmp {root}/mnt", f"{busybox}mount -t tmpfs tmp {root}/tmp"]
    for folder in folders:
        place, kept = shlex.quote(f"{root}{folder}"), shlex.quote(f"{root}/mnt/{folder.relative_to('/tmp')}")
        lines += [f"{busybox}mkdir -p {place}", f"{busybox}mount --bind {kept} {place}"]
    return "\n".join(lines)
