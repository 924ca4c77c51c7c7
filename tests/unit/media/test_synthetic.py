from __future__ import annotations

import queue
from collections.abc import Iterator

import av
import numpy as np
import pytest

from punktfunk.media.displays.synthetic import Pattern, SyntheticSource, open_encoder
from punktfunk.media.frames import Codec, EncodedFrame, FrameKind
from punktfunk.media.plan import Mode, VideoPlan
from punktfunk.media.stamp import read_stamp
from punktfunk.media.video_source import SourceError

PLAN = VideoPlan(Mode(320, 240, 60_000), bitrate_kbps=2000)
WAIT_S = 10


class Stream:
    def __init__(self) -> None:
        self.source = SyntheticSource()
        self.frames: queue.Queue[EncodedFrame] = queue.Queue()

    def next(self) -> EncodedFrame:
        return self.frames.get(timeout=WAIT_S)

    def next_key(self) -> EncodedFrame:
        return next(frame for frame in iter(self.next, None) if frame.kind is FrameKind.KEY)


@pytest.fixture
def stream() -> Iterator[Stream]:
    stream = Stream()
    yield stream
    stream.source.stop()


def test_frames_decode_at_once_and_carry_their_stamp(stream: Stream) -> None:
    info = stream.source.start(PLAN, stream.frames.put)
    assert (info.encoder, info.codec, info.mode) == ("libx264", Codec.H264, PLAN.mode)
    decoder = av.CodecContext.create("h264", "r")
    for number in range(12):
        frame = stream.next()
        assert frame.source_id == number
        assert frame.kind is (FrameKind.DELTA if number else FrameKind.KEY)
        assert frame.capture_ns <= frame.encode_start_ns <= frame.encoded_ns
        (picture,) = decoder.decode(av.Packet(frame.data))
        stamp = read_stamp(picture.to_ndarray()[:240])
        assert stamp is not None
        assert stamp == (number, frame.capture_ns)


def test_a_keyframe_comes_when_asked_and_not_before(stream: Stream) -> None:
    stream.source.start(PLAN, stream.frames.put)
    assert stream.next().kind is FrameKind.KEY
    assert all(stream.next().kind is FrameKind.DELTA for _ in range(10))
    stream.source.request_keyframe()
    key = stream.next_key()
    assert bytes(key.data[:5]) == b"\0\0\0\1\x67"


def test_a_new_mode_goes_on_counting_and_starts_with_a_keyframe(stream: Stream) -> None:
    stream.source.start(PLAN, stream.frames.put)
    stream.next_key()
    stream.source.reconfigure(VideoPlan(Mode(640, 360, 120_000)))
    frame = stream.next_key()
    (picture,) = av.CodecContext.create("h264", "r").decode(av.Packet(frame.data))
    assert (picture.width, picture.height) == (640, 360)
    assert frame.source_id > 0


def test_raising_the_bitrate_reopens_and_lowering_does_not(stream: Stream) -> None:
    stream.source.start(PLAN, stream.frames.put)
    stream.next_key()
    stream.source.set_bitrate(1000)
    assert all(stream.next().kind is FrameKind.DELTA for _ in range(5))
    stream.source.set_bitrate(9000)
    stream.next_key()


def test_nothing_is_delivered_after_stop(stream: Stream) -> None:
    stream.source.start(PLAN, stream.frames.put)
    stream.next()
    stream.source.stop()
    delivered = stream.frames.qsize()
    stream.source.stop()
    assert stream.frames.qsize() == delivered


def test_references_cannot_be_invalidated(stream: Stream) -> None:
    assert stream.source.invalidate(0, 1) is False


def test_hevc_and_full_chroma() -> None:
    plan = VideoPlan(Mode(320, 240, 60_000), codec=Codec.HEVC, chroma_444=True, full_range=True)
    encoder = open_encoder(plan)
    packets = [*encoder.encode(Pattern(plan).draw(0, 5)), *encoder.encode(None)]
    (picture, *_) = [
        *(decoder := av.CodecContext.create("hevc", "r")).decode(av.Packet(bytes(packets[0]))),
        *decoder.decode(None),
    ]
    luma = picture.to_ndarray()[0] if picture.to_ndarray().ndim == 3 else picture.to_ndarray()
    assert read_stamp(np.ascontiguousarray(luma)) == (0, 5)
    assert (picture.color_range, picture.format.name) in ((2, "yuv444p"), (2, "yuvj444p"))


@pytest.mark.parametrize("plan", [VideoPlan(PLAN.mode, codec=Codec.AV1), VideoPlan(PLAN.mode, bit_depth=10)])
def test_what_the_pattern_cannot_be_is_refused(plan: VideoPlan) -> None:
    with pytest.raises(SourceError):
        SyntheticSource().start(plan, lambda _frame: None)
