"""The one way in which a request is refused: an HTTP status and a sentence for the caller."""

from __future__ import annotations


class ApiError(Exception):
    """Answered as ``{"error": message}`` (punktfunk1.md §10.1). ``retry_after_s`` becomes a Retry-After header."""

    def __init__(self, status: int, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s


def not_found(what: str) -> ApiError:
    """404: there is no such thing."""
    return ApiError(404, f"there is no {what}")


def unavailable(what: str) -> ApiError:
    """503: that part of the host does not run."""
    return ApiError(503, what)
