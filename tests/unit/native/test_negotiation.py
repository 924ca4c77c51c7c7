"""Hello to Welcome: codecs, depth, capabilities, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from punktfunk.native.access import Access
from punktfunk.native.modes import resolve_codec
from punktfunk.native.negotiation import HostOffer, Refusal, bound, negotiate
from punktfunk.wire.punktfunk1.caps import ALL_GRANTS, ClientCaps, Grants, HostCaps, VideoCaps
from punktfunk.wire.punktfunk1.enums import CloseCode, Compositor, Gamepad, VideoCodec
from punktfunk.wire.punktfunk1.hello import Hello
from punktfunk.wire.punktfunk1.welcome import COLOUR_HDR10, COLOUR_SDR, PcmAudio, decode_welcome, encode_welcome

H264, HEVC, AV1, PYROWAVE = VideoCodec.H264, VideoCodec.HEVC, VideoCodec.AV1, VideoCodec.PYROWAVE
HELLO = Hello(1920, 1080, 60, video_codecs=H264 | HEVC)
EVERYTHING = HostOffer(
    H264 | HEVC | AV1,
    (Compositor.KWIN, Compositor.WLROOTS),
    (Gamepad.XBOX_360, Gamepad.DUALSENSE),
    ~HostCaps.NONE & HostCaps(0xFF),
    ten_bit=True,
    hdr=True,
    chroma_444=True,
    management_port=47_990,
)


@pytest.mark.parametrize(
    ("client", "preferred", "host", "codec"),
    [
        (H264 | HEVC | AV1, 0, H264 | HEVC | AV1, HEVC),
        (H264 | HEVC | AV1, AV1, H264 | HEVC | AV1, AV1),
        (H264 | AV1, HEVC, H264 | HEVC | AV1, AV1),
        (0, 0, H264 | HEVC, HEVC),
        (0, H264, H264, H264),
        (0, 0, H264, H264),
        (0, 0, H264 | AV1 | PYROWAVE, AV1),
        (0, 0, PYROWAVE, None),
        (H264 | HEVC, 0, H264, H264),
        (PYROWAVE, 0, H264 | PYROWAVE, None),
        (H264 | PYROWAVE, PYROWAVE, H264 | PYROWAVE, PYROWAVE),
        (H264 | HEVC, H264 | HEVC, H264 | HEVC, HEVC),
        (255, 255, H264, H264),
    ],
)
def test_codec_resolution(client: int, preferred: int, host: int, codec: VideoCodec | None) -> None:
    assert resolve_codec(VideoCodec(client), VideoCodec(preferred), VideoCodec(host)) == codec


def test_a_plain_session() -> None:
    welcome = negotiate(HELLO, HostOffer(), Access(), 0.0)
    assert (welcome.codec, welcome.bit_depth, welcome.colour, welcome.chroma_format) == (H264, 8, COLOUR_SDR, 1)
    assert (welcome.bitrate_kbps, welcome.fec_percent, welcome.chacha_key) == (20_000, 10, None)
    assert decode_welcome(encode_welcome(bound(welcome, 50_000, 1408))).shard_payload == 1408


def test_keys_are_fresh_for_every_session() -> None:
    first, second = (negotiate(HELLO, HostOffer(), Access(), 0.0) for _ in range(2))
    assert first.key != second.key
    assert first.salt != second.salt


def test_deep_colour_needs_client_codec_and_host() -> None:
    wants = VideoCaps.TEN_BIT | VideoCaps.HDR | VideoCaps.CHROMA_444
    hello = replace(HELLO, video_caps=wants)
    best = negotiate(hello, EVERYTHING, Access(), 0.0)
    assert (best.bit_depth, best.colour, best.chroma_format) == (10, COLOUR_HDR10, 3)
    h264 = negotiate(replace(hello, video_codecs=H264), EVERYTHING, Access(), 0.0)
    assert (h264.bit_depth, h264.colour, h264.chroma_format) == (8, COLOUR_SDR, 1)
    hdr_only = negotiate(replace(hello, video_caps=VideoCaps.HDR), EVERYTHING, Access(), 0.0)
    assert (hdr_only.bit_depth, hdr_only.colour) == (8, COLOUR_SDR)
    sdr_host = negotiate(hello, replace(EVERYTHING, hdr=False), Access(), 0.0)
    assert (sdr_host.bit_depth, sdr_host.colour) == (10, COLOUR_SDR)


def test_capabilities_need_both_halves_and_the_grant() -> None:
    none = negotiate(HELLO, EVERYTHING, Access(), 0.0).host_caps
    assert not none & (HostCaps.CURSOR | HostCaps.AUDIO_RED)
    both = replace(HELLO, client_caps=ClientCaps.CURSOR | ClientCaps.AUDIO_RED)
    assert (HostCaps.CURSOR | HostCaps.AUDIO_RED) in negotiate(both, EVERYTHING, Access(), 0.0).host_caps
    viewer = negotiate(both, EVERYTHING, Access(Grants.NONE, 90.0), 30.0)
    assert not viewer.host_caps & (HostCaps.CLIPBOARD | HostCaps.TEXT_INPUT | HostCaps.PEN)
    assert (viewer.grants, viewer.access_seconds) == (Grants.NONE, 60)


def test_wishes_are_honoured_if_they_can_be() -> None:
    hello = replace(
        HELLO,
        compositor=Compositor.WLROOTS,
        gamepad=Gamepad.DUALSENSE,
        audio_channels=6,
        bitrate_kbps=9_000_000,
        video_caps=VideoCaps.CHACHA20,
    )
    welcome = negotiate(hello, EVERYTHING, Access(), 0.0)
    assert (welcome.compositor, welcome.gamepad) == (Compositor.WLROOTS, Gamepad.DUALSENSE)
    assert (welcome.audio_channels, welcome.bitrate_kbps) == (6, 8_000_000)
    assert welcome.chacha_key is not None
    poor = negotiate(hello, HostOffer(compositors=(), max_channels=2), Access(), 0.0)
    assert (poor.compositor, poor.gamepad, poor.audio_channels) == (Compositor.AUTO, Gamepad.XBOX_360, 2)


@pytest.mark.parametrize(
    ("hello", "access", "code"),
    [
        (replace(HELLO, video_codecs=AV1), Access(), CloseCode.SETUP_FAILED),
        (replace(HELLO, width=0), Access(), CloseCode.SETUP_FAILED),
        (replace(HELLO, refresh_hz=0), Access(), CloseCode.SETUP_FAILED),
        (replace(HELLO, width=2**32 - 1), Access(), CloseCode.SETUP_FAILED),
        (replace(HELLO, width=5120, height=2160), Access(), CloseCode.SETUP_FAILED),
        (replace(HELLO, launch_id="steam:570"), Access(ALL_GRANTS & ~Grants.LAUNCH), CloseCode.LAUNCH_FORBIDDEN),
    ],
    ids=["codec", "width", "refresh", "huge", "beyond H.264", "launch"],
)
def test_refusals_say_why(hello: Hello, access: Access, code: CloseCode) -> None:
    with pytest.raises(Refusal) as refused:
        negotiate(hello, HostOffer(), access, 0.0)
    assert refused.value.code is code
    assert refused.value.reason


@pytest.mark.parametrize(
    ("channels", "bits", "kbps", "frame_us"),
    [
        (2, 16, 20_000, 5000),
        (2, 24, 20_000, 3000),
        (2, 16, 6_144, 5000),
        (2, 16, 6_143, None),
        (2, 24, 9_215, None),
        (6, 16, 20_000, 1500),
        (6, 24, 100_000, 1000),
        (8, 16, 100_000, 1000),
        (8, 24, 100_000, None),
        (2, 20, 20_000, None),
    ],
)
def test_lossless_sound_where_it_fits_and_is_affordable(
    channels: int, bits: int, kbps: int, frame_us: int | None
) -> None:
    hello = Hello(
        *(1280, 720, 60),
        video_codecs=VideoCodec.H264,
        bitrate_kbps=kbps,
        audio_channels=channels,
        audio_bits=bits,
        client_caps=ClientCaps.AUDIO_HIRES | ClientCaps.AUDIO_RED,
    )
    offer = HostOffer(caps=HostCaps.AUDIO_RED, lossless_audio=True)
    welcome = negotiate(hello, offer, Access(), 0.0)
    assert welcome.audio == (PcmAudio(48_000, bits, frame_us) if frame_us else None)
    assert (HostCaps.AUDIO_HIRES in welcome.host_caps) == bool(frame_us)
    assert (HostCaps.AUDIO_RED in welcome.host_caps) == (not frame_us)
    assert decode_welcome(encode_welcome(welcome)) == welcome
    for refused in (
        replace(hello, client_caps=ClientCaps.AUDIO_RED),
        replace(hello, audio_rate_hz=96_000),
        replace(hello, audio_rate_hz=44_100),
    ):
        assert negotiate(refused, offer, Access(), 0.0).audio is None
    assert negotiate(hello, replace(offer, lossless_audio=False), Access(), 0.0).audio is None


@pytest.mark.parametrize(
    ("wish", "setting", "available", "told"),
    [
        (Gamepad.AUTO, Gamepad.AUTO, (Gamepad.DUALSENSE,), Gamepad.XBOX_360),
        (Gamepad.DUALSENSE, Gamepad.AUTO, (Gamepad.XBOX_360, Gamepad.DUALSENSE), Gamepad.DUALSENSE),
        (Gamepad.DUALSENSE_EDGE, Gamepad.AUTO, (Gamepad.XBOX_360, Gamepad.DUALSHOCK_4), Gamepad.DUALSHOCK_4),
        (Gamepad.STEAM_CONTROLLER_2, Gamepad.AUTO, (Gamepad.XBOX_360, Gamepad.STEAM_DECK), Gamepad.STEAM_DECK),
        (Gamepad.STEAM_DECK, Gamepad.AUTO, (Gamepad.XBOX_360, Gamepad.DUALSENSE), Gamepad.DUALSENSE),
        (
            Gamepad.DUALSENSE,
            Gamepad.XBOX_ONE,
            (Gamepad.XBOX_360, Gamepad.XBOX_ONE, Gamepad.DUALSENSE),
            Gamepad.XBOX_ONE,
        ),
        (Gamepad.SWITCH_PRO, Gamepad.AUTO, (), Gamepad.XBOX_360),
    ],
)
def test_the_client_is_told_what_its_pads_become(
    wish: Gamepad, setting: Gamepad, available: tuple[Gamepad, ...], told: Gamepad
) -> None:
    offer = replace(EVERYTHING, gamepads=available, gamepad_setting=setting)
    assert negotiate(replace(HELLO, gamepad=wish), offer, Access(), 0.0).gamepad is told
