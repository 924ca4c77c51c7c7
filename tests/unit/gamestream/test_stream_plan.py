"""ANNOUNCE bodies, and what is made of them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.gamestream.bitrate import encoder_bitrate_kbps
from punktfunk.gamestream.launch import LaunchRequest, StreamRefused
from punktfunk.gamestream.sdp import ATTRIBUTES, MAX_ATTRIBUTES, SdpError, StreamRequest, parse_announce
from punktfunk.gamestream.serverinfo import CodecSupport
from punktfunk.gamestream.stream_plan import (
    ClientFeatures,
    Encryption,
    StreamOffer,
    StreamPlan,
    TransportPlan,
    plan_stream,
)
from punktfunk.media.frames import Codec
from punktfunk.media.plan import AudioPlan, Mode, VideoPlan

VECTORS = json.loads((Path(__file__).parents[2] / "wire" / "vectors" / "gamestream.json").read_text())
BODY = VECTORS["announce_captured"]["text"].partition("\r\n\r\n")[2]
CAPTURED = parse_announce(BODY)
LAUNCH = LaunchRequest(bytes(16), 0)
ALL_CODECS = CodecSupport(0x7F0301)
OFFER = StreamOffer(ALL_CODECS)


def plan(
    launch: LaunchRequest = LAUNCH, offer: StreamOffer = OFFER, host: str = "0.0.0.0", **changes: int
) -> StreamPlan:
    return plan_stream(dataclasses.replace(CAPTURED, **changes), launch, offer, host)


def test_captured_announce() -> None:
    assert plan() == StreamPlan(
        VideoPlan(
            Mode(1280, 720, 60_000), Codec.H264, 7308, color_space="bt601", slices_per_frame=1, max_reference_frames=1
        ),
        AudioPlan(2, 1, 1, (0, 1), 96_000, 5),
        TransportPlan(
            packet_size=1360,
            fec_percentage=20,
            min_fec_packets=2,
            encryption=Encryption.CONTROL_V2 | Encryption.VIDEO | Encryption.AUDIO,
            client_features=ClientFeatures.FRAME_FEC_STATUS | ClientFeatures.SESSION_ID_PINGS,
            video_qos=True,
            audio_qos=True,
            intra_refresh=False,
        ),
    )


@pytest.mark.parametrize("row", VECTORS["bitrate_rule_host"]["rows"])
def test_bitrate_rule(row: list) -> None:
    configured, fec, channels, high, expected = row
    assert encoder_bitrate_kbps(configured, fec_percentage=fec, channels=channels, high_quality_audio=high) == expected


def test_bitrate_without_the_users_setting_is_the_legacy_maximum() -> None:
    assert plan(configured_bitrate_kbps=0, maximum_bitrate_kbps=8000).video.bitrate_kbps == 8000


@pytest.mark.parametrize(("asked", "given"), [(10_000_000, 150_000), (1, 100)])
def test_bitrate_is_bounded(asked: int, given: int) -> None:
    assert plan(configured_bitrate_kbps=asked).video.bitrate_kbps == given


@pytest.mark.parametrize(
    ("max_fps", "x100", "refresh_mhz"),
    [
        (60, 0, 60_000),
        (60, 5994, 59_940),
        (60, 5999, 59_990),
        (60, 6100, 60_000),
        (60, 12_000, 60_000),
        (59_940, 0, 59_940),
        (1, 0, 1000),
        (1000, 0, 1_000_000),
    ],
)
def test_refresh_rates(max_fps: int, x100: int, refresh_mhz: int) -> None:
    assert plan(max_fps=max_fps, refresh_rate_x100=x100).video.mode.refresh_mhz == refresh_mhz


def test_rate_between_hertz_and_millihertz_is_refused() -> None:
    with pytest.raises(StreamRefused):
        plan(max_fps=2000)


@pytest.mark.parametrize(
    ("codec", "dynamic_range", "chroma", "bit"),
    [
        (0, 0, 0, CodecSupport.H264),
        (0, 0, 1, CodecSupport.H264_444),
        (1, 0, 0, CodecSupport.HEVC),
        (1, 1, 0, CodecSupport.HEVC_MAIN10),
        (1, 1, 1, CodecSupport.HEVC_444_10),
        (2, 0, 1, CodecSupport.AV1_444),
        (2, 1, 0, CodecSupport.AV1_MAIN10),
    ],
)
def test_profile_must_be_offered(codec: int, dynamic_range: int, chroma: int, bit: CodecSupport) -> None:
    video = plan(codec=codec, dynamic_range=dynamic_range, chroma_sampling=chroma).video
    assert (video.bit_depth, video.chroma_444) == (10 if dynamic_range else 8, bool(chroma))
    with pytest.raises(StreamRefused) as refused:
        plan(offer=StreamOffer(ALL_CODECS & ~bit), codec=codec, dynamic_range=dynamic_range, chroma_sampling=chroma)
    assert refused.value.status == 400


def test_10_bit_h264_does_not_exist() -> None:
    with pytest.raises(StreamRefused):
        plan(codec=0, dynamic_range=1)


def test_hdr_needs_both_launch_and_announce() -> None:
    hdr_launch = dataclasses.replace(LAUNCH, hdr=True)
    assert plan(hdr_launch, codec=1, dynamic_range=1).video.hdr
    assert not plan(codec=1, dynamic_range=1).video.hdr
    assert not plan(hdr_launch, codec=1).video.hdr


@pytest.mark.parametrize(
    ("mode", "ten_bit", "color_space", "full_range"),
    [(0, 0, "bt601", False), (3, 0, "bt709", True), (4, 0, "bt709", False), (5, 1, "bt2020", True)],
)
def test_colour(mode: int, ten_bit: int, color_space: str, full_range: bool) -> None:
    video = plan(codec=1, csc_mode=mode, dynamic_range=ten_bit).video
    assert (video.color_space, video.full_range) == (color_space, full_range)


def test_audio_quality_is_in_the_host_header_or_the_attribute() -> None:
    assert plan(host="192.0.2.10").audio.bitrate_bps == 512_000
    assert plan(host="192.0.2.10", audio_channels=6).audio.streams == 4
    assert plan(audio_channels=6, audio_quality=1).audio.streams == 6


def test_control_without_v2_encryption_is_refused_by_default() -> None:
    with pytest.raises(StreamRefused) as refused:
        plan(encryption_enabled=0)
    assert refused.value.status == 403
    lenient = dataclasses.replace(OFFER, required=Encryption.NONE)
    assert plan(offer=lenient, encryption_enabled=0, legacy_features=135).transport.encryption == Encryption.NONE


def test_legacy_bit_enables_audio_encryption() -> None:
    assert Encryption.AUDIO in plan(encryption_enabled=1, legacy_features=167).transport.encryption
    assert Encryption.AUDIO not in plan(encryption_enabled=1, legacy_features=135).transport.encryption


def test_encryption_that_was_not_offered_is_refused() -> None:
    offer = dataclasses.replace(OFFER, supported=Encryption.CONTROL_V2 | Encryption.AUDIO)
    with pytest.raises(StreamRefused) as refused:
        plan(offer=offer)
    assert refused.value.status == 400


REQUIRED = [field for field, attribute in ATTRIBUTES.items() if attribute.default is None]


def changed(field: str, value: str | None) -> str:
    """The captured body with one attribute set, or left out."""
    name = ATTRIBUTES[field].name
    lines = [line for line in BODY.split("\r\n") if not line.startswith(f"a={name}:")]
    return "\r\n".join(lines if value is None else [f"a={name}:{value} ", *lines])


@pytest.mark.parametrize("field", REQUIRED)
def test_required_attributes(field: str) -> None:
    with pytest.raises(SdpError, match="missing"):
        parse_announce(changed(field, None))


@pytest.mark.parametrize("field", [field for field in ATTRIBUTES if field not in REQUIRED])
def test_defaults_of_optional_attributes(field: str) -> None:
    assert getattr(parse_announce(changed(field, None)), field) == ATTRIBUTES[field].default


def test_table_names_every_field() -> None:
    assert list(ATTRIBUTES) == [field.name for field in dataclasses.fields(StreamRequest)]


@pytest.mark.parametrize("field", ATTRIBUTES)
def test_bounds_of_every_attribute(field: str) -> None:
    attribute = ATTRIBUTES[field]
    for value in (attribute.low - attribute.step, attribute.high + attribute.step, "", "1e3", "0x10", "9" * 11, "١"):
        with pytest.raises(SdpError):
            parse_announce(changed(field, str(value)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 0),
        ("width", 1281),
        ("max_fps", 0),
        ("packet_size", 1361),
        ("audio_channels", 4),
        ("packet_duration_ms", 7),
    ],
)
def test_values_inside_the_bounds_that_make_no_sense(field: str, value: int) -> None:
    with pytest.raises(SdpError):
        parse_announce(changed(field, str(value)))


def test_first_occurrence_wins() -> None:
    assert parse_announce(BODY + "a=x-nv-video[0].clientViewportWd:640 \r\n").width == 1280


def test_attributes_are_bounded() -> None:
    with pytest.raises(SdpError, match=str(MAX_ATTRIBUTES)):
        parse_announce("".join(f"a=n{n}:1\r\n" for n in range(MAX_ATTRIBUTES + 1)))


@given(st.data())
def test_anything_accepted_makes_a_plan_within_bounds(data: st.DataObject) -> None:
    values = {
        field: data.draw(st.integers(a.low, a.high).map(lambda v, step=a.step: v - v % step))
        for field, a in ATTRIBUTES.items()
    }
    body = "\r\n".join(f"a={ATTRIBUTES[field].name}:{value} " for field, value in values.items())
    try:
        made = plan_stream(parse_announce(body), LAUNCH, OFFER, "0.0.0.0")
    except (SdpError, StreamRefused):
        return
    assert 100 <= made.video.bitrate_kbps <= OFFER.max_bitrate_kbps
    assert 1000 <= made.video.mode.refresh_mhz <= 1_000_000
    assert 1 <= made.video.slices_per_frame <= 32
