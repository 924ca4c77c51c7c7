"""What every TCP listener of GameStream needs: bounds on connections, deadlines, and an end that loses no bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator

CLOSE_DEADLINE_S = 2.0
_MAX_IGNORED_BYTES = 64 << 10


class ConnectionLimit:
    """Counts open connections, all together and by source address."""

    def __init__(self, *, total: int, per_address: int) -> None:
        self._total = total
        self._per_address = per_address
        self._open: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._open.total()

    @contextlib.contextmanager
    def admit(self, address: str) -> Iterator[bool]:
        """Hold one place while inside; yields False, holding none, when there is none."""
        if len(self) >= self._total or self._open[address] >= self._per_address:
            yield False
            return
        self._open[address] += 1
        try:
            yield True
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]


async def finish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Flush, end our side, and wait a little for the peer's end, so that no reset overtakes the last bytes."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_DEADLINE_S):
            await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
            ignored = 0
            while ignored < _MAX_IGNORED_BYTES and (data := await reader.read(4096)):
                ignored += len(data)
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_DEADLINE_S):
            await writer.wait_closed()
    writer.transport.abort()
