"""Whether a desktop can have shared memory: its compositor and its programs keep their pictures there."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
PICTURE_BYTES = 3840 * 2160 * 4
PICTURES = 8
"""What a desktop keeps at the same time: the compositor's own, the wallpaper, the panel, some windows."""


@dataclass(frozen=True, slots=True)
class SharedMemory:
    """``obstacle`` says why there is none, in words; ``free_bytes`` how much there is."""

    obstacle: str
    free_bytes: int

    @property
    def is_small(self) -> bool:
        """Too little for a desktop of 3840x2160."""
        return self.free_bytes < PICTURES * PICTURE_BYTES


def shared_memory(uid: int, folder: Path = SHARED_MEMORY) -> SharedMemory:
    """What this user finds. Containers have little of it, or none."""
    try:
        facts, volume = folder.stat(), os.statvfs(folder)
    except OSError as error:
        return SharedMemory(f"{folder}: {error.strerror}", 0)
    if not facts.st_mode & stat.S_IWOTH and uid not in (0, facts.st_uid):
        return SharedMemory(f"{folder} may be written by user id {facts.st_uid} alone", 0)
    if volume.f_flag & os.ST_RDONLY:
        return SharedMemory(f"{folder} is read-only", 0)
    return SharedMemory("", volume.f_bavail * volume.f_frsize)
