"""Entry of a punktfunk/1 stream's worker process: how frames and Opus packets leave it."""

from __future__ import annotations

import sys
import threading

import msgspec

from punktfunk.media.plan import VideoPlan
from punktfunk.native.adaptive_fec import Protection
from punktfunk.native.audio_sender import AudioNumbers, NativeAudioSender
from punktfunk.native.numbers import VideoNumbers
from punktfunk.native.packetizer import Geometry, VideoPacketizer
from punktfunk.native.plane_messages import (
    NativeTransport,
    Report,
    RunProbe,
    SetFec,
    SetShardBytes,
    decode_command,
    encode,
)
from punktfunk.native.video_sender import NativeVideoSender
from punktfunk.session.worker import PlaneSetup, run_worker
from punktfunk.wire.punktfunk1.enums import FecScheme
from punktfunk.wire.punktfunk1.video import SealKey
from punktfunk.wire.udp import size_buffers

SEND_BUFFER_BYTES = 32 << 20
_AUDIO_NUMBERS_OFFSET = 1024


class NativeMedia:
    """Senders over the session's own data socket."""

    def __init__(self) -> None:
        self._video: NativeVideoSender | None = None

    def open(self, setup: PlaneSetup) -> tuple[NativeVideoSender, NativeAudioSender]:
        """The stream's senders; a replacement goes on in its predecessor's numbers, so that no nonce comes twice."""
        transport = msgspec.msgpack.decode(setup.transport, type=NativeTransport)
        (sock,) = setup.sockets
        size_buffers(sock, send_bytes=SEND_BUFFER_BYTES)

        def report(message: Report) -> None:
            setup.report(encode(message))

        numbers = VideoNumbers(setup.numbers)
        packetizer = VideoPacketizer(
            SealKey(transport.key, transport.salt, chacha=transport.chacha),
            Geometry(
                transport.shard_bytes,
                transport.max_data_shards,
                transport.fec_percent,
                FecScheme(transport.fec_scheme),
            ),
            numbers,
        )
        self._video = NativeVideoSender(
            sock,
            packetizer,
            numbers,
            _interval_ns(setup.video),
            setup.request_keyframe,
            report,
            wall_offset_ns=transport.wall_offset_ns,
            host_timing=transport.host_timing,
            frames=transport.frames,
        )
        audio = NativeAudioSender(
            AudioNumbers(setup.numbers[_AUDIO_NUMBERS_OFFSET:]),
            report,
            wall_offset_ns=transport.wall_offset_ns,
            redundant=transport.redundant_audio,
            pcm_packet_ns=1000 * transport.pcm_packet_us,
        )
        return self._video, audio

    def command(self, data: bytes) -> None:
        """A command of the supervisor's side."""
        video = self._video
        if video is None:
            return
        match decode_command(data):
            case SetFec(percent=percent, loss_ppm=loss_ppm):
                video.set_fec(Protection(percent, loss_ppm))
            case SetShardBytes(shard_bytes=shard_bytes):
                video.set_shard_bytes(shard_bytes)
            case RunProbe(target_kbps=kbps, duration_ms=ms):
                threading.Thread(target=video.run_probe, args=(kbps, ms), name="probe", daemon=True).start()

    def reconfigured(self, video: VideoPlan) -> None:
        """The stream goes on in another mode."""
        if self._video is not None:
            self._video.frame_interval_ns = _interval_ns(video)


def _interval_ns(video: VideoPlan) -> int:
    return 10**12 // video.mode.refresh_mhz


if __name__ == "__main__":
    sys.exit(run_worker(NativeMedia()))
