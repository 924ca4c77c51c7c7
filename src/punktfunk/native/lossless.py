"""Whether the desktop's sound goes out as plain samples, and in packets of what length (punktfunk1.md §8.4)."""

from __future__ import annotations

from punktfunk.media.opus import SAMPLE_RATE_HZ
from punktfunk.media.pcm import FULL_SCALE
from punktfunk.native.audio_sender import MAX_PCM_BYTES
from punktfunk.wire.punktfunk1.caps import ClientCaps
from punktfunk.wire.punktfunk1.hello import Hello
from punktfunk.wire.punktfunk1.welcome import PcmAudio

FRAME_LENGTHS_US = (5000, 4000, 3000, 2500, 2000, 1500, 1000)
MAX_VIDEO_SHARE = 0.25


def lossless_audio(hello: Hello, channels: int, video_kbps: int) -> PcmAudio | None:
    """The format for a client that asks for one; None: Opus. A session's sink runs at 48 kHz, and samples that were
    converted to another rate would be no more than Opus is."""
    rate_hz, bits = hello.audio_rate_hz, hello.audio_bits
    if ClientCaps.AUDIO_HIRES not in hello.client_caps or rate_hz != SAMPLE_RATE_HZ or bits not in FULL_SCALE:
        return None
    if rate_hz * channels * bits > video_kbps * 1000 * MAX_VIDEO_SHARE:
        return None
    for frame_us in FRAME_LENGTHS_US:
        if rate_hz * frame_us // 1_000_000 * channels * bits // 8 <= MAX_PCM_BYTES:
            return PcmAudio(rate_hz, bits, frame_us)
    return None
