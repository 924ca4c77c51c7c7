"""Frames from the encoder to the client's data port: numbering, sealing, pacing, and what it cost."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from punktfunk.media.frames import EncodedFrame, FrameKind
from punktfunk.native.adaptive_fec import Protection
from punktfunk.native.numbers import VideoNumbers
from punktfunk.native.packetizer import FrameTag, OutgoingFrame, VideoPacketizer
from punktfunk.native.plane_messages import FrameSent, LastFrameSent, ProbeDone, Report, SendDatagram
from punktfunk.native.speed_test import ProbeBurst
from punktfunk.wire.latency import LatencyWindow
from punktfunk.wire.pacing import schedule
from punktfunk.wire.punktfunk1.datagrams import HostTiming, encode_datagram
from punktfunk.wire.punktfunk1.messages import ProbeRequest
from punktfunk.wire.punktfunk1.verification import verification_frame
from punktfunk.wire.punktfunk1.video import FrameFlags
from punktfunk.wire.udp import Address, BatchSender, SendStatistics

_FLAGS = {
    FrameKind.KEY: FrameFlags.PICTURE | FrameFlags.KEYFRAME,
    FrameKind.DELTA: FrameFlags.PICTURE,
    FrameKind.RECOVERY: FrameFlags.PICTURE | FrameFlags.RECOVERY_ANCHOR,
}


@dataclass(slots=True)
class VideoStatistics:
    """What became of the frames. ``added_latency`` is capture to last packet, less the encoder's own time."""

    frames_sent: int = 0
    frames_dropped: int = 0
    added_latency: LatencyWindow = field(default_factory=LatencyWindow)


