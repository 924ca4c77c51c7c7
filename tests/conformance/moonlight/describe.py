"""What the host offers in DESCRIBE, and the ANNOUNCE text that takes it up (gamestream.md §3.5, §3.6, §5.1)."""

import re
from dataclasses import dataclass

from .options import CHANNEL_MASKS, PROFILE_BITS, Codec, CodecSupport, Encryption, StreamOptions
from .violations import Violations

VIDEO_ENCRYPTION_BYTES = 32
AUDIO_ENCRYPTION_FEATURE = 0x20
GENERAL_FEATURES = 0x87
CLIENT_FEATURES = 3
MAX_LEGACY_KBPS = 100000


@dataclass(frozen=True)
class OpusLayout:
    channels: int
    streams: int
    coupled: int
    mapping: tuple[int, ...]


@dataclass(frozen=True)
class Capabilities:
    """The lines of the DESCRIBE body that a client looks at."""

    feature_flags: int
    encryption_supported: Encryption
    encryption_requested: Encryption
    rfi: bool
    hevc: bool
    av1: bool
    surround_params: tuple[str, ...]

    @classmethod
    def parse(cls, body: str) -> "Capabilities":
        return cls(
            feature_flags=_number(body, "a=x-ss-general.featureFlags:"),
            encryption_supported=Encryption(_number(body, "a=x-ss-general.encryptionSupported:") & 7),
            encryption_requested=Encryption(_number(body, "a=x-ss-general.encryptionRequested:") & 7),
            rfi="x-nv-video[0].refPicInvalidation" in body,
            hevc="sprop-parameter-sets=AAAAAU" in body,
            av1="AV1/90000" in body,
            surround_params=tuple(re.findall(r"surround-params=(\d+)", body)),
        )


def check_capabilities(offer: Capabilities, support: CodecSupport, violations: Violations) -> None:
    """Rules between DESCRIBE and ``ServerCodecModeSupport``, and of the Opus lines."""
    for name, offered, prefix in (("hevc", offer.hevc, "HEVC"), ("av1", offer.av1, "AV1")):
        in_mask = any(bit in support for bit in CodecSupport if (bit.name or "").startswith(prefix))
        if offered != in_mask:
            violations.add("describe.codec-mismatch", f"{name}: DESCRIBE {offered}, serverinfo {in_mask}")
    if offer.encryption_requested & ~offer.encryption_supported:
        violations.add("describe.encryption", "requests what it does not support")
    for line in offer.surround_params:
        if not _valid_layout(line):
            violations.add("describe.surround-params", line)
    for channels in (6, 8):
        lines = [line for line in offer.surround_params if line.startswith(str(channels))]
        if len(lines) < 2:
            violations.add("describe.surround-lines", f"{len(lines)} lines for {channels} channels")


def _valid_layout(line: str) -> bool:
    if len(line) < 4:
        return False
    channels, streams, coupled, *mapping = map(int, line)
    return len(mapping) == channels and streams >= coupled and sorted(mapping) == list(range(streams + coupled))


def opus_layout(offer: Capabilities, channels: int, high_quality: bool) -> OpusLayout | None:
    """The layout a client decodes with; None where a real client gives up."""
    if channels == 2:
        return OpusLayout(2, 1, 1, (0, 1))
    lines = [line for line in offer.surround_params if line.startswith(str(channels))]
    if not lines:
        return OpusLayout(6, 4, 2, (0, 4, 1, 5, 2, 3)) if channels == 6 else None
    high = high_quality and len(lines) > 1
    count, streams, coupled, *mapping = map(int, lines[1 if high else 0])
    if not high:
        mapping = [*mapping[:3], mapping[-1], *mapping[3:-1]]
    return OpusLayout(count, streams, coupled, tuple(mapping))


@dataclass(frozen=True)
class Agreement:
    """What client and host settled on."""

    codec: Codec
    bits_per_sample: int
    chroma444: bool
    encryption: Encryption
    packet_size: int
    rfi: bool
    layout: OpusLayout
    high_quality_surround: bool


def agree(offer: Capabilities, support: CodecSupport, options: StreamOptions, layout: OpusLayout) -> Agreement:
    codec = Codec.H264
    if Codec.AV1 in options.codecs and offer.av1:
        codec = Codec.AV1
    elif Codec.HEVC in options.codecs and offer.hevc:
        codec = Codec.HEVC
    bits, chroma444 = _profile(codec, support, options)
    encryption = options.encryption & Encryption.CONTROL & offer.encryption_supported
    for bit in (Encryption.VIDEO, Encryption.AUDIO):
        if bit in offer.encryption_supported and (bit in options.encryption or bit in offer.encryption_requested):
            encryption |= bit
    lines = [line for line in offer.surround_params if line.startswith(str(options.channels))]
    return Agreement(
        codec=codec,
        bits_per_sample=bits,
        chroma444=chroma444,
        encryption=encryption,
        packet_size=options.packet_size - (VIDEO_ENCRYPTION_BYTES if Encryption.VIDEO in encryption else 0),
        rfi=options.rfi and offer.rfi,
        layout=layout,
        high_quality_surround=options.channels > 2 and options.wants_high_quality_audio and len(lines) > 1,
    )


