"""Recordings of statistics: one at a time, sampled every two seconds, kept as JSON files (punktfunk1.md §10.2)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import msgspec

from punktfunk.trust.files import write_private

SAMPLE_INTERVAL_S = 2.0
MAX_SAMPLES = 5400
MAX_RECORDINGS = 50
MAX_FILE_BYTES = 16 << 20
_T = TypeVar("_T")
_ID = re.compile(r"[0-9]{13}\Z")


class Stage(msgspec.Struct, frozen=True):
    """How long frames spent in one stage, in microseconds."""

    name: str
    p50_us: int
    p99_us: int


class Sample(msgspec.Struct, frozen=True):
    """One session at one time; counters are of the time since the sample before."""

    t_ms: int
    session_id: str
    stages: list[Stage]
    fps: float
    mbps: float
    bitrate_kbps: int
    frames_dropped: int
    packets_dropped: int
    send_dropped: int
    fec_recovered: int
    fec_percent: int = 0
    loss_percent: float = 0.0


class CaptureMeta(msgspec.Struct, frozen=True):
    """What a list shows."""

    id: str
    started_unix_ms: int
    duration_ms: int
    sample_count: int
    kind: str = "sessions"


class Capture(msgspec.Struct, frozen=True):
    """A whole recording."""

    meta: CaptureMeta
    samples: list[Sample]


class _MetaOnly(msgspec.Struct, frozen=True):
    meta: CaptureMeta


class Recorder:
    """The recording that runs, if any. Times are Unix milliseconds and arguments."""

    def __init__(self) -> None:
        self._started_ms = 0
        self._samples: list[Sample] = []

    @property
    def armed(self) -> bool:
        """Whether samples are taken."""
        return bool(self._started_ms)

    @property
    def started_unix_ms(self) -> int:
        """When the recording began, 0 when none runs."""
        return self._started_ms

    @property
    def sample_count(self) -> int:
        """How many samples there are."""
        return len(self._samples)

    def start(self, now_ms: int) -> bool:
        """Begin; False when one runs already."""
        if self.armed:
            return False
        self._started_ms, self._samples = now_ms, []
        return True

    def add(self, sample: Sample) -> None:
        """Take a sample while armed; after ``MAX_SAMPLES`` no more are kept."""
        if self.armed and len(self._samples) < MAX_SAMPLES:
            self._samples.append(sample)

    def stop(self, now_ms: int) -> Capture | None:
        """End; the recording, or None when none runs."""
        if not self.armed:
            return None
        duration = max(0, now_ms - self._started_ms)
        meta = CaptureMeta(str(self._started_ms), self._started_ms, duration, len(self._samples))
        capture = Capture(meta, self._samples)
        self._started_ms, self._samples = 0, []
        return capture


class RecordingFiles:
    """The finished recordings, newest ``MAX_RECORDINGS`` of them. Raises OSError where the disk does not play along."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, capture: Capture) -> None:
        """Keep a recording."""
        write_private(self._path(capture.meta.id), msgspec.json.encode(capture), replace=True)
        for old in self._ids()[MAX_RECORDINGS:]:
            self._path(old).unlink(missing_ok=True)

    def all(self) -> list[CaptureMeta]:
        """What there is, newest first; damaged files are left out."""
        found = (self._decode(ident, _MetaOnly) for ident in self._ids())
        return [capture.meta for capture in found if capture is not None]

    def read(self, ident: str) -> Capture | None:
        """One recording; None when there is none of that id or it is damaged."""
        return self._decode(ident, Capture) if _ID.match(ident) else None

    def delete(self, ident: str) -> bool:
        """Remove one; False when there is none of that id."""
        if not _ID.match(ident):
            return False
        try:
            self._path(ident).unlink()
        except FileNotFoundError:
            return False
        return True

    def _decode(self, ident: str, kind: type[_T]) -> _T | None:
        try:
            with self._path(ident).open("rb") as file:
                return msgspec.json.decode(file.read(MAX_FILE_BYTES), type=kind)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _path(self, ident: str) -> Path:
        return self._folder / f"{ident}.json"

    def _ids(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return sorted((path.stem for path in self._folder.glob("*.json") if _ID.match(path.stem)), reverse=True)
