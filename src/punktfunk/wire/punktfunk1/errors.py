"""The one exception of every decoder in this package."""

from __future__ import annotations


class MalformedError(ValueError):
    """Bytes from a peer break the format; ``field`` names where."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
