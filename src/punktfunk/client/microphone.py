"""Sound of this side to the host's virtual microphone (punktfunk1.md §8.6). Sans-IO: packets go to ``send``."""

from __future__ import annotations

from collections.abc import Callable

from punktfunk.client.opus import MICROPHONE_SAMPLES, SAMPLE_RATE_HZ, VoiceEncoder
from punktfunk.wire.punktfunk1.audio import MicrophoneFrame, encode_audio

MAX_PENDING_BYTES = 2 * SAMPLE_RATE_HZ
"""One second of samples in one call at most; the rest is dropped."""
_PACKET_BYTES = 2 * MICROPHONE_SAMPLES
_PACKET_NS = MICROPHONE_SAMPLES * 1_000_000_000 // SAMPLE_RATE_HZ


class Microphone:
    """Mono 16-bit samples at 48 kHz in any portions; a packet for each full 10 ms. Nothing is sent while muted."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        """Raises ``OpusError`` without libopus."""
        self.muted = False
        self.packets = 0
        self._send = send
        self._encoder = VoiceEncoder()
        self._pending = bytearray()

    def write(self, samples: bytes, wall_ns: int) -> None:
        """Samples that end at ``wall_ns`` of this machine's clock."""
        if self.muted:
            self._pending.clear()
            return
        self._pending += samples[:MAX_PENDING_BYTES]
        waiting = len(self._pending) // _PACKET_BYTES
        for behind in range(waiting, 0, -1):
            packet = self._encoder.encode(bytes(self._pending[:_PACKET_BYTES]))
            del self._pending[:_PACKET_BYTES]
            frame = MicrophoneFrame(self.packets & 0xFFFF_FFFF, wall_ns - behind * _PACKET_NS, packet)
            self._send(encode_audio(frame))
            self.packets += 1

    def close(self) -> None:
        """Free the encoder."""
        self._encoder.close()
