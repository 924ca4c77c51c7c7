"""Nothing stays pressed for a client that fell silent: when to ask for a sign of life, when to let go. No clock."""

from __future__ import annotations

import enum

ASK_AFTER_S = 0.3
"""What a client answers to comes every few milliseconds in a stream with sound; this is for the ones without."""
ASK_AGAIN_S = 0.2
RELEASE_AFTER_S = 0.8
"""Keys of a client that died are up within a second; a path that stands still for longer costs a held key."""


class Step(enum.Enum):
    """What to do now."""

    ASK = "ask"
    RELEASE = "release"


class HeldWatch:
    """Watches the silence of a client that holds something. ``heard`` is when its last authentic packet came."""

    def __init__(self, now: float) -> None:
        self._heard = now
        self._asked = now

    def heard(self, now: float) -> None:
        """A packet came that only this client can have sent."""
        self._heard = now

    def deadline(self) -> float:
        """When the next step is due, while something is held."""
        release = self._heard + RELEASE_AFTER_S
        return min(release, max(self._heard + ASK_AFTER_S, self._asked + ASK_AGAIN_S))

    def step(self, now: float) -> Step | None:
        """What the silence calls for."""
        if now >= self._heard + RELEASE_AFTER_S:
            return Step.RELEASE
        if now >= self.deadline():
            self._asked = now
            return Step.ASK
        return None
