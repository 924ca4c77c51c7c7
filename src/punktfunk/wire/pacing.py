"""When the datagrams of one frame leave: a burst at once, the rest spread over the time to the next frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

BURST_BYTES = 128 * 1024
"""Leaves at once; the buffers on the way (socket, switch, access point) are known to take it."""

CHUNK_DATAGRAMS = 16
"""The fewest datagrams worth a wake-up behind the burst."""

MIN_WAIT_NS = 500_000
"""Shorter waits are not worth a context switch."""

SPREAD_SHARE = 0.9
"""The most of the remaining frame time that the rest may take."""

FLOOR_BITS_PER_S = 400_000_000
"""The rest is never paced slower than this: a lone large frame on a slow stream gains nothing from waiting longer."""


class Chunk(NamedTuple):
    """``datagrams`` datagrams from index ``first`` are due at ``due_ns`` on the caller's clock."""

    first: int
    datagrams: int
    due_ns: int


def schedule(count: int, datagram_bytes: int, now_ns: int, next_frame_ns: int) -> Iterator[Chunk]:
    """Chunks of one frame's ``count`` datagrams, in order, each with its due time.

    The first 128 KiB are due now. The rest follows in even steps of at least 500 µs and 16 datagrams, until 90 % of
    the time to ``next_frame_ns`` has passed or sooner (``FLOOR_BITS_PER_S``); with no time left, all is one chunk.
    """
    burst = min(count, max(1, BURST_BYTES // datagram_bytes))
    rest = count - burst
    spread_ns = min(
        int(SPREAD_SHARE * max(0, next_frame_ns - now_ns)),
        rest * datagram_bytes * 8 * 1_000_000_000 // FLOOR_BITS_PER_S,
    )
    wakeups = spread_ns // MIN_WAIT_NS
    if wakeups == 0:
        yield Chunk(0, count, now_ns)
        return
    yield Chunk(0, burst, now_ns)
    chunk = max(CHUNK_DATAGRAMS, -(-rest // wakeups))
    steps = -(-rest // chunk)
    for step in range(steps):
        start = step * chunk
        # The first step waits as well: it follows the burst, not the frame before.
        due_ns = now_ns + spread_ns * (step + 1) // steps
        yield Chunk(burst + start, min(chunk, rest - start), due_ns)
