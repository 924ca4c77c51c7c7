"""What the encoders are to produce: display mode, video and audio plans, neutral between the protocols."""

from __future__ import annotations

import msgspec

from punktfunk.media.frames import Codec


class Mode(msgspec.Struct, frozen=True):
    """A display mode: pixels and refresh rate in thousandths of a hertz."""

    width: int
    height: int
    refresh_mhz: int

    @property
    def refresh_hz(self) -> float:
        """Refresh rate in hertz."""
        return self.refresh_mhz / 1000

    def __str__(self) -> str:
        return f"{self.width}x{self.height}@{self.refresh_hz:g}"


class VideoPlan(msgspec.Struct, frozen=True):
    """What the encoder is to produce. ``max_reference_frames`` 0 = no limit; ``color_space``: bt601, bt709, bt2020."""

    mode: Mode
    codec: Codec = Codec.H264
    bitrate_kbps: int = 20_000
    bit_depth: int = 8
    chroma_444: bool = False
    full_range: bool = False
    color_space: str = "bt709"
    hdr: bool = False
    slices_per_frame: int = 1
    max_reference_frames: int = 0


class AudioPlan(msgspec.Struct, frozen=True):
    """An Opus (multistream) layout, or plain samples of ``pcm_bits`` (16, 24). Channel order FL FR FC LFE BL BR SL SR;
    ``packet_ms`` is 5 or 10 and holds for Opus, ``pcm_packet_us`` for samples."""

    channels: int = 2
    streams: int = 1
    coupled: int = 1
    mapping: tuple[int, ...] = (0, 1)
    bitrate_bps: int = 96_000
    packet_ms: int = 5
    pcm_bits: int = 0
    pcm_packet_us: int = 0

    @property
    def packet_us(self) -> int:
        """Length of a packet."""
        return self.pcm_packet_us if self.pcm_bits else 1000 * self.packet_ms
