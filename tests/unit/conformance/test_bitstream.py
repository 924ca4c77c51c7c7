import pytest
from tests.conformance.moonlight.bitstream import BitstreamChecker, Expected, split_annex_b, split_obus
from tests.conformance.moonlight.options import Codec
from tests.unit.conformance.encoding import access_units

EXPECTED = Expected(320, 180, 8, False, True)
ROOM = 1376


@pytest.mark.parametrize("codec", Codec)
def test_real_streams_are_clean(violations, codec):
    checker = BitstreamChecker(codec, EXPECTED, violations)
    for index, unit in enumerate(access_units(codec)):
        assert checker.check(index + 1, 2 if index == 0 else 1, unit, ROOM) == (index == 0)
    assert str(violations) == "no violations"
    assert (checker.formats[0].width, checker.formats[0].height) == (320, 180)


@pytest.mark.parametrize("codec", Codec)
def test_other_size_than_asked(violations, codec):
    checker = BitstreamChecker(codec, Expected(640, 360, 8, False, True), violations)
    checker.check(1, 2, access_units(codec)[0], ROOM)
    assert set(violations.counts) == {"bitstream.size"}


@pytest.mark.parametrize("codec", Codec)
def test_idr_marked_as_p(violations, codec):
    BitstreamChecker(codec, EXPECTED, violations).check(1, 1, access_units(codec)[0], ROOM)
    assert violations.matching("bitstream.")


@pytest.mark.parametrize("codec", Codec)
def test_p_marked_as_idr(violations, codec):
    BitstreamChecker(codec, EXPECTED, violations).check(2, 2, access_units(codec)[1], ROOM)
    assert violations.matching("bitstream.")


def test_parameter_sets_beyond_the_first_packet(violations):
    BitstreamChecker(Codec.H264, EXPECTED, violations).check(1, 2, access_units(Codec.H264)[0], 40)
    assert set(violations.counts) == {"bitstream.first-packet"}


def test_parameter_sets_on_a_p_frame(violations):
    first, second = access_units(Codec.H264)[:2]
    starts = split_annex_b(first)
    sets = b"".join(b"\0\0\0\1" + first[at:end] for at, end in starts if first[at] & 0x1F in (7, 8))
    BitstreamChecker(Codec.H264, EXPECTED, violations).check(2, 1, sets + second, ROOM)
    assert {"bitstream.idr-type"} <= set(violations.counts)


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda unit: b"x" + unit, "bitstream.start-code"),
        (lambda unit: unit + b"\0", "bitstream.trailing-zero"),
        (lambda unit: unit + b"\0\0\1\x06\5\1\x80", "bitstream.after-slice"),
        (lambda unit: b"\0\0\1\x09\x10", "bitstream.no-slice"),
        (lambda unit: b"\0\0\1\x41\xa8\x80", "bitstream.b-slice"),
    ],
)
def test_spoilt_units(violations, spoil, rule):
    BitstreamChecker(Codec.H264, EXPECTED, violations).check(2, 1, spoil(access_units(Codec.H264)[1]), ROOM)
    assert rule in violations.counts


def test_av1_must_fill_its_unit_exactly(violations):
    unit = access_units(Codec.AV1)[1]
    with pytest.raises(ValueError, match="cut off"):
        split_obus(unit + b"\x12")
    BitstreamChecker(Codec.AV1, EXPECTED, violations).check(2, 1, unit[:-1], ROOM)
    assert set(violations.counts) == {"bitstream.obu"}
