"""A session's own sink: what its programs play ends up in it, and nothing else does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re

from punktfunk.media.audio import AudioTarget
from punktfunk.session.processes import host_is_alive, host_mark
from punktfunk.session.sound_server import SoundError, SoundServer

# The order in which a plan counts its channels: AudioPlan.
_CHANNEL_MAPS = {
    2: "front-left,front-right",
    6: "front-left,front-right,front-center,lfe,rear-left,rear-right",
    8: "front-left,front-right,front-center,lfe,rear-left,rear-right,side-left,side-right",
}
_SINK_PREFIX = "punktfunk."
_SINK_IN_ARGUMENTS = re.compile(r"\bsink_name=punktfunk\.(\d+-\d+)\.")

logger = logging.getLogger(__name__)


class SessionSound:
    """One null sink in the sound server for one session; it comes back by itself when the server restarts.

    The server's defaults are never touched: programs find the sink through ``environment``.
    """

    def __init__(self, server: SoundServer, session_id: str, channels: int) -> None:
        self._server = server
        self._channels = channels
        self._sink = f"{_SINK_PREFIX}{host_mark(os.getpid())}.{session_id}"
        self._module = ""
        self._closed = False
        self._change = asyncio.Lock()
        self._forget = server.on_restart(self._restore)

    @classmethod
    async def open(cls, server: SoundServer, session_id: str, channels: int) -> SessionSound:
        """Make the sink with 2, 6 or 8 channels. ``session_id`` is unique among this host's. Raises SoundError."""
        _check_channels(channels)
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", session_id):
            raise SoundError(f"session id {session_id!r:.80} cannot name a sink")
        sound = cls(server, session_id, channels)
        try:
            await sound._load()
        except BaseException:
            sound._forget()
            raise
        return sound

    @property
    def target(self) -> AudioTarget:
        """Where the worker captures what the session plays."""
        return AudioTarget(server=self._server.pulse_server, source=f"{self._sink}.monitor")

    @property
    def environment(self) -> dict[str, str]:
        """For the programs of the session: PulseAudio, native PipeWire and ALSA (through either) play into the sink."""
        return self._server.environment | {"PULSE_SINK": self._sink, "PIPEWIRE_NODE": self._sink}

    async def set_channels(self, channels: int) -> None:
        """Change to 2, 6 or 8 channels. Programs that play go on playing; a capture reconnects. Raises SoundError."""
        _check_channels(channels)
        if channels == self._channels:
            return
        async with self._change:
            streams = await self._streams()
            await self._unload()
            self._channels = channels
            await self._load()
            for stream in streams:
                with contextlib.suppress(SoundError):
                    await self._server.pactl("move-sink-input", stream, self._sink)

    async def close(self) -> None:
        """Remove the sink; safe to repeat, and with a server that is gone already."""
        async with self._change:
            if not self._closed:
                self._closed = True
                self._forget()
                await self._unload()

    async def _restore(self) -> None:
        async with self._change:
            if not self._closed:
                await self._load()

    async def _unload(self) -> None:
        module, self._module = self._module, ""
        if module:
            try:
                await self._server.pactl("unload-module", module)
            except SoundError as error:
                logger.debug("sink %s is gone already: %s", self._sink, error)

    async def _load(self) -> None:
        output = await self._server.pactl(
            "load-module",
            "module-null-sink",
            f"sink_name={self._sink}",
            "rate=48000",
            f"channels={self._channels}",
            f"channel_map={_CHANNEL_MAPS[self._channels]}",
            "sink_properties=device.description=Stream",
        )
        self._module = output.strip()

    async def _streams(self) -> list[str]:
        """Ids of the streams that play into the sink."""
        sinks = await self._server.pactl("list", "short", "sinks")
        own = [fields[0] for line in sinks.splitlines() if (fields := line.split("\t"))[1:2] == [self._sink]]
        inputs = (await self._server.pactl("list", "short", "sink-inputs")).splitlines()
        return [fields[0] for line in inputs if (fields := line.split("\t"))[1:2] == own]


def _check_channels(channels: int) -> None:
    if channels not in _CHANNEL_MAPS:
        raise SoundError(f"a session has 2, 6 or 8 channels, not {channels}")


async def remove_stale_sinks(server: SoundServer) -> int:
    """Unload sinks that hosts which no longer exist left in the user's server; returns how many."""
    removed = 0
    for line in (await server.pactl("list", "short", "modules")).splitlines():
        module, _, rest = line.partition("\t")
        sink = _SINK_IN_ARGUMENTS.search(rest)
        if sink and not host_is_alive(sink[1]):
            await server.pactl("unload-module", module)
            removed += 1
    return removed
