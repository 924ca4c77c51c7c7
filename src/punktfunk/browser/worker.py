"""Entry of a browser stream's worker process: access units and Opus packets become messages for the page."""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Callable

from punktfunk.browser.codec_name import codec_name
from punktfunk.browser.reports import MAX_FRAME_BYTES, audio_part, video_parts
from punktfunk.browser.wire import KEYFRAME_FLAG, RECOVERY_FLAG, Audio, Video, encode
from punktfunk.media.frames import EncodedFrame, FrameKind, OpusPacket
from punktfunk.media.plan import VideoPlan
from punktfunk.session.messages import Address
from punktfunk.session.worker import PlaneSetup, run_worker
from punktfunk.wire.latency import LatencyWindow
from punktfunk.wire.udp import SendStatistics

_FLAGS = {FrameKind.KEY: KEYFRAME_FLAG, FrameKind.DELTA: 0, FrameKind.RECOVERY: RECOVERY_FLAG}
_U32 = 0xFFFF_FFFF


class SharedCounters:
    """Next frame and next audio packet, in memory that outlives the worker: a replacement goes on in it."""

    def __init__(self, storage: memoryview) -> None:
        self._words = storage.cast("B")[: struct.calcsize("QQ")].cast("Q")

    def take_frame(self) -> int:
        """The number of the next frame, u32."""
        return self._take(0)

    def take_packet(self) -> int:
        """The number of the next audio packet, u32."""
        return self._take(1)

    def _take(self, index: int) -> int:
        number = self._words[index]
        self._words[index] = number + 1
        return number & _U32


class BrowserVideoSender:
    """Reports each access unit as a VIDEO message. ``send`` runs on the encoder's thread; while the supervisor takes
    nothing it blocks, and the encoder waits with it."""

    def __init__(
        self,
        plan: VideoPlan,
        counters: SharedCounters,
        report: Callable[[bytes], None],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.plan = plan
        self._counters = counters
        self._report = report
        self._clock = clock
        self.datagrams = SendStatistics()
        self.added_latency = LatencyWindow()

    def set_endpoint(self, address: Address) -> None:
        """Pictures travel over the supervisor's connection; there is no other end."""

    def send(self, frame: EncodedFrame) -> int | None:
        """Report one frame and return its number; None when it is too large for any page."""
        if len(frame.data) > MAX_FRAME_BYTES:
            return None
        index = self._counters.take_frame()
        keyframe = frame.kind is FrameKind.KEY
        message = encode(
            Video(
                _FLAGS[frame.kind],
                index,
                frame.capture_ns // 1000,
                _us(frame.encode_start_ns - frame.capture_ns),
                _us(frame.encoded_ns - frame.encode_start_ns),
                codec_name(self.plan, frame.data) if keyframe else "",
                bytes(frame.data),
            )
        )
        for part in video_parts(message, keyframe=keyframe):
            self._report(part)
            self.datagrams.packets += 1
        self.datagrams.bytes += len(message)
        self.added_latency.add(self._clock() - frame.capture_ns - (frame.encoded_ns - frame.encode_start_ns))
        return index


class BrowserAudioSender:
    """Reports each Opus packet as an AUDIO message."""

    def __init__(self, counters: SharedCounters, report: Callable[[bytes], None]) -> None:
        self._counters = counters
        self._report = report

    def set_endpoint(self, address: Address) -> None:
        """Sound travels over the supervisor's connection."""

    def send(self, packet: OpusPacket) -> bool:
        """Send one packet."""
        message = Audio(self._counters.take_packet(), packet.capture_ns // 1000, bytes(packet.data))
        self._report(audio_part(encode(message)))
        return True


class BrowserMedia:
    """Senders that report to the supervisor, which owns the connection to the page."""

    def __init__(self) -> None:
        self._video: BrowserVideoSender | None = None

    def open(self, setup: PlaneSetup) -> tuple[BrowserVideoSender, BrowserAudioSender]:
        """The stream's senders; a replacement goes on in its predecessor's numbers."""
        counters = SharedCounters(setup.numbers)
        self._video = BrowserVideoSender(setup.video, counters, setup.report)
        return self._video, BrowserAudioSender(counters, setup.report)

    def command(self, data: bytes) -> None:
        """The supervisor's side has nothing to say to the senders."""

    def reconfigured(self, video: VideoPlan) -> None:
        """The stream goes on in another mode."""
        if self._video is not None:
            self._video.plan = video


def _us(duration_ns: int) -> int:
    return max(0, min(_U32, duration_ns // 1000))


if __name__ == "__main__":
    sys.exit(run_worker(BrowserMedia()))
