"""From a client's ANNOUNCE to the plan of a stream: neutral video and audio plans plus the facts of this transport."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from punktfunk.gamestream.audio_layouts import audio_plan
from punktfunk.gamestream.bitrate import encoder_bitrate_kbps
from punktfunk.gamestream.launch import LaunchRequest, StreamRefused
from punktfunk.gamestream.sdp import StreamRequest
from punktfunk.gamestream.serverinfo import CodecSupport
from punktfunk.media.frames import Codec
from punktfunk.media.plan import AudioPlan, Mode, VideoPlan

MIN_BITRATE_KBPS = 100
MAX_SLICES = 32
MAX_REFRESH_HZ = 1000
_CODECS = (Codec.H264, Codec.HEVC, Codec.AV1)
_COLOR_SPACES = ("bt601", "bt709", "bt2020")
_THOUSANDTHS_ABOVE = 4000
_LEGACY_AUDIO_ENCRYPTION = 0x20


class Encryption(enum.IntFlag):
    """``encryptionSupported``, ``encryptionRequested`` and ``encryptionEnabled`` (§3.5)."""

    NONE = 0
    CONTROL_V2 = 1
    VIDEO = 2
    AUDIO = 4


class HostFeatures(enum.IntFlag):
    """``x-ss-general.featureFlags`` of DESCRIBE."""

    NONE = 0
    PEN_AND_TOUCH = 1
    CONTROLLER_TOUCH_AND_MOTION = 2


class ClientFeatures(enum.IntFlag):
    """``x-ml-general.featureFlags`` of ANNOUNCE."""

    FRAME_FEC_STATUS = 1
    SESSION_ID_PINGS = 2


@dataclass(frozen=True, slots=True)
class StreamOffer:
    """What the host can do and insists on. ``codecs`` must be what ``/serverinfo`` says.

    ``reference_invalidation`` only where the encoder really does it. ``required`` encryption is refused with 403 when
    the client does not enable it; without control v2 the old scheme repeats nonces, so it is required by default.
    """

    codecs: CodecSupport
    reference_invalidation: bool = False
    features: HostFeatures = HostFeatures.PEN_AND_TOUCH | HostFeatures.CONTROLLER_TOUCH_AND_MOTION
    supported: Encryption = Encryption.CONTROL_V2 | Encryption.VIDEO | Encryption.AUDIO
    requested: Encryption = Encryption.CONTROL_V2
    required: Encryption = Encryption.CONTROL_V2
    fec_percentage: int = 20
    max_bitrate_kbps: int = 150_000


@dataclass(frozen=True, slots=True)
class TransportPlan:
    """The facts of the media transport. ``packet_size`` is already reduced for video encryption (§4.2)."""

    packet_size: int
    fec_percentage: int
    min_fec_packets: int
    encryption: Encryption
    client_features: ClientFeatures
    video_qos: bool
    audio_qos: bool
    intra_refresh: bool


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """Everything that ANNOUNCE settles."""

    video: VideoPlan
    audio: AudioPlan
    transport: TransportPlan


def plan_stream(request: StreamRequest, launch: LaunchRequest, offer: StreamOffer, host_header: str) -> StreamPlan:
    """Judge ``request`` by ``offer``. ``host_header`` is ANNOUNCE's Host, which carries the stereo quality (§3.6).

    Raises StreamRefused with 400 for a profile that is not offered, 403 for missing encryption.
    """
    high_quality = request.audio_quality == 1 if request.audio_channels > 2 else "0.0.0.0" not in host_header
    return StreamPlan(
        video=_video(request, launch, offer, high_quality),
        audio=audio_plan(
            request.audio_channels,
            high_quality=high_quality,
            packet_ms=request.packet_duration_ms,
            custom=launch.surround_params,
        ),
        transport=TransportPlan(
            packet_size=request.packet_size,
            fec_percentage=offer.fec_percentage,
            min_fec_packets=request.min_fec_packets,
            encryption=_encryption(request, offer),
            client_features=ClientFeatures(request.client_features & 3),
            video_qos=request.video_qos != 0,
            audio_qos=request.audio_qos != 0,
            intra_refresh=request.intra_refresh == 1,
        ),
    )


def _video(request: StreamRequest, launch: LaunchRequest, offer: StreamOffer, high_quality: bool) -> VideoPlan:
    codec, ten_bit, full_chroma = _CODECS[request.codec], request.dynamic_range == 1, request.chroma_sampling == 1
    profile = _profile(codec, ten_bit, full_chroma)
    if profile is None or not offer.codecs & profile:
        raise StreamRefused(400, f"This host does not encode {codec.value} in the requested profile")
    color_space = _COLOR_SPACES[request.csc_mode >> 1]
    return VideoPlan(
        mode=Mode(request.width, request.height, _refresh_mhz(request)),
        codec=codec,
        bitrate_kbps=_bitrate_kbps(request, offer, high_quality),
        bit_depth=10 if ten_bit else 8,
        chroma_444=full_chroma,
        full_range=request.csc_mode & 1 == 1,
        color_space="bt709" if color_space == "bt2020" and not ten_bit else color_space,
        hdr=ten_bit and launch.hdr,
        slices_per_frame=min(max(request.slices_per_frame, 1), MAX_SLICES),
        max_reference_frames=request.max_reference_frames,
    )


def _profile(codec: Codec, ten_bit: bool, full_chroma: bool) -> CodecSupport | None:
    """The bit that stands for a profile; None for 10-bit H.264, which is not part of the protocol (§8.7)."""
    names = {
        Codec.H264: (CodecSupport.H264, CodecSupport.H264_444, None, None),
        Codec.HEVC: (
            CodecSupport.HEVC,
            CodecSupport.HEVC_444,
            CodecSupport.HEVC_MAIN10,
            CodecSupport.HEVC_444_10,
        ),
        Codec.AV1: (CodecSupport.AV1, CodecSupport.AV1_444, CodecSupport.AV1_MAIN10, CodecSupport.AV1_444_10),
    }
    return names[codec][2 * ten_bit + full_chroma]


def _refresh_mhz(request: StreamRequest) -> int:
    """The exact rate where the client tells one within 1 % of ``maxFPS``, which counts thousandths above 4000."""
    if request.max_fps > _THOUSANDTHS_ABOVE:
        return request.max_fps
    if request.max_fps > MAX_REFRESH_HZ:
        raise StreamRefused(400, f"A rate of {request.max_fps} Hz is not possible")
    rounded_mhz, exact_mhz = request.max_fps * 1000, request.refresh_rate_x100 * 10
    return exact_mhz if abs(exact_mhz - rounded_mhz) * 100 <= rounded_mhz else rounded_mhz


def _bitrate_kbps(request: StreamRequest, offer: StreamOffer, high_quality: bool) -> int:
    kbps = request.maximum_bitrate_kbps
    if request.configured_bitrate_kbps:
        kbps = encoder_bitrate_kbps(
            request.configured_bitrate_kbps,
            fec_percentage=offer.fec_percentage,
            channels=request.audio_channels,
            high_quality_audio=high_quality,
        )
    return max(MIN_BITRATE_KBPS, min(kbps, offer.max_bitrate_kbps))


def _encryption(request: StreamRequest, offer: StreamOffer) -> Encryption:
    enabled = Encryption(request.encryption_enabled)
    if request.legacy_features & _LEGACY_AUDIO_ENCRYPTION:
        enabled |= Encryption.AUDIO
    if enabled & ~offer.supported:
        raise StreamRefused(400, "The client enabled encryption that was not offered")
    if offer.required & ~enabled:
        raise StreamRefused(403, "Encryption is mandatory for this host but not enabled by the client")
    return enabled
