"""What a connected device may do, and until when (punktfunk1.md §3.6). Times in seconds."""

from __future__ import annotations

import math

from punktfunk.wire.punktfunk1.caps import ALL_GRANTS, Grants
from punktfunk.wire.punktfunk1.messages import AccessUpdate

WARNINGS_S = (300.0, 60.0)


class Access:
    """The grants of one session. ``expires`` None = permanent, else a time on the caller's clock."""

    def __init__(self, grants: Grants = ALL_GRANTS, expires: float | None = None) -> None:
        self.grants = grants
        self.expires = expires
        self._warned = math.inf

    def allows(self, grant: Grants) -> bool:
        """Whether all of ``grant`` is given."""
        return grant in self.grants

    def expired(self, now: float) -> bool:
        """Whether the session is to be closed."""
        return self.expires is not None and now >= self.expires

    def remaining_seconds(self, now: float) -> int:
        """For Welcome and AccessUpdate: 0 = permanent, so that the last second counts as 1."""
        return 0 if self.expires is None else max(1, math.ceil(self.expires - now))

    def change(self, grants: Grants, expires: float | None, now: float) -> AccessUpdate:
        """An operator's edit; the message that announces it."""
        self.grants, self.expires, self._warned = grants, expires, math.inf
        return self._announce(now)

    def warn(self, now: float) -> AccessUpdate | None:
        """The announcement due 300 s and 60 s before the end, each once."""
        if self.expires is None:
            return None
        left = self.expires - now
        due = [mark for mark in WARNINGS_S if left <= mark < self._warned]
        if not due:
            return None
        self._warned = min(due)
        return self._announce(now)

    def next_deadline(self, now: float) -> float | None:
        """When ``warn`` or ``expired`` has something to say."""
        if self.expires is None:
            return None
        marks = [self.expires - mark for mark in WARNINGS_S if mark < self._warned]
        return min((mark for mark in marks if mark > now), default=self.expires)

    def _announce(self, now: float) -> AccessUpdate:
        return AccessUpdate(self.grants, self.remaining_seconds(now))
