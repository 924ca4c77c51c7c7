"""What has happened, for everybody who listens: a ring of recent events and bounded queues. Sans-IO but for waking."""

from __future__ import annotations

import asyncio
import collections
import secrets
from collections.abc import Callable
from typing import Any

import msgspec

MAX_RECENT = 512
MAX_QUEUED = 128
MAX_LISTENERS = 32
RESET = "reset"
"""Kind of the event that tells a listener that it has missed some: read the state anew."""


class Event(msgspec.Struct, frozen=True):
    """``id`` is good for Last-Event-ID; ``kind`` such as ``sessions``; ``data`` is JSON."""

    id: str
    kind: str
    data: Any


class TooManyListeners(Exception):
    """``MAX_LISTENERS`` listen already."""


class Listener:
    """One listener's queue. It never grows beyond ``MAX_QUEUED``: who lags that far gets one reset instead."""

    def __init__(self, kinds: frozenset[str]) -> None:
        self._kinds = kinds
        self._queue: collections.deque[Event] = collections.deque()
        self._there = asyncio.Event()

    def __len__(self) -> int:
        return len(self._queue)

    def offer(self, event: Event) -> None:
        """Queue one event if it is of a kind that was asked for."""
        if self._kinds and event.kind not in self._kinds and event.kind != RESET:
            return
        if len(self._queue) >= MAX_QUEUED:
            self._queue.clear()
            event = Event(event.id, RESET, {})
        self._queue.append(event)
        self._there.set()

    async def next(self, timeout_s: float) -> Event | None:
        """The next event, or None when none came in time. Cancelling loses nothing."""
        if not self._queue:
            self._there.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._there.wait()
            except TimeoutError:
                return None
        return self._queue.popleft() if self._queue else None


class EventBus:
    """Publishes events to listeners; a listener that comes back continues after the last event it saw."""

    def __init__(self, new_run: Callable[[], str] = lambda: secrets.token_hex(4)) -> None:
        # Numbers start again with every host, so each run has a prefix of its own.
        self._run = new_run()
        self._number = 0
        self._recent: collections.deque[Event] = collections.deque(maxlen=MAX_RECENT)
        self._listeners: set[Listener] = set()

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    @property
    def full(self) -> bool:
        """Whether one more listener would be refused."""
        return len(self._listeners) >= MAX_LISTENERS

    def publish(self, kind: str, data: Any) -> Event:
        """Tell every listener. Never blocks."""
        self._number += 1
        event = Event(f"{self._run}-{self._number}", kind, data)
        self._recent.append(event)
        for listener in self._listeners:
            listener.offer(event)
        return event

    def listen(self, *, after: str = "", kinds: frozenset[str] = frozenset()) -> Listener:
        """A new listener; with ``after`` it first gets what followed that event, or a reset when that is forgotten.

        Raises TooManyListeners. Give it back with ``leave``.
        """
        if self.full:
            raise TooManyListeners(f"{MAX_LISTENERS} listeners are connected already")
        listener = Listener(kinds)
        for event in self._missed(after) if after else ():
            listener.offer(event)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a listener."""
        self._listeners.discard(listener)

    def _missed(self, after: str) -> list[Event]:
        run, _, text = after.rpartition("-")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
        oldest = self._number - len(self._recent)
        if run != self._run or not oldest <= number <= self._number:
            return [Event(f"{self._run}-{self._number}", RESET, {})]
        missed = list(self._recent)[number - oldest :]
        return missed if len(missed) <= MAX_QUEUED else [Event(f"{self._run}-{self._number}", RESET, {})]


def to_wire(event: Event) -> bytes:
    """The event in the form of ``text/event-stream``."""
    return f"id: {event.id}\nevent: {event.kind}\ndata: {msgspec.json.encode(event.data).decode()}\n\n".encode()
