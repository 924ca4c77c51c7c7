"""A whole session for a check: sound, desktop, worker and encoder as a client gets them, without the network."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import av
import numpy as np
from numpy.typing import NDArray

from punktfunk.host.doctor.check import Context
from punktfunk.host.doctor.probe_worker import AUDIO, HEADER, VIDEO
from punktfunk.media.frames import Codec
from punktfunk.media.plan import AudioPlan, Mode, VideoPlan
from punktfunk.session.desktops.choice import choose_desktop
from punktfunk.session.desktops.look import LookSettings
from punktfunk.session.desktops.wayland_session import Wanted
from punktfunk.session.lifecycle import EndReason
from punktfunk.session.plan import App
from punktfunk.session.runtime_dirs import RuntimeDir
from punktfunk.session.session import Session, SessionRequest, Surroundings
from punktfunk.session.sound import SessionSound
from punktfunk.session.sound_server import SoundMode, open_sound_server
from punktfunk.session.stream import Stream, StreamSpec
from punktfunk.session.worker_process import WorkerPool

MODE = Mode(1280, 720, 30_000)
SAMPLE_RATE_HZ = 48_000
_WORKER_MODULE = "punktfunk.host.doctor.probe_worker"
_BITRATE_KBPS = 5000
_DECODERS = {Codec.H264: "h264", Codec.HEVC: "hevc", Codec.AV1: "libdav1d"}
_MAX_MESSAGE_BYTES = 16 << 20

Picture = NDArray[np.uint8]
Samples = NDArray[np.float32]


@dataclass
class Probe:
    """A streaming session. ``folder`` is private to the desktop's user."""

    stream: Stream
    folder: Path
    reader: asyncio.StreamReader
    codec: Codec

    async def pictures(self) -> AsyncIterator[Picture]:
        """Decoded pictures (luma plane), without end."""
        decoder = cast(av.VideoCodecContext, av.CodecContext.create(_DECODERS[self.codec], "r"))
        async for data in self._messages(VIDEO):
            for frame in decoder.decode(av.Packet(data)):
                yield cast(Picture, frame.to_ndarray(format="gray"))

    async def samples(self) -> AsyncIterator[Samples]:
        """Decoded sound of the left channel, a packet at a time, without end."""
        decoder: Any = av.CodecContext.create("libopus", "r")
        decoder.sample_rate, decoder.layout = SAMPLE_RATE_HZ, "stereo"
        async for data in self._messages(AUDIO):
            for frame in decoder.decode(av.Packet(data)):
                samples: Samples = frame.to_ndarray().reshape(-1, 2)[:, 0] / np.float32(32768)
                yield samples

    async def _messages(self, wanted: int) -> AsyncIterator[bytes]:
        while True:
            kind, length = HEADER.unpack(await self.reader.readexactly(HEADER.size))
            if length > _MAX_MESSAGE_BYTES:
                raise ValueError(f"a message of {length} bytes from the worker")
            data = await self.reader.readexactly(length)
            if kind == wanted:
                yield data


@contextlib.asynccontextmanager
async def probe_session(
    context: Context,
    *,
    kind: str = "",
    desktop_command: str = "",
    codec: Codec = Codec.H264,
    audio: bool = False,
    files: Mapping[str, bytes] = MappingProxyType({}),
) -> AsyncIterator[Probe]:
    """Stream a session to here; everything is gone at the end. Empty arguments mean what the settings say.

    ``@FOLDER@`` in the command stands for the folder with ``files``. Raises what the parts of a session raise.
    """
    settings = context.settings
    async with contextlib.AsyncExitStack() as exits:
        user = context.desktop_user()
        runtime = RuntimeDir.create(user)
        exits.callback(runtime.close)
        folder = runtime.subdir("doctor")
        for name, data in files.items():
            (folder / name).write_bytes(data)
            (folder / name).chmod(0o644)
        command = desktop_command.replace("@FOLDER@", str(folder)) or settings.display.desktop_command
        look = LookSettings(command=command, wallpaper=settings.display.wallpaper)
        choice = choose_desktop(
            kind or settings.display.kind,
            runtime,
            look,
            environment=context.environment,
            x11_display=settings.display.x11_display,
            wanted=Wanted(context.environment, settings.display.wayland_display, settings.display.output),
        )
        workers = {**user.environment(str(runtime.path)), "PYTHONDONTWRITEBYTECODE": "1"}
        pool = WorkerPool({**workers, **choice.worker_environment})
        exits.push_async_callback(pool.close)
        open_sound = None
        if audio:
            server = await open_sound_server(SoundMode(settings.audio.mode), user, runtime)
            if server is not None:
                exits.push_async_callback(server.close)

                async def open_sound(session_id: str, channels: int) -> SessionSound:
                    return await SessionSound.open(server, session_id, channels)

        around = Surroundings(choice.make, open_sound, pool, None if user.is_current else user)
        request = SessionRequest(f"doctor-{os.getpid()}", "doctor", "the doctor", "doctor", App(0, "doctor"), MODE)
        session = Session(request, around)
        exits.push_async_callback(session.end, EndReason.CANCELLED)
        await session.launch()
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        exits.callback(writer.close)
        exits.callback(theirs.close)
        plan = VideoPlan(MODE, codec, _BITRATE_KBPS)
        spec = StreamSpec(_WORKER_MODULE, plan, AudioPlan() if audio else None, b"", (theirs,))
        stream = await session.start_stream(spec)
        yield Probe(stream, folder, reader, codec)
