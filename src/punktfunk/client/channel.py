"""A bounded queue between the session's parts and whoever reads them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """Values in order, ``limit`` at most: the oldest gives way and is counted. Used in one event loop.

    Iterate with ``async for``; the iteration ends with the channel, after what still waits was read. A cancelled
    reader loses nothing. One reader at a time.
    """

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        """Values that nobody read in time."""
        self._limit = limit
        self._values: deque[T] = deque()
        self._closed = False
        self._wake: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._values)

    def put(self, value: T) -> None:
        """Append; never waits."""
        if self._closed:
            return
        if len(self._values) >= self._limit:
            self._values.popleft()
            self.dropped += 1
        self._values.append(value)
        self._notify()

    def clear(self) -> None:
        """Drop what waits."""
        self.dropped += len(self._values)
        self._values.clear()

    def close(self) -> None:
        """End the iteration once it is empty."""
        self._closed = True
        self._notify()

    def __aiter__(self) -> Channel[T]:
        return self

    async def __anext__(self) -> T:
        while not self._values:
            if self._closed:
                raise StopAsyncIteration
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        return self._values.popleft()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
