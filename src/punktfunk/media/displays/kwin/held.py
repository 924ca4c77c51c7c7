"""What a seat holds down, in a file that outlives its process.

KWin before 6 goes on holding the keys of a program that was killed (seen with 5.27.5; 6.3.6 lets them go), so that the
next one has to let go of them.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path

MAX_CODE = 0x2FF
"""Largest evdev code there is."""
TOUCH = 0
"""Stands for a finger; no key has this code."""

_BYTES = (MAX_CODE + 1) // 8


class HeldMemory:
    """One bit a code in a file of 96 bytes. Raises OSError when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.ftruncate(fd, _BYTES)
            self._bits = mmap.mmap(fd, _BYTES)
        finally:
            os.close(fd)

    def note(self, code: int, pressed: bool) -> None:
        """A code goes down or up; what is no code is not noted."""
        if 0 <= code <= MAX_CODE:
            at, bit = divmod(code, 8)
            self._bits[at] = self._bits[at] | 1 << bit if pressed else self._bits[at] & ~(1 << bit)

    def held(self) -> list[int]:
        """The codes that are down."""
        return [code for code in range(MAX_CODE + 1) if self._bits[code // 8] >> code % 8 & 1]

    def close(self) -> None:
        """Forget the file. Safe to repeat."""
        with contextlib.suppress(ValueError):
            self._bits.close()
