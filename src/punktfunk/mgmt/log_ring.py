"""The newest log lines, for the console: a ring that any thread may write to."""

from __future__ import annotations

import collections
import logging
import threading
from collections.abc import Callable

import msgspec

MAX_LINES = 4096
MAX_MESSAGE_CHARACTERS = 2048
MAX_ANSWER_LINES = 1000
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class LogLine(msgspec.Struct, frozen=True):
    """One line in the form of punktfunk1.md §10.2."""

    seq: int
    ts_ms: int
    level: str
    target: str
    msg: str


class LogPage(msgspec.Struct, frozen=True):
    """Lines after a cursor; ``next`` is the next cursor, ``dropped`` says that lines before were forgotten."""

    entries: list[LogLine]
    next: int
    dropped: bool


class LogRing(logging.Handler):
    """Keeps the last ``MAX_LINES`` lines. ``clean`` removes secrets and control characters from a message."""

    def __init__(self, clean: Callable[[str], str], max_lines: int = MAX_LINES) -> None:
        super().__init__()
        self._clean = clean
        self._lines: collections.deque[LogLine] = collections.deque(maxlen=max_lines)
        self._count = 0
        self._guard = threading.Lock()

    @property
    def count(self) -> int:
        """How many lines there were since the start."""
        return self._count

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        try:
            text = self._clean(record.getMessage())[:MAX_MESSAGE_CHARACTERS]
        except (TypeError, ValueError):
            text = "(a log line whose arguments do not fit)"
        with self._guard:
            self._count += 1
            target = record.name.removeprefix("punktfunk.")
            self._lines.append(LogLine(self._count, int(record.created * 1000), record.levelname.lower(), target, text))

    def page(self, *, after: int, limit: int, level: str = "debug", target: str = "", text: str = "") -> LogPage:
        """At most ``limit`` lines behind cursor ``after`` that pass the filter; with ``after`` 0 the newest ones."""
        with self._guard:
            lines, count = list(self._lines), self._count
        oldest = lines[0].seq if lines else count + 1
        least, wanted = LEVELS[level], text.lower()
        found = [
            line
            for line in lines
            if line.seq > after
            and LEVELS.get(line.level, logging.CRITICAL) >= least
            and line.target.startswith(target)
            and wanted in line.msg.lower()
        ]
        chosen = found[-limit:] if after == 0 else found[:limit]
        complete = after == 0 or len(found) <= limit
        return LogPage(chosen, count if complete else chosen[-1].seq, 0 < after < oldest - 1)
