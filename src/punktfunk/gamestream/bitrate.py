"""The encoder's bitrate from what the user set in the client (gamestream.md §8.6)."""

from __future__ import annotations


def encoder_bitrate_kbps(configured_kbps: int, *, fec_percentage: int, channels: int, high_quality_audio: bool) -> int:
    """What is left of ``configured_kbps`` for video after parity, audio and overhead."""
    kbps = configured_kbps
    if fec_percentage <= 80:
        kbps = kbps * (100 - fec_percentage) // 100
    kbps -= min((256 if high_quality_audio else 96) * channels, kbps // 5)
    return kbps - min(500, kbps // 10)
