"""Which frames go to the page: none that it could not decode, and none behind a backlog. Sans-IO."""

from __future__ import annotations

import enum

BACKLOG_LIMIT_S = 0.25
MIN_BACKLOG_BYTES = 128 * 1024
AGE_LIMIT_S = 1.0
"""A still desktop is some kilobytes a second: there, bytes say nothing about how late they are."""
MESSAGES_PER_S = 2000.0
"""A mouse that reports 1000 times a second and four controllers at 125 Hz stay well below."""
BUDGET_BURST = 4000


class Verdict(enum.Enum):
    """What to do with a frame."""

    SEND = "send"
    DROP = "drop"
    DROP_AND_ASK = "drop and ask for a keyframe"


class FrameGate:
    """Decides from the bytes that wait in front of the page, and how long they have.

    A frame that is dropped takes all up to the next keyframe along, so a keyframe is asked for as soon as the backlog
    is gone, and not sooner: it would only make it longer.
    """

    def __init__(self, bitrate_kbps: int) -> None:
        self.bitrate_kbps = bitrate_kbps
        self.paused = False
        """Nobody looks: nothing is sent."""
        self._needs_key = True
        self._asked = False
        self.sent = 0
        self.dropped = 0

    @property
    def limit_bytes(self) -> int:
        """The backlog at which frames are dropped."""
        return max(MIN_BACKLOG_BYTES, int(self.bitrate_kbps * 125 * BACKLOG_LIMIT_S))

    def frame(self, backlog_bytes: int, backlog_s: float = 0.0, *, keyframe: bool) -> Verdict:
        """One frame that is ready to leave."""
        if self.paused:
            self._needs_key, self._asked = True, False
            return Verdict.DROP
        if backlog_bytes > self.limit_bytes or backlog_s > AGE_LIMIT_S:
            self._needs_key, self._asked = True, False
            self.dropped += 1
            return Verdict.DROP
        if self._needs_key and not keyframe:
            self.dropped += 1
            ask, self._asked = not self._asked, True
            return Verdict.DROP_AND_ASK if ask else Verdict.DROP
        self._needs_key = self._asked = False
        self.sent += 1
        return Verdict.SEND

    def lost(self) -> None:
        """The page cannot decode, or what was sent was taken back: the next frame has to be a keyframe."""
        self._needs_key, self._asked = True, False


class MessageBudget:
    """How much a page may send: a bucket of ``BUDGET_BURST`` messages that ``MESSAGES_PER_S`` refill."""

    def __init__(self, now: float) -> None:
        self._left = float(BUDGET_BURST)
        self._at = now

    def spend(self, now: float) -> bool:
        """Whether one more message is still within bounds."""
        self._left = min(BUDGET_BURST, self._left + (now - self._at) * MESSAGES_PER_S) - 1
        self._at = now
        return self._left >= 0
