"""A display's server that runs outside of this host: a connection that says nothing lasts as long as it does."""

from __future__ import annotations

import asyncio
import contextlib

_CHUNK_BYTES = 4096


async def until_ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the other side ends the connection; it is closed then, and when this is cancelled."""
    try:
        with contextlib.suppress(OSError):
            while await reader.read(_CHUNK_BYTES):
                pass
    finally:
        writer.close()
