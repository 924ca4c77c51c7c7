"""Decoding a voice stream through libopus, lost packets concealed (punktfunk1.md §8.6)."""

from __future__ import annotations

import ctypes

from punktfunk.media.opus import SAMPLE_RATE_HZ, OpusError, libopus

MAX_PACKET_SAMPLES = 5760
"""120 ms, the most that one Opus packet holds."""
_FRAME_US = (
    *(10_000, 20_000, 40_000, 60_000) * 3,
    *(10_000, 20_000) * 2,
    *(2500, 5000, 10_000, 20_000) * 4,
)
"""Frame length by the configuration number in a packet's first byte (RFC 6716 §3.1)."""


def packet_samples(payload: bytes) -> int:
    """How many samples a packet holds at 48 kHz; 0 for what is no Opus packet."""
    if not payload:
        return 0
    code = payload[0] & 3
    frames = 1 if code == 0 else 2
    if code == 3:
        frames = payload[1] & 0x3F if len(payload) > 1 else 0
    samples = frames * _FRAME_US[payload[0] >> 3] * SAMPLE_RATE_HZ // 1_000_000
    return samples if samples <= MAX_PACKET_SAMPLES else 0


class VoiceDecoder:
    """Opus packets of any length and channel count in, mono 16-bit samples at 48 kHz out."""

    def __init__(self) -> None:
        """Raises OpusError without libopus."""
        self._lib = libopus()
        self._output = (ctypes.c_int16 * MAX_PACKET_SAMPLES)()
        error = ctypes.c_int()
        self._handle: int | None = self._lib.opus_decoder_create(SAMPLE_RATE_HZ, 1, ctypes.byref(error))
        if not self._handle:
            raise OpusError(f"libopus refused the voice decoder (error {error.value})")

    def decode(self, payload: bytes) -> bytes:
        """The samples of one packet. Raises OpusError for what is none."""
        return self._run(payload, MAX_PACKET_SAMPLES, 0)

    def conceal(self, samples: int, following: bytes | None) -> bytes:
        """So many samples in place of a lost packet, from the copy in the packet behind it where there is one."""
        samples = max(120, min(MAX_PACKET_SAMPLES, samples // 120 * 120))
        return self._run(following, samples, 1 if following else 0)

    def close(self) -> None:
        """Free the decoder; safe to repeat."""
        handle, self._handle = self._handle, None
        if handle:
            self._lib.opus_decoder_destroy(handle)

    def _run(self, payload: bytes | None, samples: int, correction: int) -> bytes:
        size = len(payload) if payload else 0
        count = self._lib.opus_decode(self._handle, payload or None, size, self._output, samples, correction)
        if count < 0:
            raise OpusError(f"not an Opus packet (error {count})")
        return ctypes.string_at(self._output, 2 * count)
