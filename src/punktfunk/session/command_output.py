"""What a helper program says, read to its end whatever is kept of it."""

from __future__ import annotations

import asyncio
import contextlib


async def read_all(stream: asyncio.StreamReader, limit: int) -> bytes | None:
    """Everything up to the end of the output, or None when it is more than ``limit`` bytes."""
    content: bytearray | None = bytearray()
    while chunk := await stream.read(64 * 1024):
        if content is not None:
            content += chunk
            if len(content) > limit:
                content = None
    return bytes(content) if content is not None else None


async def kill(process: asyncio.subprocess.Process) -> None:
    """End a program whose output may not have been read; returns when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    if process.stdout is not None:
        # asyncio tells of an exit only once the pipe has been read to its end.
        await read_all(process.stdout, 0)
    await process.wait()
