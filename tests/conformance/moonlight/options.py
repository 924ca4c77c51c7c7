"""What a test asks of a stream, and how a stock client turns it into a request (gamestream.md §3.5, §3.6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum


class Codec(StrEnum):
    H264 = "h264"
    HEVC = "hevc"
    AV1 = "av1"

    @property
    def wire(self) -> int:
        """``x-nv-vqos[0].bitStreamFormat``."""
        return (Codec.H264, Codec.HEVC, Codec.AV1).index(self)


class Encryption(IntFlag):
    """Bits of ``encryptionEnabled``."""

    NONE = 0
    CONTROL = 1
    VIDEO = 2
    AUDIO = 4
    ALL = 7


class CodecSupport(IntFlag):
    """Bits of ``ServerCodecModeSupport`` (gamestream.md §2.3)."""

    H264 = 0x1
    HEVC_MAIN = 0x100
    HEVC_MAIN10 = 0x200
    AV1_MAIN8 = 0x10000
    AV1_MAIN10 = 0x20000
    H264_HIGH8_444 = 0x40000
    HEVC_REXT8_444 = 0x80000
    HEVC_REXT10_444 = 0x100000
    AV1_HIGH8_444 = 0x200000
    AV1_HIGH10_444 = 0x400000


PROFILE_BITS: Mapping[tuple[Codec, int, bool], CodecSupport] = {
    (Codec.H264, 8, False): CodecSupport.H264,
    (Codec.H264, 8, True): CodecSupport.H264_HIGH8_444,
    (Codec.HEVC, 8, False): CodecSupport.HEVC_MAIN,
    (Codec.HEVC, 10, False): CodecSupport.HEVC_MAIN10,
    (Codec.HEVC, 8, True): CodecSupport.HEVC_REXT8_444,
    (Codec.HEVC, 10, True): CodecSupport.HEVC_REXT10_444,
    (Codec.AV1, 8, False): CodecSupport.AV1_MAIN8,
    (Codec.AV1, 10, False): CodecSupport.AV1_MAIN10,
    (Codec.AV1, 8, True): CodecSupport.AV1_HIGH8_444,
    (Codec.AV1, 10, True): CodecSupport.AV1_HIGH10_444,
}
"""(codec, bits per sample, 4:4:4) to the bit that offers it."""

CHANNEL_MASKS = {2: 0x3, 6: 0x3F, 8: 0x63F}
HIGH_QUALITY_AUDIO_KBPS = 15000


@dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """One stream as the user of a stock client would set it up."""

    width: int = 1280
    height: int = 720
    fps: int = 60
    bitrate_kbps: int = 10000
    codecs: tuple[Codec, ...] = (Codec.H264,)
    """Codecs the decoder has. AV1 wins over HEVC, HEVC over H.264, when the host offers them."""
    ten_bit: bool = False
    hdr: bool = False
    chroma444: bool = False
    full_range: bool = False
    colour_space: int = 1
    """0 Rec 601, 1 Rec 709, 2 Rec 2020."""
    refresh_x100: int = 0
    slices: int = 1
    rfi: bool = False
    """The decoder can go on after reference invalidation; used only when the host advertises it."""
    packet_size: int = 1392
    """Before the 32 bytes that video encryption takes."""
    min_fec_packets: int = 2
    encryption: Encryption = Encryption.ALL
    """What the client wants. Without CONTROL the old control nonce is used."""
    channels: int = 2
    high_quality_audio: bool | None = None
    """None follows the bitrate as stock clients do."""
    packet_ms: int = 5
    surround_params: str = ""
    host_audio: bool = False
    continuous_audio: bool = False
    controllers: int = 0
    core_version: int = 1
    remote: bool = False
    """Declares no quality-of-service marking, as clients do outside private networks."""
    startup_input: bool = True
    """Send the haptics packet and the wake-up mouse wiggle."""
    launch_overrides: Mapping[str, str | None] = field(default_factory=dict)
    """Query parameters to replace, or with None to leave out: for negative tests."""
    announce_overrides: Mapping[str, str | None] = field(default_factory=dict)
    """ANNOUNCE attributes to replace, or with None to leave out: for negative tests."""

    lossless_path: bool = True
    """Gaps in sequence numbers before any impairment are the host's fault."""
    fec_proof_every: int = 16
    """Prove the parity of every n-th block by dropping and recovering shards; 0 never."""
    audio_discard_s: float = 0.5
    """Audio thrown away at the start, as stock clients do."""

    @property
    def wants_high_quality_audio(self) -> bool:
        if self.high_quality_audio is not None:
            return self.high_quality_audio
        return self.bitrate_kbps >= HIGH_QUALITY_AUDIO_KBPS

    @property
    def mode(self) -> str:
        return f"{self.width}x{self.height}x{self.fps}"

    @property
    def bits_per_sample(self) -> int:
        return 10 if self.ten_bit or self.hdr else 8

    @property
    def surround_audio_info(self) -> int:
        return CHANNEL_MASKS[self.channels] << 16 | self.channels
