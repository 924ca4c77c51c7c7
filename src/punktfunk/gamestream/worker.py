"""Entry of a GameStream stream's worker process: how frames and Opus packets leave it."""

from __future__ import annotations

import sys

import msgspec

from punktfunk.gamestream.audio import AudioCipher, AudioPacketizer
from punktfunk.gamestream.audio_sender import AudioSender
from punktfunk.gamestream.numbers import AudioNumbers, VideoNumbers
from punktfunk.gamestream.transport import GameStreamTransport, SetFec
from punktfunk.gamestream.video import VideoPacketizer
from punktfunk.gamestream.video_sender import VideoSender
from punktfunk.media.plan import VideoPlan
from punktfunk.session.worker import PlaneSetup, run_worker
from punktfunk.wire.aead import BatchSealer

_AUDIO_NUMBERS_OFFSET = 1024


class GameStreamMedia:
    """Senders over the host's shared video and audio sockets."""

    def __init__(self) -> None:
        self._packetizer: VideoPacketizer | None = None

    def open(self, setup: PlaneSetup) -> tuple[VideoSender, AudioSender]:
        """The stream's senders; a replacement goes on in its predecessor's numbers."""
        transport = msgspec.msgpack.decode(setup.transport, type=GameStreamTransport)
        video_socket, audio_socket = setup.sockets
        video_numbers = VideoNumbers(setup.numbers)
        if setup.generation:
            video_numbers.take_over()
        packetizer = self._packetizer = VideoPacketizer(
            transport.packet_size,
            transport.fec_percentage,
            transport.min_fec_packets,
            BatchSealer(transport.video_key) if transport.video_key else None,
            video_numbers,
        )
        frame_interval_ns = 10**12 // setup.video.mode.refresh_mhz
        video = VideoSender(video_socket, packetizer, frame_interval_ns, setup.request_keyframe)
        cipher = AudioCipher(transport.audio_key, transport.audio_key_id) if transport.audio_key else None
        audio_numbers = AudioNumbers(setup.numbers[_AUDIO_NUMBERS_OFFSET:])
        return video, AudioSender(audio_socket, AudioPacketizer(transport.packet_ms, cipher, audio_numbers))

    def command(self, data: bytes) -> None:
        """Change the share of parity."""
        if self._packetizer is not None:
            self._packetizer.fec_percentage = msgspec.msgpack.decode(data, type=SetFec).percentage

    def reconfigured(self, video: VideoPlan) -> None:
        """GameStream clients start a new stream for another mode."""


if __name__ == "__main__":
    sys.exit(run_worker(GameStreamMedia()))