class NativeVideoSender:
    """Sends one session's access units through its connected data socket.

    ``send`` runs in the encoder's callback thread and does everything there, as GameStream's sender does and for the
    same reason. A speed test has a thread of its own: while it runs, frames are dropped unnumbered, and the first frame
    behind it is a keyframe.
    """

    def __init__(
        self,
        sock: socket.socket,
        packetizer: VideoPacketizer,
        numbers: VideoNumbers,
        frame_interval_ns: int,
        request_keyframe: Callable[[], None],
        report: Callable[[Report], None],
        *,
        wall_offset_ns: int = 0,
        host_timing: bool = False,
        frames: int = 0,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._packetizer = packetizer
        self._numbers = numbers
        self._out = BatchSender(sock)
        self.frame_interval_ns = frame_interval_ns
        self._request_keyframe = request_keyframe
        self._report = report
        self._wall_offset_ns = wall_offset_ns
        self._host_timing = host_timing
        self._frames = frames
        self._clock = clock
        self._sleep = sleep
        self._sending = threading.Lock()
        self._open = False
        self._needs_key = True
        self._key_requested = False
        self._last_pts_ns = 0
        self.statistics = VideoStatistics()

    @property
    def datagrams(self) -> SendStatistics:
        """What the socket took."""
        return self._out.statistics

    @property
    def added_latency(self) -> LatencyWindow:
        """Capture to last packet, less the encoder's own time."""
        return self.statistics.added_latency

    def set_endpoint(self, address: Address) -> None:
        """The socket is connected; ``address`` says nothing new, but now frames may leave."""
        self._open = True

    def set_fec(self, protection: Protection) -> None:
        """Recovery shards from the next frame on. From any thread."""
        self._packetizer.protection = protection

    def set_shard_bytes(self, shard_bytes: int) -> None:
        """Shard size from the next frame on. From any thread."""
        with self._sending:
            self._packetizer.resize(shard_bytes)

    def send(self, frame: EncodedFrame) -> int | None:
        """Send one frame and return its index on the wire; None when it was dropped, which uses no number."""
        if not self._sending.acquire(blocking=False):
            self._needs_key = True
            self.statistics.frames_dropped += 1
            return None
        try:
            if not self._open or not self._decodable(frame.kind):
                self.statistics.frames_dropped += 1
                return None
            return self._send(frame)
        finally:
            self._sending.release()

    def run_probe(self, target_kbps: int, duration_ms: int) -> None:
        """Send a speed test's filler; blocks until it is over and reported (§5.12)."""
        with self._sending:
            burst = ProbeBurst(ProbeRequest(target_kbps, duration_ms), self._clock() / 1e9)
            while not burst.finished(self._clock() / 1e9):
                wait_s = burst.due_in(self._clock() / 1e9)
                if wait_s > 0:
                    self._sleep(wait_s)
                    continue
                filler = self._packetizer.probe(burst.filler_bytes, self._next_pts(self._clock()))
                sent = self._send_at_once(filler, filler.datagrams)
                burst.sent(filler.datagrams, filler.datagrams - sent)
            result = burst.result(self._clock() / 1e9)
            self._needs_key = True
        self._report(
            ProbeDone(
                result.bytes_sent,
                result.access_units,
                result.duration_ms,
                result.wire_packets_sent or 0,
                result.send_dropped or 0,
            )
        )

    def _decodable(self, kind: FrameKind) -> bool:
        if kind is FrameKind.KEY or not self._needs_key:
            self._needs_key = self._key_requested = False
            return True
        if not self._key_requested:
            self._key_requested = True
            self._request_keyframe()
        return False

    def _send(self, frame: EncodedFrame) -> int:
        index = self._numbers.next_frame()
        pts_ns = self._next_pts(frame.capture_ns)
        # A client that is told a number of frames checks their bytes instead of decoding them.
        data = verification_frame(index) if self._frames else frame.data
        outgoing = self._packetizer.packets(data, FrameTag(pts_ns, index, _FLAGS[frame.kind]))
        self._send_paced(outgoing, frame.capture_ns + self.frame_interval_ns)
        done_ns = self._clock()
        self.statistics.frames_sent += 1
        self.statistics.added_latency.add(done_ns - frame.capture_ns - (frame.encoded_ns - frame.encode_start_ns))
        if frame.kind is not FrameKind.DELTA:
            self._report(FrameSent(index, frame.kind is FrameKind.KEY))
        if self._host_timing:
            self._report(SendDatagram(encode_datagram(_timing(frame, pts_ns, done_ns))))
        if self._frames and index + 1 >= self._frames:
            self._open = False
            self._report(LastFrameSent())
        return index

    def _next_pts(self, capture_ns: int) -> int:
        """Wall clock of a capture; unique, because host timings name frames by it (§5.9)."""
        self._last_pts_ns = max(capture_ns + self._wall_offset_ns, self._last_pts_ns + 1)
        return self._last_pts_ns

    def _send_paced(self, frame: OutgoingFrame, next_frame_ns: int) -> None:
        for chunk in schedule(frame.datagrams, frame.datagram_bytes, self._clock(), next_frame_ns):
            wait_ns = chunk.due_ns - self._clock()
            if wait_ns > 0:
                self._sleep(wait_ns / 1e9)
            self._send_at_once(frame, chunk.datagrams)

    def _send_at_once(self, frame: OutgoingFrame, count: int) -> int:
        sent = 0
        while count > 0:
            run = frame.read(count)
            count -= len(run) // frame.datagram_bytes
            sent += self._out.send(run, frame.datagram_bytes)
        return sent


def _timing(frame: EncodedFrame, pts_ns: int, done_ns: int) -> HostTiming:
    return HostTiming(
        pts_ns,
        _us(done_ns - frame.capture_ns),
        _us(frame.encode_start_ns - frame.capture_ns),
        _us(frame.encoded_ns - frame.encode_start_ns),
        _us(done_ns - frame.encoded_ns),
    )


def _us(duration_ns: int) -> int:
    return max(0, min(0xFFFF_FFFF, duration_ns // 1000))
