"""Desktop audio into samples, whichever form the Welcome announced (punktfunk1.md §8), and into a WAV file."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from punktfunk.client.audio_order import AudioPacket
from punktfunk.client.opus import SAMPLE_RATE_HZ, OpusDecoder
from punktfunk.media.opus import OpusError
from punktfunk.wire.punktfunk1.welcome import Welcome


class SoundDecoder:
    """Packets in order to interleaved native floats. A broken or lost packet sounds like what was before."""

    def __init__(self, welcome: Welcome) -> None:
        """Raises ``OpusError`` when Opus is announced and libopus is missing."""
        self.channels = welcome.audio_channels
        self.rate_hz = welcome.audio.rate_hz if welcome.audio else SAMPLE_RATE_HZ
        self.failures = 0
        self._opus = None if welcome.audio else OpusDecoder(self.channels)
        self._bits = welcome.audio.bits if welcome.audio else 16
        frame_us = welcome.audio.frame_us if welcome.audio else 0
        self._frame_bytes = self.rate_hz * frame_us // 1_000_000 * self.channels * 4

    def decode(self, packet: AudioPacket) -> bytes:
        """The samples of one packet."""
        if self._opus is None:
            return self._pcm(packet.payload) if packet.payload else bytes(self._frame_bytes)
        try:
            return self._opus.decode(packet.payload)
        except OpusError:
            self.failures += 1
            return self._opus.decode(None)

    def close(self) -> None:
        """Free the decoder."""
        if self._opus is not None:
            self._opus.close()

    def _pcm(self, payload: bytes) -> bytes:
        if self._bits == 16:
            samples = np.frombuffer(payload[: len(payload) // 2 * 2], "<i2").astype(np.float32) / 32767
        else:
            triples = np.frombuffer(payload[: len(payload) // 3 * 3], np.uint8).reshape(-1, 3)
            words = np.zeros((len(triples), 4), np.uint8)
            words[:, 1:] = triples
            samples = (words.view("<i4")[:, 0] >> 8).astype(np.float32) / 8_388_607
        return samples.tobytes()


class WavWriter:
    """A 16-bit WAV file of everything written to it."""

    def __init__(self, path: Path, channels: int, rate_hz: int) -> None:
        """Raises OSError."""
        self._file = wave.open(str(path), "wb")  # noqa: SIM115 - closed by close()
        self._file.setnchannels(channels)
        self._file.setsampwidth(2)
        self._file.setframerate(rate_hz)

    def write(self, samples: bytes) -> None:
        """Interleaved native floats."""
        floats = np.frombuffer(samples, np.float32)
        self._file.writeframesraw((np.clip(floats, -1, 1) * 32767).astype("<i2").tobytes())

    def close(self) -> None:
        """Finish the file."""
        self._file.close()
