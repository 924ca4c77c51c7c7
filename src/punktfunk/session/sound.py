"""A session's own sink: what its programs play ends up in it, and nothing else does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re

from punktfunk.media.audio import AudioTarget
from punktfunk.session.microphone_feed import MicrophoneFeed
from punktfunk.session.processes import host_is_alive, host_mark
from punktfunk.session.sound_server import SoundError, SoundServer

# The order in which a plan counts its channels: AudioPlan.
_CHANNEL_MAPS = {
    2: "front-left,front-right",
    6: "front-left,front-right,front-center,lfe,rear-left,rear-right",
    8: "front-left,front-right,front-center,lfe,rear-left,rear-right,side-left,side-right",
}
_SINK_PREFIX = "punktfunk."
_SINK_IN_ARGUMENTS = re.compile(r"\b(?:sink|source)_name=punktfunk\.(\d+-\d+-\d+)\.")

logger = logging.getLogger(__name__)


class SessionSound:
    """One null sink in the sound server for one session; it comes back by itself when the server restarts.

    The server's defaults are never touched: programs find the sink through ``environment``.
    """

    def __init__(self, server: SoundServer, session_id: str, channels: int, *, microphone: bool = False) -> None:
        self._server = server
        self._channels = channels
        self._microphone = microphone
        self._microphone_modules: list[str] = []
        self._sink = f"{_SINK_PREFIX}{host_mark(os.getpid())}.{session_id}"
        self._module = ""
        self._closed = False
        self._change = asyncio.Lock()
        self._forget = server.on_restart(self._restore)

    @classmethod
    async def open(
        cls, server: SoundServer, session_id: str, channels: int, *, microphone: bool = False
    ) -> SessionSound:
        """Make the sink with 2, 6 or 8 channels, and a microphone of the session's own if wanted. ``session_id`` is
        unique among this host's. Raises SoundError."""
        _check_channels(channels)
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", session_id):
            raise SoundError(f"session id {session_id!r:.80} cannot name a sink")
        sound = cls(server, session_id, channels, microphone=microphone)
        try:
            await asyncio.gather(sound._load(), sound._load_microphone())
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
        own = {"PULSE_SINK": self._sink, "PIPEWIRE_NODE": self._sink}
        if self._microphone:
            own["PULSE_SOURCE"] = self._source
        return self._server.environment | own

    def open_microphone(self) -> MicrophoneFeed | None:
        """What plays into the session's microphone; None without one."""
        return MicrophoneFeed(self._server, self._microphone_sink) if self._microphone else None

    @property
    def _microphone_sink(self) -> str:
        return f"{self._sink}.voice"

    @property
    def _source(self) -> str:
        return f"{self._sink}.microphone"

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
                modules, self._microphone_modules = self._microphone_modules, []
                for module in reversed(modules):
                    await self._unload_module(module)
                await self._unload()

    async def _restore(self) -> None:
        async with self._change:
            if not self._closed:
                await asyncio.gather(self._load(), self._load_microphone())
                await self._gather_strays()

    async def _unload(self) -> None:
        module, self._module = self._module, ""
        if module:
            await self._unload_module(module)

    async def _unload_module(self, module: str) -> None:
        try:
            await self._server.pactl("unload-module", module)
        except SoundError as error:
            logger.debug("sink %s is gone already: %s", self._sink, error)

    async def _load_microphone(self) -> None:
        """A sink that the client's voice is played into, and a source of it: a bare monitor is hidden from programs."""
        if not self._microphone:
            return
        sink = await self._server.pactl(
            "load-module",
            "module-null-sink",
            f"sink_name={self._microphone_sink}",
            "rate=48000",
            "channels=1",
            "channel_map=mono",
            "sink_properties=device.description=Voice",
        )
        self._microphone_modules = [sink.strip()]
        source = await self._server.pactl(
            "load-module",
            "module-remap-source",
            f"master={self._microphone_sink}.monitor",
            f"source_name={self._source}",
            "source_properties=device.description=Microphone",
        )
        self._microphone_modules.append(source.strip())

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

    async def _gather_strays(self) -> None:
        """Bring back streams that asked for the sink while it was missing; they play where nobody hears them."""
        listed = await self._server.pactl("--format=json", "list", "sink-inputs")
        try:
            streams = json.loads(listed)
            strays = [s["index"] for s in streams if s["properties"].get("target.object") == self._sink]
        except (ValueError, KeyError, TypeError, AttributeError):
            logger.debug("pactl lists streams in a form that is not understood: %.200s", listed)
            return
        for stream in strays:
            with contextlib.suppress(SoundError):
                await self._server.pactl("move-sink-input", str(stream), self._sink)

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
            # A microphone's source goes with its sink.
            with contextlib.suppress(SoundError):
                await server.pactl("unload-module", module)
            removed += 1
    return removed
