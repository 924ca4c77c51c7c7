"""Samples of a client's microphone into the session's virtual one, through the sound server's own player."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os

from punktfunk.session.sound_server import SoundServer

PIPE_BYTES = 8192
"""85 ms of mono sound at 48 kHz; what comes while it is full is dropped."""
RESTART_PAUSE_S = 1.0
LATENCY_MS = 20
_CHUNK_BYTES = 960

log = logging.getLogger(__name__)


class MicrophoneFeed:
    """Feeds one sink with mono 16-bit samples at 48 kHz; never waits. The player is started with the first samples
    and again when it died."""

    def __init__(self, server: SoundServer, sink: str) -> None:
        self._server = server
        self._sink = sink
        self._pipe: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Task[None] | None = None
        self._not_before = 0.0
        self._closed = False
        self.dropped_bytes = 0

    def write(self, samples: bytes) -> None:
        """Play these samples, or drop them."""
        if self._closed:
            return
        if self._pipe is None:
            self._start_soon()
            self.dropped_bytes += len(samples)
            return
        for start in range(0, len(samples), _CHUNK_BYTES):
            chunk = samples[start : start + _CHUNK_BYTES]
            try:
                os.write(self._pipe, chunk)
            except BlockingIOError:
                self.dropped_bytes += len(chunk)
            except OSError:
                self._let_go()
                return

    async def close(self) -> None:
        """End the player; safe to repeat."""
        self._closed = True
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        self._let_go()
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _start_soon(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._not_before and (self._starting is None or self._starting.done()):
            self._not_before = now + RESTART_PAUSE_S
            self._starting = asyncio.create_task(self._start())

    async def _start(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        read_end, write_end = os.pipe()
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(write_end, False)
        try:
            self._process = await self._server.spawn(
                "pacat",
                "--playback",
                f"--device={self._sink}",
                "--raw",
                "--format=s16le",
                "--rate=48000",
                "--channels=1",
                f"--latency-msec={LATENCY_MS}",
                stdin=read_end,
            )
        except OSError as error:
            os.close(write_end)
            log.warning("the microphone cannot be played: %s", error)
            return
        finally:
            os.close(read_end)
        self._pipe = write_end

    def _let_go(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            os.close(pipe)
