"""The audit log: every change, who made it, what, and from where. JSON lines in a few files of bounded size."""

from __future__ import annotations

import collections
import logging
import os
from pathlib import Path

import msgspec

FILE_NAME = "audit.jsonl"
MAX_FILE_BYTES = 1 << 20
MAX_OLD_FILES = 3
MAX_TEXT_CHARACTERS = 200

_logger = logging.getLogger(__name__)


class AuditEntry(msgspec.Struct, frozen=True):
    """One change or attempt. ``what`` is the method and path, never a body; ``status`` the HTTP status."""

    time_unix: float
    who: str
    lane: str
    address: str
    what: str
    status: int


class AuditLog:
    """Appends entries; the oldest file goes when there are more than ``MAX_OLD_FILES`` full ones.

    A disk that is full or read-only is told once in the log and does not stop the host.
    """

    def __init__(self, folder: Path, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        self._path = folder / FILE_NAME
        self._max_file_bytes = max_file_bytes
        self._complained = False

    def add(self, entry: AuditEntry) -> None:
        """Write one entry."""
        line = msgspec.json.encode(_bounded(entry)) + b"\n"
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._rotate(len(line))
            with open(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
                file.write(line)
        except OSError as error:
            if not self._complained:
                _logger.error("the audit log %s cannot be written: %s", self._path, error.strerror)
            self._complained = True

    def newest(self, count: int) -> list[AuditEntry]:
        """The last entries, newest first; lines that are damaged are left out."""
        kept: collections.deque[bytes] = collections.deque(maxlen=count)
        for path in (self._old(1), self._path):
            try:
                with path.open("rb") as file:
                    kept.extend(file.read(2 * self._max_file_bytes).splitlines())
            except OSError:
                continue
        entries = (_decoded(line) for line in reversed(kept))
        return [entry for entry in entries if entry is not None]

    def _rotate(self, more: int) -> None:
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return
        if size + more <= self._max_file_bytes:
            return
        for number in range(MAX_OLD_FILES, 0, -1):
            source = self._old(number - 1) if number > 1 else self._path
            if source.exists():
                os.replace(source, self._old(number))

    def _old(self, number: int) -> Path:
        return self._path.with_name(f"{FILE_NAME}.{number}")


def _bounded(entry: AuditEntry) -> AuditEntry:
    cut = {name: getattr(entry, name)[:MAX_TEXT_CHARACTERS] for name in ("who", "address", "what")}
    return msgspec.structs.replace(entry, **cut)


def _decoded(line: bytes) -> AuditEntry | None:
    try:
        return msgspec.json.decode(line, type=AuditEntry)
    except msgspec.DecodeError:
        return None
