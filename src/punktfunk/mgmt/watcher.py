"""Turns what the host says about itself into events, by looking once a second and comparing. Sans-IO."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from punktfunk.mgmt.events import EventBus
from punktfunk.mgmt.host_view import HostView, SessionFacts
from punktfunk.mgmt.recordings import SAMPLE_INTERVAL_S, Recorder, Sample
from punktfunk.mgmt.statistics import Interval, sample_of

INTERVAL_S = 1.0


class Watcher:
    """Call ``tick`` once a second. Publishes ``sessions`` and ``pairing`` when they changed, ``statistics`` while
    something streams, ``logs`` when there are new lines; feeds the recorder."""

    def __init__(self, host: HostView, bus: EventBus, recorder: Recorder) -> None:
        self._host = host
        self._bus = bus
        self._recorder = recorder
        self._last: dict[str, Any] = {}
        self._intervals: dict[str, Interval] = {}
        self._next_sample = 0.0
        self.newest: list[Sample] = []
        """The figures of the last look."""

    def tick(self, now: float, now_unix: float, log_lines: int) -> None:
        """Look and tell."""
        sessions = self._host.sessions.all()
        self._changed("sessions", {"sessions": [_outline(s) for s in sessions]})
        self._changed("pairing", self._pairing())
        self._changed("logs", {"next": log_lines})
        streaming = [s for s in sessions if s.streaming]
        self._intervals = {s.id: self._intervals.get(s.id) or Interval() for s in streaming}
        self.newest = [sample_of(s, self._intervals[s.id], now, now_unix) for s in streaming]
        if streaming:
            self._bus.publish("statistics", {"samples": self.newest})
            self._record(self.newest, now)

    def _record(self, samples: list[Sample], now: float) -> None:
        if self._recorder.armed and now >= self._next_sample:
            self._next_sample = now + SAMPLE_INTERVAL_S - INTERVAL_S / 2
            for sample in samples:
                self._recorder.add(sample)

    def _changed(self, kind: str, data: dict[str, Any]) -> None:
        if kind in self._last and self._last[kind] != data:
            self._bus.publish(kind, data)
        self._last[kind] = data

    def _pairing(self) -> dict[str, Any]:
        """Who waits. The PIN itself is fetched with the right to pair; events are for everybody who may read."""
        pins, native = self._host.pin_entry, self._host.native_pairing
        return {
            "gamestream": [{"id": a.id, "name": a.name, "address": a.address} for a in pins.waiting()] if pins else [],
            "native": [{"id": k.id, "name": k.name, "address": k.address} for k in native.waiting()] if native else [],
            "armed": native is not None and native.armed() is not None,
        }


def _outline(session: SessionFacts) -> dict[str, Any]:
    outline = asdict(session)
    del outline["statistics"], outline["path"]
    return outline | {"mode": str(session.mode)}
