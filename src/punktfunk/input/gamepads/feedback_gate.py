"""Feedback thinned out: only changes, no faster than a client can use, the newest value never lost, stop at once."""

from __future__ import annotations

from punktfunk.input.events import (
    Feedback,
    LightChanged,
    MotionRequested,
    PlayerLedsChanged,
    Rumbled,
    TriggerEffect,
    TriggersRumbled,
)

SHORTEST_INTERVAL_S = 0.01
_Key = tuple[type[Feedback], int, int]


class FeedbackGate:
    """Sans-IO; ``now`` in seconds. Holds at most one value for each kind of feedback of each pad."""

    def __init__(self) -> None:
        self._sent: dict[_Key, tuple[Feedback, float]] = {}
        self._waiting: dict[_Key, Feedback] = {}

    def offer(self, feedback: Feedback, now: float) -> list[Feedback]:
        """What to pass on at once: this, or nothing because it is old news or too soon."""
        key = _key(feedback)
        last, sent_at = self._sent.get(key, (None, float("-inf")))
        self._waiting.pop(key, None)
        if feedback == last:
            return []
        if now < sent_at + SHORTEST_INTERVAL_S and not _is_stop(feedback):
            self._waiting[key] = feedback
            return []
        self._sent[key] = (feedback, now)
        return [feedback]

    def due(self) -> float | None:
        """When `flush` has something to give; None while nothing waits."""
        return min((self._sent[key][1] + SHORTEST_INTERVAL_S for key in self._waiting), default=None)

    def flush(self, now: float) -> list[Feedback]:
        """What waited long enough."""
        ready = [f for key, f in self._waiting.items() if now >= self._sent[key][1] + SHORTEST_INTERVAL_S]
        return [passed for feedback in ready for passed in self.offer(feedback, now)]

    def current(self, pad: int) -> list[Feedback]:
        """What a pad does now, for a client that was not there when it was told."""
        return [sent for key, (sent, _) in self._sent.items() if key[1] == pad]

    def silence(self, pad: int, now: float) -> list[Feedback]:
        """The stop of whatever a pad that goes away still does; the pad is forgotten."""
        stops = [stop for feedback in self.current(pad) for stop in _stop_of(feedback) if stop != feedback]
        for known in (self._sent, self._waiting):
            for key in [key for key in known if key[1] == pad]:
                del known[key]
        return stops


def _key(feedback: Feedback) -> _Key:
    match feedback:
        case TriggerEffect(pad=pad, side=side):
            return type(feedback), pad, side
        case MotionRequested(pad=pad, sensor=sensor):
            return type(feedback), pad, sensor
    return type(feedback), feedback.pad, 0


def _is_stop(feedback: Feedback) -> bool:
    return feedback in _stop_of(feedback)


def _stop_of(feedback: Feedback) -> tuple[Feedback, ...]:
    match feedback:
        case Rumbled(pad=pad):
            return (Rumbled(pad, 0, 0),)
        case TriggersRumbled(pad=pad):
            return (TriggersRumbled(pad, 0, 0),)
        case TriggerEffect(pad=pad, side=side, parameters=parameters):
            return (TriggerEffect(pad, side, 0, bytes(len(parameters))),)
        case MotionRequested(pad=pad, sensor=sensor):
            return (MotionRequested(pad, sensor, 0),)
        case LightChanged() | PlayerLedsChanged():
            return ()
