"""Frames from the encoder to the client's video port: numbering, pacing, sending, and what it cost."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from punktfunk.gamestream.video import DatagramBatch, FrameType, VideoPacketizer
from punktfunk.gamestream.video_blocks import FrameTooLarge
from punktfunk.media.frames import EncodedFrame, FrameKind
from punktfunk.wire.latency import LatencyWindow
from punktfunk.wire.pacing import schedule
from punktfunk.wire.udp import Address, BatchSender, SendStatistics

_FRAME_TYPES = {
    FrameKind.KEY: FrameType.IDR,
    FrameKind.DELTA: FrameType.PREDICTED,
    FrameKind.RECOVERY: FrameType.AFTER_INVALIDATION,
}


@dataclass(slots=True)
class VideoStatistics:
    """What became of the frames. ``added_latency`` is capture to last packet, less the encoder's own time."""

    frames_sent: int = 0
    frames_dropped: int = 0
    frames_too_large: int = 0
    added_latency: LatencyWindow = field(default_factory=LatencyWindow)
    datagrams: SendStatistics = field(default_factory=SendStatistics)


class VideoSender:
    """Sends access units of one stream through a socket that the caller owns.

    ``send`` runs in the encoder's callback thread and does everything there, waits included, with no queue: a 1080p
    frame of 42 kB takes about 0.1 ms, and only what lies beyond a frame's first 128 KiB is paced, over at most 90 % of
    the time left until the next capture is due. So the thread is always back before the encoder has more for it. A
    sender thread would add a hand-over (50 to 100 µs) to every frame to save a wait that few frames have.
    """

    def __init__(
        self,
        sock: socket.socket,
        packetizer: VideoPacketizer,
        frame_interval_ns: int,
        request_keyframe: Callable[[], None],
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._packetizer = packetizer
        self._datagrams = BatchSender(sock)
        self._frame_interval_ns = frame_interval_ns
        self._request_keyframe = request_keyframe
        self._clock = clock
        self._sleep = sleep
        self._endpoint: Address | None = None
        self._needs_key = True
        self._key_requested = False
        self.statistics = VideoStatistics(datagrams=self._datagrams.statistics)

    @property
    def datagrams(self) -> SendStatistics:
        """What the socket took."""
        return self.statistics.datagrams

    @property
    def added_latency(self) -> LatencyWindow:
        """Capture to last packet, less the encoder's own time."""
        return self.statistics.added_latency

    def set_endpoint(self, address: Address) -> None:
        """Where the next frame goes: the source of the client's video ping. From any thread, at any time."""
        self._endpoint = address

    def send(self, frame: EncodedFrame) -> int | None:
        """Send one frame and return its index on the wire; None when it was dropped, which uses no number.

        Frames are dropped until there is an endpoint, and from then on (or after a frame that does not fit the
        protocol) until a keyframe comes, which is requested once.
        """
        endpoint = self._endpoint
        if endpoint is None or not self._decodable(frame.kind):
            self.statistics.frames_dropped += 1
            return None
        try:
            batch = self._packetize(frame)
        except FrameTooLarge:
            self.statistics.frames_too_large += 1
            self.statistics.frames_dropped += 1
            self._needs_key = True
            self._request_keyframe()
            self._key_requested = True
            return None
        self._needs_key = self._key_requested = False
        self._send_paced(batch, endpoint, frame.capture_ns + self._frame_interval_ns)
        self.statistics.frames_sent += 1
        encoding_ns = frame.encoded_ns - frame.encode_start_ns
        self.statistics.added_latency.add(self._clock() - frame.capture_ns - encoding_ns)
        return batch.frame_index

    def _decodable(self, kind: FrameKind) -> bool:
        if kind is FrameKind.KEY or not self._needs_key:
            return True
        if not self._key_requested:
            self._key_requested = True
            self._request_keyframe()
        return False

    def _packetize(self, frame: EncodedFrame) -> DatagramBatch:
        latency_tenths_ms = max(1, (self._clock() - frame.capture_ns) // 100_000)
        timestamp = self._packetizer.numbers.rtp_timestamp(frame.capture_ns)
        return self._packetizer.packetize(frame.data, _FRAME_TYPES[frame.kind], latency_tenths_ms, timestamp)

    def _send_paced(self, batch: DatagramBatch, endpoint: Address, next_frame_ns: int) -> None:
        size = batch.datagram_bytes
        for chunk in schedule(batch.count, size, self._clock(), next_frame_ns):
            wait_ns = chunk.due_ns - self._clock()
            if wait_ns > 0:
                self._sleep(wait_ns / 1e9)
            last = chunk.first + chunk.datagrams
            self._datagrams.send(batch.data[chunk.first * size : last * size], size, endpoint)
