"""From a negotiated Welcome to everything that a session is made from: plans, transport, state machines."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import msgspec

from punktfunk.media.frames import Codec
from punktfunk.media.plan import AudioPlan, VideoPlan
from punktfunk.media.plan import Mode as DisplayMode
from punktfunk.native.access import Access
from punktfunk.native.adaptive_fec import AdaptiveFec
from punktfunk.native.clipboard import Clipboard
from punktfunk.native.live_control import SessionParts
from punktfunk.native.modes import Mode, ModeSwitch
from punktfunk.native.negotiation import bound
from punktfunk.native.path_search import STANDARD_MTU
from punktfunk.native.plane_messages import NativeTransport
from punktfunk.native.recovery import RecoveryPolicy
from punktfunk.native.shard_size import ShardSizer
from punktfunk.native.speed_test import ProbeGate
from punktfunk.wire.punktfunk1 import DEFAULT_BITRATE_KBPS
from punktfunk.wire.punktfunk1.caps import ClientCaps, Grants, HostCaps, HostCaps2, VideoCaps
from punktfunk.wire.punktfunk1.enums import Cipher, ClipReason, FecScheme, VideoCodec
from punktfunk.wire.punktfunk1.hello import Hello
from punktfunk.wire.punktfunk1.welcome import Welcome

GF16_DATA_SHARDS = 4096
GF8_DATA_SHARDS = 200
"""Leaves room for 27 % of recovery in the 255 shards that a block of GF(2^8) can have (§5.6)."""
AUDIO_SHARE = 0.05
MIN_AUDIO_BPS = 96_000
_AUDIO_LAYOUTS = {2: (1, 1, 256_000), 6: (4, 2, 448_000), 8: (5, 3, 768_000)}
_CODECS = {VideoCodec.H264: Codec.H264, VideoCodec.HEVC: Codec.HEVC, VideoCodec.AV1: Codec.AV1}


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What neither Hello nor the host's offer says: the data port that is bound, what the kernel knows of the route,
    the erasure code at hand, and how the encoder and the desktop's clipboard are. ``pinned_fec`` switches adaptation
    off. ``wall_offset_ns`` and ``frames`` as in NativeTransport."""

    data_port: int
    ipv6: bool
    mtu: int | None
    wall_offset_ns: int
    fec_scheme: FecScheme = FecScheme.GF16
    pinned_fec: int | None = None
    reference_invalidation: bool = False
    clipboard: ClipReason = ClipReason.UNAVAILABLE
    max_bitrate_kbps: int = DEFAULT_BITRATE_KBPS
    frames: int = 0
    max_mtu: int = STANDARD_MTU


@dataclass(frozen=True, slots=True)
class Agreement:
    """Everything that is settled when Welcome leaves."""

    welcome: Welcome
    video: VideoPlan
    audio: AudioPlan
    parts: SessionParts = field(repr=False)
    transport: NativeTransport = field(repr=False)
    max_bitrate_kbps: int


def display_mode(mode: Mode) -> DisplayMode:
    """The wire's mode as the display's."""
    return DisplayMode(mode.width, mode.height, mode.refresh_hz * 1000)


def wire_mode(mode: DisplayMode) -> Mode:
    """The display's mode as the wire's, in whole hertz."""
    return Mode(mode.width, mode.height, round(mode.refresh_hz))


def agree(negotiated: Welcome, hello: Hello, access: Access, facts: SessionFacts) -> Agreement:
    """Complete a negotiated Welcome, and derive from it what the host itself needs."""
    shards = ShardSizer(hello.max_shard_payload, ipv6=facts.ipv6, max_mtu=facts.max_mtu, path_mtu=facts.mtu)
    gf8 = facts.fec_scheme is FecScheme.GF8
    welcome = replace(
        bound(negotiated, facts.data_port, shards.shard_bytes),
        fec_scheme=facts.fec_scheme,
        max_data_shards=GF8_DATA_SHARDS if gf8 else GF16_DATA_SHARDS,
        host_caps2=_host_caps2(hello, touch=HostCaps.PEN in negotiated.host_caps),
        frames=facts.frames,
    )
    mode = Mode(welcome.width, welcome.height, welcome.refresh_hz)
    parts = SessionParts(
        access=access,
        modes=ModeSwitch(mode, welcome.codec),
        fec=AdaptiveFec(facts.pinned_fec, welcome.bitrate_kbps),
        recovery=RecoveryPolicy(can_invalidate=facts.reference_invalidation),
        shards=shards,
        probes=ProbeGate(allowed=VideoCaps.PROBE_SEQ in hello.video_caps),
        clipboard=Clipboard(available=facts.clipboard, permitted=access.allows(Grants.CLIPBOARD)),
        default_bitrate_kbps=min(DEFAULT_BITRATE_KBPS, facts.max_bitrate_kbps),
    )
    video = VideoPlan(
        mode=display_mode(mode),
        codec=_CODECS[welcome.codec],
        bitrate_kbps=welcome.bitrate_kbps,
        bit_depth=welcome.bit_depth,
        chroma_444=welcome.chroma_format == 3,
    )
    audio = audio_plan(welcome.audio_channels, welcome.bitrate_kbps)
    if welcome.audio is not None:
        audio = msgspec.structs.replace(audio, pcm_bits=welcome.audio.bits, pcm_packet_us=welcome.audio.frame_us)
    return Agreement(welcome, video, audio, parts, _transport(welcome, hello, facts), facts.max_bitrate_kbps)


def audio_plan(channels: int, video_kbps: int) -> AudioPlan:
    """Opus in 5 ms frames at the high tier, within 5 % of the video's bitrate (§8.1)."""
    streams, coupled, bitrate_bps = _AUDIO_LAYOUTS[channels]
    affordable_bps = max(MIN_AUDIO_BPS, int(video_kbps * 1000 * AUDIO_SHARE))
    return AudioPlan(
        channels=channels,
        streams=streams,
        coupled=coupled,
        mapping=tuple(range(channels)),
        bitrate_bps=min(bitrate_bps, affordable_bps),
        packet_ms=5,
    )


def _transport(welcome: Welcome, hello: Hello, facts: SessionFacts) -> NativeTransport:
    return NativeTransport(
        key=welcome.chacha_key or welcome.key,
        salt=welcome.salt,
        chacha=welcome.cipher is Cipher.CHACHA20_POLY1305,
        shard_bytes=welcome.shard_payload,
        max_data_shards=welcome.max_data_shards,
        fec_scheme=welcome.fec_scheme,
        fec_percent=welcome.fec_percent,
        wall_offset_ns=facts.wall_offset_ns,
        host_timing=VideoCaps.HOST_TIMING in hello.video_caps,
        redundant_audio=HostCaps.AUDIO_RED in welcome.host_caps,
        pcm_packet_us=welcome.audio.frame_us if welcome.audio else 0,
        frames=facts.frames,
    )


def _host_caps2(hello: Hello, *, touch: bool) -> HostCaps2:
    """Late bits, only toward a late client: to an older one the old wire is kept byte for byte (§4.7)."""
    if ClientCaps.EXT not in hello.client_caps:
        return HostCaps2.NONE
    always = HostCaps2.SCROLL | HostCaps2.INPUT_EDGES
    return always | HostCaps2.TOUCH if touch else always
