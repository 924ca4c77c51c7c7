"""A program's output on its way into the debug log: bounded line length, bounded rate, nothing unprintable."""

from __future__ import annotations

import asyncio
import logging
import os
import time

MAX_LINE_BYTES = 500
MAX_LINES_PER_SECOND = 50
MAX_LINE_BURST = 200
_CHUNK_BYTES = 8192

logger = logging.getLogger(__name__)


class OutputLines:
    """Cuts output into log lines; the clock is an argument."""

    def __init__(self) -> None:
        self._partial = bytearray()
        self._tokens = float(MAX_LINE_BURST)
        self._refilled_at: float | None = None
        self.suppressed = 0

    def feed(self, data: bytes, now: float) -> list[str]:
        """Take output read at ``now`` (seconds); returns the lines to log."""
        elapsed = now - self._refilled_at if self._refilled_at is not None else 0.0
        self._refilled_at = now
        self._tokens = min(float(MAX_LINE_BURST), self._tokens + max(0.0, elapsed) * MAX_LINES_PER_SECOND)
        *lines, rest = (bytes(self._partial) + data).split(b"\n")
        # The tail of an overlong line is read and dropped: only its head is ever kept.
        self._partial = bytearray(rest[: MAX_LINE_BYTES + 1])
        return [_printable(line) for line in lines if line.strip() and self._admit()]

    def flush(self) -> list[str]:
        """The unfinished last line, at the end of the output."""
        line, self._partial = bytes(self._partial), bytearray()
        return [_printable(line)] if line.strip() else []

    def _admit(self) -> bool:
        if self._tokens < 1:
            self.suppressed += 1
            return False
        self._tokens -= 1
        return True


def _printable(line: bytes) -> str:
    text = line[:MAX_LINE_BYTES].decode("utf-8", "replace").rstrip()
    mark = "…" if len(line) > MAX_LINE_BYTES else ""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text) + mark


async def log_output(fd: int, name: str) -> None:
    """Log what arrives on the pipe ``fd`` until its end; cancel to stop earlier. The caller closes ``fd``."""
    loop = asyncio.get_running_loop()
    lines = OutputLines()
    os.set_blocking(fd, False)
    readable = asyncio.Event()
    loop.add_reader(fd, readable.set)
    try:
        while True:
            await readable.wait()
            readable.clear()
            try:
                data = os.read(fd, _CHUNK_BYTES)
            except BlockingIOError:
                continue
            for line in lines.feed(data, time.monotonic()) if data else lines.flush():
                logger.debug("%s: %s", name, line)
            if not data:
                return
            # Level-triggered again, and one chunk at a time, so that a flood cannot hold the loop.
            await asyncio.sleep(0)
    finally:
        loop.remove_reader(fd)
        if lines.suppressed:
            logger.debug("%s: %d lines left out", name, lines.suppressed)
