"""When the client punches its data socket through to the host (punktfunk1.md §4.8)."""

from __future__ import annotations

FAST_PUNCHES = 15
FAST_INTERVAL_S = 0.2
SLOW_INTERVAL_S = 2.0


class PunchSchedule:
    """Often at first, then for the whole session, to keep firewalls and address translators open."""

    def __init__(self, now: float) -> None:
        self._sent = 0
        self.next_at = now
        """When the next one is due."""

    def poll(self, now: float) -> bool:
        """Whether to send one now."""
        if now < self.next_at:
            return False
        self._sent += 1
        self.next_at = now + (FAST_INTERVAL_S if self._sent < FAST_PUNCHES else SLOW_INTERVAL_S)
        return True
