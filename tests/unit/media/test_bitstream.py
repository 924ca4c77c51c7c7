from __future__ import annotations

import random

import pytest

from punktfunk.media.displays.bitstream import is_keyframe, without_sei
from punktfunk.media.frames import Codec

SPS, PPS, IDR, DELTA = b"\0\0\0\1\x67abc", b"\0\0\0\1\x68de", b"\0\0\1\x65" + b"x" * 100, b"\0\0\0\1\x41yz"
SEI = b"\0\0\1\x06" + b"options" * 90
VPS, HEVC_SEI, HEVC_IDR = b"\0\0\0\1\x40\1v", b"\0\0\0\1\x4e\1s", b"\0\0\1\x26\1slice"


@pytest.mark.parametrize(
    ("codec", "unit", "key"),
    [
        (Codec.H264, SPS + PPS + IDR, True),
        (Codec.H264, b"\0\0\0\1\x09\xf0" + SPS + PPS + SEI + IDR, True),
        (Codec.H264, DELTA, False),
        (Codec.H264, PPS + DELTA, False),
        (Codec.HEVC, VPS + HEVC_IDR, True),
        (Codec.HEVC, HEVC_IDR, False),
        (Codec.AV1, b"\x12\0\x0a\x0b\0\0", True),
        (Codec.AV1, b"\x12\0\x32\x0b\0\0", False),
        (Codec.H264, b"", False),
        (Codec.AV1, b"", False),
    ],
)
def test_keyframes_carry_parameter_sets(codec: Codec, unit: bytes, key: bool) -> None:
    assert is_keyframe(codec, unit) is key


def test_sei_between_parameter_sets_and_slice_is_cut_out() -> None:
    assert bytes(without_sei(Codec.H264, SPS + PPS + SEI + IDR)) == SPS + PPS + IDR
    assert bytes(without_sei(Codec.H264, SEI + SPS + SEI + PPS + IDR)) == SPS + PPS + IDR
    assert bytes(without_sei(Codec.HEVC, VPS + HEVC_SEI + HEVC_IDR)) == VPS + HEVC_IDR


def test_units_without_sei_are_passed_as_they_are() -> None:
    unit = memoryview(SPS + PPS + IDR)
    assert without_sei(Codec.H264, unit) is unit
    assert without_sei(Codec.AV1, unit) is unit


def test_sei_behind_the_first_slice_and_long_units_stay_whole() -> None:
    unit = SPS + PPS + IDR + SEI + b"\0" * 10_000
    assert without_sei(Codec.H264, unit) is unit
    long = SPS + SEI + PPS + IDR + b"z" * 100_000
    assert bytes(without_sei(Codec.H264, long)) == SPS + PPS + IDR + b"z" * 100_000


def test_any_bytes_are_survived() -> None:
    generator = random.Random(1)
    for _ in range(3000):
        data = bytes(generator.choice((0, 0, 1, 6, 0x67, 0x65, 0x40, 255)) for _ in range(generator.randrange(60)))
        for codec in Codec:
            is_keyframe(codec, data)
            assert len(without_sei(codec, data)) <= len(data)