def _profile(codec: Codec, support: CodecSupport, options: StreamOptions) -> tuple[int, bool]:
    wanted = [
        (bits, chroma)
        for bits, chroma in ((10, True), (10, False), (8, True), (8, False))
        if bits <= options.bits_per_sample and (options.chroma444 or not chroma)
    ]
    for bits, chroma in wanted:
        bit = PROFILE_BITS.get((codec, bits, chroma))
        if bit is not None and bit in support:
            return bits, chroma
    return 8, False


def announce_body(agreement: Agreement, options: StreamOptions, address: str) -> str:
    """The ANNOUNCE text in the order a stock client writes it."""
    attributes = {**_video(agreement, options), **_rest(agreement, options)}
    for name, value in options.announce_overrides.items():
        if value is None:
            attributes.pop(name, None)
        else:
            attributes[name] = value
    lines = [
        "v=0",
        f"o=android 0 14 IN IPv{6 if ':' in address else 4} {address}",
        "s=NVIDIA Streaming Client",
        *(f"a={name}:{value} " for name, value in attributes.items()),
        "t=0 0",
        "m=video 47998  ",
    ]
    return "\r\n".join(lines) + "\r\n"


def _video(agreement: Agreement, options: StreamOptions) -> dict[str, str]:
    legacy_kbps = min(options.bitrate_kbps * 8 // 10, MAX_LEGACY_KBPS)
    video = "x-nv-video[0]."
    return {
        "x-ml-general.featureFlags": str(CLIENT_FEATURES),
        "x-ss-general.encryptionEnabled": str(int(agreement.encryption)),
        "x-ss-video[0].chromaSamplingType": str(int(agreement.chroma444)),
        video + "clientViewportWd": str(options.width),
        video + "clientViewportHt": str(options.height),
        video + "maxFPS": str(options.fps),
        video + "packetSize": str(agreement.packet_size),
        video + "rateControlMode": "4",
        video + "timeoutLengthMs": "7000",
        video + "framesWithInvalidRefThreshold": "0",
        video + "initialBitrateKbps": str(legacy_kbps),
        video + "initialPeakBitrateKbps": str(legacy_kbps),
        "x-nv-vqos[0].bw.minimumBitrateKbps": str(legacy_kbps),
        "x-nv-vqos[0].bw.maximumBitrateKbps": str(legacy_kbps),
        "x-ml-video.configuredBitrateKbps": str(options.bitrate_kbps),
    }


def _rest(agreement: Agreement, options: StreamOptions) -> dict[str, str]:
    audio_encrypted = Encryption.AUDIO in agreement.encryption
    support_hevc = {Codec.H264: {"x-nv-clientSupportHevc": "0"}, Codec.HEVC: {"x-nv-clientSupportHevc": "1"}}
    return {
        "x-nv-vqos[0].fec.enable": "1",
        "x-nv-vqos[0].videoQualityScoreUpdateTime": "5000",
        "x-nv-vqos[0].qosTrafficType": "0" if options.remote else "5",
        "x-nv-aqos.qosTrafficType": "0" if options.remote else "4",
        "x-nv-general.featureFlags": str(GENERAL_FEATURES | (AUDIO_ENCRYPTION_FEATURE if audio_encrypted else 0)),
        "x-nv-general.useReliableUdp": "13",
        "x-nv-vqos[0].fec.minRequiredFecPackets": str(options.min_fec_packets),
        "x-nv-vqos[0].bllFec.enable": "0",
        "x-nv-vqos[0].drc.enable": "0",
        "x-nv-general.enableRecoveryMode": "0",
        "x-nv-video[0].videoEncoderSlicesPerFrame": str(options.slices),
        **support_hevc.get(agreement.codec, {}),
        "x-nv-vqos[0].bitStreamFormat": str(agreement.codec.wire),
        "x-nv-video[0].dynamicRangeMode": str(int(agreement.bits_per_sample == 10)),
        "x-nv-video[0].maxNumReferenceFrames": "0" if agreement.rfi else "1",
        "x-nv-video[0].clientRefreshRateX100": str(options.refresh_x100),
        "x-nv-audio.surround.numChannels": str(options.channels),
        "x-nv-audio.surround.channelMask": str(CHANNEL_MASKS[options.channels]),
        "x-nv-audio.surround.enable": str(int(options.channels > 2)),
        "x-nv-audio.surround.AudioQuality": str(int(agreement.high_quality_surround)),
        "x-nv-aqos.packetDuration": str(options.packet_ms),
        "x-nv-video[0].encoderCscMode": str(options.colour_space << 1 | int(options.full_range)),
    }


def _number(body: str, prefix: str) -> int:
    found = re.search(re.escape(prefix) + r"(\d+)", body)
    return int(found[1]) if found else 0
