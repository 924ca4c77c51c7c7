"""Which session the current task or thread works for; every log line carries it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

session_id: ContextVar[str] = ContextVar("session_id", default="")


@contextmanager
def bind_session(identifier: str) -> Iterator[None]:
    """Mark every line logged inside, tasks started inside included, with this session."""
    token = session_id.set(identifier)
    try:
        yield
    finally:
        session_id.reset(token)
