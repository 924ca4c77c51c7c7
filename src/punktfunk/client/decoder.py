"""Access units into pictures on a thread of its own, by PyAV."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import av
from av.codec.context import Flags
from av.error import FFmpegError
from av.video.frame import VideoFrame

from punktfunk.client.arrival import Arrival
from punktfunk.client.errors import ClientError
from punktfunk.wire.punktfunk1.enums import VideoCodec

MAX_QUEUED_FRAMES = 32
_DECODERS = {VideoCodec.H264: ("h264",), VideoCodec.HEVC: ("hevc",), VideoCodec.AV1: ("libdav1d", "av1")}


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded frame. ``show`` False: its references were lost, keep the last good picture on the screen."""

    arrival: Arrival
    frame: VideoFrame
    show: bool
    decoded_ns: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of one access unit: its pictures, none if it was broken. ``seconds`` in the decoder."""

    arrival: Arrival
    pictures: tuple[Picture, ...]
    seconds: float
    failed: bool


class VideoDecoder:
    """Decodes in order. ``done`` is called on the decoder's thread and must not block."""

    def __init__(self, codec: VideoCodec, done: Callable[[Decoded], None]) -> None:
        """Raises ``ClientError`` when PyAV cannot decode the codec."""
        self._context = _open(codec)
        self._done = done
        self._queue: deque[tuple[Arrival, bool]] = deque()
        self._condition = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="punktfunk decoder", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """Access units that wait."""
        return len(self._queue)

    def put(self, arrival: Arrival, *, show: bool) -> bool:
        """Queue an access unit; False and nothing queued when ``MAX_QUEUED_FRAMES`` wait."""
        with self._condition:
            if len(self._queue) >= MAX_QUEUED_FRAMES:
                return False
            self._queue.append((arrival, show))
            self._condition.notify()
        return True

    def flush(self) -> None:
        """Drop what waits."""
        with self._condition:
            self._queue.clear()

    def close(self) -> None:
        """End the thread; safe to repeat."""
        with self._condition:
            self._closing = True
            self._queue.clear()
            self._condition.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(2.0)

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._queue and not self._closing:
                    self._condition.wait()
                if self._closing:
                    return
                arrival, show = self._queue.popleft()
            self._done(self._decode(arrival, show))

    def _decode(self, arrival: Arrival, show: bool) -> Decoded:
        started = time.monotonic()
        frames: list[VideoFrame] = []
        failed = False
        try:
            frames = self._context.decode(av.Packet(arrival.unit.data))
        except (FFmpegError, ValueError):
            failed = True
        seconds, decoded_ns = time.monotonic() - started, time.time_ns()
        pictures = tuple(Picture(arrival, frame, show and not frame.is_corrupt, decoded_ns) for frame in frames)
        return Decoded(arrival, pictures, seconds, failed)


def _open(codec: VideoCodec) -> av.VideoCodecContext:
    for name in _DECODERS.get(codec, ()):
        try:
            context = cast(av.VideoCodecContext, av.CodecContext.create(name, "r"))
        except (FFmpegError, ValueError):
            continue
        # Frame threads would each hold a picture back.
        context.thread_type = "SLICE"
        context.thread_count = 0
        context.flags |= Flags.low_delay
        return context
    raise ClientError(f"this machine cannot decode {codec.name or codec}")
