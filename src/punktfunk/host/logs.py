"""Structured logging on the standard library: for people on a terminal, as JSON lines on request.

Every line carries the session it belongs to, holds no secret even where a caller slips, cannot be broken into two by a
peer's text, and cannot be repeated into a flood.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections import OrderedDict
from typing import IO, Literal

from punktfunk.session.context import session_id

MAX_LINE_CHARACTERS = 8_000
MAX_REPEAT_KEYS = 512
REPEATS_PER_WINDOW = 20
REPEAT_WINDOW_S = 10.0

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "session", "repeated"}
_COLOURS = {
    logging.DEBUG: "\x1b[2m",
    logging.WARNING: "\x1b[33m",
    logging.ERROR: "\x1b[31m",
    logging.CRITICAL: "\x1b[1;31m",
}
_RESET = "\x1b[0m"

_SECRETS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(
        r"""(?ix)\b(pin | rikey | rikeyid | passphrase | password | secret | token | salt | authorization
        | [a-z_]*(?:session|private|aes|gcm|media|audio|video|control|pairing)_?key)
        (["']?\s*[=:]\s*) (?: b?"[^"]*" | b?'[^']*' | (?:bearer\s+)?[^\s,;&)}\]]+ )"""
    ),
)


def redact(text: str) -> str:
    """``text`` without PEM private keys and without the values of ``pin=…``, ``rikey: …`` and their like."""
    for pattern in _SECRETS:
        text = pattern.sub(lambda found: "".join(found.groups()) + "[redacted]", text)
    return text


def one_line(text: str) -> str:
    """``text`` with control characters escaped and bounded, so that a peer can neither add lines nor colours."""
    if len(text) > MAX_LINE_CHARACTERS:
        text = f"{text[:MAX_LINE_CHARACTERS]}… ({len(text)} characters)"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class RepeatFilter(logging.Filter):
    """Lets a line from one place through a few times per window, then counts and tells the number afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self._windows: OrderedDict[tuple[str, int, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a repetition above the limit. The clock is the record's own time."""
        key = (record.name, record.levelno, record.msg if isinstance(record.msg, str) else type(record.msg).__name__)
        start, count = self._windows.get(key, (record.created, 0))
        dropped = 0
        if not 0 <= record.created - start < REPEAT_WINDOW_S:
            dropped = max(0, count - REPEATS_PER_WINDOW)
            start, count = record.created, 0
        self._windows[key] = (start, count + 1)
        self._windows.move_to_end(key)
        if len(self._windows) > MAX_REPEAT_KEYS:
            self._windows.popitem(last=False)
        record.repeated = dropped
        return count < REPEATS_PER_WINDOW


class TextFormatter(logging.Formatter):
    """``12:34:56.789 INFO  gamestream.rtsp [session] message key=value``; colour only where asked for."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows indented, so that no line of it can pass for a record."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        session = f" [{session_id.get()}]" if session_id.get() else ""
        line = (
            f"{clock}.{int(record.msecs):03d} {record.levelname:<7} {_short(record.name)}{session} {_message(record)}"
        )
        extras = "".join(f" {key}={one_line(redact(str(value)))}" for key, value in _extras(record).items())
        text = line + extras + "".join(f"\n    | {one_line(part)}" for part in _traceback(self, record))
        colour = _COLOURS.get(record.levelno, "") if self._colour else ""
        return f"{colour}{text}{_RESET}" if colour else text


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (RFC 3339, UTC), level, logger, session, message, extra fields, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry: dict[str, object] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if session_id.get():
            entry["session"] = session_id.get()
        entry["message"] = _message(record)
        entry |= {key: one_line(redact(str(value))) for key, value in _extras(record).items()}
        if lines := _traceback(self, record):
            entry["traceback"] = "\n".join(lines)
        return json.dumps(entry, ensure_ascii=False)


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    form: Literal["text", "json"] = "text",
    stream: IO[str] | None = None,
) -> None:
    """Send the log of the whole process to ``stream`` (standard error unless given). Calling again replaces it."""
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    handler.addFilter(RepeatFilter())
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter(colour=target.isatty()))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    set_level(level)
    logging.captureWarnings(True)


def set_level(level: Literal["debug", "info", "warning", "error"]) -> None:
    """Show lines of this level and above from now on."""
    logging.getLogger("punktfunk").setLevel(level.upper())


def _short(name: str) -> str:
    return name.removeprefix("punktfunk.")


def _message(record: logging.LogRecord) -> str:
    text = one_line(redact(record.getMessage()))
    repeated = getattr(record, "repeated", 0)
    return f"{text} (and {repeated} more like it)" if repeated else text


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    if not record.exc_info:
        return []
    return redact(formatter.formatException(record.exc_info)).splitlines()
