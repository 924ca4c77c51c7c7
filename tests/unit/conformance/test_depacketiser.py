import struct

import pytest
from tests.conformance.moonlight.bitstream import BitstreamChecker, Expected
from tests.conformance.moonlight.depacketiser import (
    AcknowledgeLtr,
    Depacketiser,
    FrameType,
    InvalidateReferences,
    RequestIdr,
)
from tests.conformance.moonlight.options import Codec
from tests.conformance.moonlight.video import LostFrames, RawFrame
from tests.conformance.moonlight.violations import Violations


def raw(index, kind, ltr=False):
    payload = struct.pack("<BHBHH", 1, 53, kind, 12, 0) + b"\x12\x00zz" + bytes(36)
    return RawFrame(index, index * 1500, payload, 48, False, ltr, 0.0, 0.0)


@pytest.fixture
def depacketiser():
    def make(rfi=False):
        quiet = Violations()
        checker = BitstreamChecker(Codec.AV1, Expected(64, 64, 8, False, True), quiet)
        return Depacketiser(Codec.AV1, checker, rfi, quiet)

    return make


def test_frames_are_cut_to_their_length(depacketiser):
    frame, requests = depacketiser().on_frame(raw(1, FrameType.IDR))
    assert (frame.data, frame.latency_tenths_ms, frame.idr, requests) == (b"\x12\x00zz", 53, True, [])


def test_nothing_before_the_first_idr(depacketiser):
    units = depacketiser()
    assert units.on_frame(raw(1, FrameType.P)) == (None, [RequestIdr()])
    assert units.on_frame(raw(2, FrameType.P)) == (None, [])
    assert units.on_frame(raw(3, FrameType.IDR))[0].index == 3


def test_loss_without_rfi_asks_once_with_the_next_complete_frame(depacketiser):
    units = depacketiser()
    units.on_frame(raw(1, FrameType.IDR))
    assert units.on_lost(LostFrames(2, 3)) == []
    assert units.on_frame(raw(4, FrameType.P)) == (None, [RequestIdr()])
    assert units.on_frame(raw(5, FrameType.P)) == (None, [])
    assert units.on_frame(raw(6, FrameType.IDR))[0].index == 6
    assert (units.lost, units.dropped, units.delivered, units.idr_requests) == (2, 2, 2, 1)


@pytest.mark.parametrize("kind", [FrameType.P_AFTER_INVALIDATION, FrameType.INTRA_REFRESH, FrameType.IDR])
def test_loss_with_rfi_extends_the_range_until_recovery(depacketiser, kind):
    units = depacketiser(rfi=True)
    units.on_frame(raw(1, FrameType.IDR))
    assert units.on_lost(LostFrames(2, 2)) == [InvalidateReferences(2, 2)]
    assert units.on_frame(raw(3, FrameType.P)) == (None, [InvalidateReferences(2, 3)])
    frame, requests = units.on_frame(raw(4, kind))
    assert (frame.index, requests) == (4, [])
    assert units.on_frame(raw(5, FrameType.P))[0].index == 5


def test_loss_before_the_first_idr_cannot_use_rfi(depacketiser):
    units = depacketiser(rfi=True)
    assert units.on_lost(LostFrames(1, 1)) == []
    assert units.on_frame(raw(2, FrameType.P)) == (None, [RequestIdr()])


def test_120_drops_force_an_idr_request(depacketiser):
    units = depacketiser(rfi=True)
    units.on_frame(raw(1, FrameType.IDR))
    units.on_lost(LostFrames(2, 2))
    asked = [units.on_frame(raw(index, FrameType.P))[1] for index in range(3, 124)]
    assert sum(RequestIdr() in requests for requests in asked) == 1
    assert units._violations.counts["video.no-recovery"] == 1


def test_long_term_references_are_acknowledged(depacketiser):
    units = depacketiser(rfi=True)
    assert units.on_frame(raw(1, FrameType.IDR, ltr=True))[1] == [AcknowledgeLtr(1)]
