"""How encoded messages get from the worker to its supervisor: in parts that fit the sealed link."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PART_BYTES = 128 * 1024
MAX_FRAME_BYTES = 8 << 20
"""More than any encoder here makes of one picture; a frame that is longer is dropped."""

_VIDEO = 1
_AUDIO = 2
_LAST = 0x10
_KEY = 0x20


@dataclass(frozen=True, slots=True)
class VideoReport:
    """A whole VIDEO message for the page."""

    message: bytes
    keyframe: bool


@dataclass(frozen=True, slots=True)
class AudioReport:
    """A whole AUDIO message for the page."""

    message: bytes


def video_parts(message: bytes, *, keyframe: bool) -> Iterator[bytes]:
    """The reports that carry a VIDEO message, in order."""
    for at in range(0, len(message), PART_BYTES):
        last = _LAST if at + PART_BYTES >= len(message) else 0
        yield bytes((_VIDEO | last | (_KEY if keyframe else 0),)) + message[at : at + PART_BYTES]


def audio_part(message: bytes) -> bytes:
    """The report that carries an AUDIO message."""
    return bytes((_AUDIO,)) + message


class Assembler:
    """Puts the parts of one worker's reports together; a new worker's first part drops what its predecessor left."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._bytes = 0

    def reset(self) -> None:
        """The worker was replaced."""
        self._parts.clear()
        self._bytes = 0

    def add(self, report: bytes) -> VideoReport | AudioReport | None:
        """A message that became complete. Raises ValueError for what no worker of this version sends."""
        if not report:
            raise ValueError("an empty report")
        head, part = report[0], report[1:]
        if head == _AUDIO:
            return AudioReport(part)
        if head & 0x0F != _VIDEO:
            raise ValueError(f"a report of unknown kind {head:#x}")
        self._bytes += len(part)
        if self._bytes > MAX_FRAME_BYTES + PART_BYTES:
            self.reset()
            raise ValueError("a frame without an end")
        self._parts.append(part)
        if not head & _LAST:
            return None
        message = b"".join(self._parts)
        self.reset()
        return VideoReport(message, bool(head & _KEY))
