"""From what a client wants and can to what the session will be (punktfunk1.md §4.3-4.5)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from punktfunk.native.access import Access
from punktfunk.native.adaptive_fec import START_PERCENT
from punktfunk.native.lossless import lossless_audio
from punktfunk.native.modes import Mode, clamp_bitrate, mode_error, resolve_codec
from punktfunk.native.pads import nearest
from punktfunk.wire.punktfunk1 import DEFAULT_BITRATE_KBPS, MAX_BITRATE_KBPS
from punktfunk.wire.punktfunk1.caps import ClientCaps, Grants, HostCaps, VideoCaps
from punktfunk.wire.punktfunk1.enums import CloseCode, Compositor, Gamepad, VideoCodec
from punktfunk.wire.punktfunk1.hello import Hello
from punktfunk.wire.punktfunk1.welcome import COLOUR_HDR10, COLOUR_SDR, Welcome

_DEEP_CODECS = (VideoCodec.HEVC, VideoCodec.AV1)
_NEEDS_CLIENT = {HostCaps.CURSOR: ClientCaps.CURSOR, HostCaps.AUDIO_RED: ClientCaps.AUDIO_RED}
"""Host capabilities that mean nothing to a client without the other half."""
_NEEDS_GRANT = {
    HostCaps.CLIPBOARD: Grants.CLIPBOARD,
    HostCaps.TEXT_INPUT: Grants.KEYBOARD,
    HostCaps.PEN: Grants.POINTER,
}


class Refusal(Exception):
    """The session cannot be what the client wants; ``code`` and the text go into the close."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class HostOffer:
    """What this host has at hand for one session: encoders, capture and devices as probed, limits as configured.

    ``compositors`` are those that can be had, best first; ``gamepads`` the kinds that can be made, and
    ``gamepad_setting`` the one that every controller becomes, unless AUTO; ``caps`` what is implemented and allowed.
    ``ten_bit``, ``hdr`` and ``chroma_444`` hold for capture and encoder together.
    """

    codecs: VideoCodec = VideoCodec.H264
    compositors: tuple[Compositor, ...] = (Compositor.WLROOTS,)
    gamepads: tuple[Gamepad, ...] = (Gamepad.XBOX_360,)
    caps: HostCaps = HostCaps.GAMEPAD_STATE | HostCaps.TEXT_INPUT
    ten_bit: bool = False
    hdr: bool = False
    chroma_444: bool = False
    max_channels: int = 8
    default_bitrate_kbps: int = DEFAULT_BITRATE_KBPS
    max_bitrate_kbps: int = MAX_BITRATE_KBPS
    fec_percent: int = START_PERCENT
    lossless_audio: bool = False
    management_port: int = 0
    gamepad_setting: Gamepad = Gamepad.AUTO


def negotiate(hello: Hello, offer: HostOffer, access: Access, now: float) -> Welcome:
    """The Welcome for a Hello, true in every field but those that depend on sockets: complete it with ``bound``.

    Raises ``Refusal``. Keys and salt are fresh; nothing is granted that the device may not use.
    """
    if hello.launch_id and not access.allows(Grants.LAUNCH):
        raise Refusal(CloseCode.LAUNCH_FORBIDDEN, "this device may not launch games")
    codec = resolve_codec(hello.video_codecs, hello.preferred_codec, offer.codecs)
    if codec is None:
        raise Refusal(CloseCode.SETUP_FAILED, "client and host share no video codec")
    mode = Mode(hello.width, hello.height, hello.refresh_hz)
    error = mode_error(mode, codec)
    if error:
        raise Refusal(CloseCode.SETUP_FAILED, error)
    wants = hello.video_caps
    ten_bit = offer.ten_bit and VideoCaps.TEN_BIT in wants and codec in _DEEP_CODECS
    hdr = ten_bit and offer.hdr and VideoCaps.HDR in wants
    full_chroma = offer.chroma_444 and VideoCaps.CHROMA_444 in wants and codec is VideoCodec.HEVC
    bitrate_kbps = clamp_bitrate(
        hello.bitrate_kbps, default_kbps=offer.default_bitrate_kbps, ceiling_kbps=offer.max_bitrate_kbps
    )
    channels = hello.audio_channels if hello.audio_channels <= offer.max_channels else 2
    samples = lossless_audio(hello, channels, bitrate_kbps) if offer.lossless_audio else None
    caps = _caps(offer.caps, hello.client_caps, access.grants) & ~HostCaps.AUDIO_HIRES
    if samples is not None:
        caps = caps & ~HostCaps.AUDIO_RED | HostCaps.AUDIO_HIRES
    return Welcome(
        data_port=0,
        width=mode.width,
        height=mode.height,
        refresh_hz=mode.refresh_hz,
        shard_payload=0,
        key=secrets.token_bytes(16),
        salt=secrets.token_bytes(4),
        fec_percent=offer.fec_percent,
        compositor=_compositor(hello.compositor, offer.compositors),
        gamepad=nearest(offer.gamepad_setting or hello.gamepad, offer.gamepads),
        bitrate_kbps=bitrate_kbps,
        bit_depth=10 if ten_bit else 8,
        colour=COLOUR_HDR10 if hdr else COLOUR_SDR,
        chroma_format=3 if full_chroma else 1,
        audio_channels=channels,
        codec=codec,
        host_caps=caps,
        chacha_key=secrets.token_bytes(32) if VideoCaps.CHACHA20 in wants else None,
        management_port=offer.management_port,
        grants=access.grants,
        access_seconds=access.remaining_seconds(now),
        audio=samples,
    )


def bound(welcome: Welcome, data_port: int, shard_bytes: int) -> Welcome:
    """The Welcome once the data socket is bound and the path's size known."""
    return replace(welcome, data_port=data_port, shard_payload=shard_bytes)


def _compositor(wish: Compositor, available: tuple[Compositor, ...]) -> Compositor:
    if wish in available:
        return wish
    return available[0] if available else Compositor.AUTO


def _caps(offered: HostCaps, client: ClientCaps, grants: Grants) -> HostCaps:
    granted = offered
    for cap, half in _NEEDS_CLIENT.items():
        if half not in client:
            granted &= ~cap
    for cap, grant in _NEEDS_GRANT.items():
        if grant not in grants:
            granted &= ~cap
    return granted
