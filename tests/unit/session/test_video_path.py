from punktfunk.media.frames import EncodedFrame, FrameHandler, FrameKind
from punktfunk.media.plan import VideoPlan
from punktfunk.media.video_source import SourceInfo
from punktfunk.session.video_path import KEYFRAME_SPACING_NS, LEDGER_FRAMES, VideoPath


class Source:
    """A source that only notes what it is asked."""

    def __init__(self, can_invalidate: bool = True) -> None:
        self.keyframes = 0
        self.invalidated: list[tuple[int, int]] = []
        self._can = can_invalidate

    def start(self, plan: VideoPlan, on_frame: FrameHandler) -> SourceInfo:
        raise NotImplementedError

    def reconfigure(self, plan: VideoPlan) -> SourceInfo:
        raise NotImplementedError

    def request_keyframe(self) -> None:
        self.keyframes += 1

    def invalidate(self, first_source_id: int, last_source_id: int) -> bool:
        self.invalidated.append((first_source_id, last_source_id))
        return self._can

    def set_bitrate(self, kbps: int) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError


class Wire:
    """Numbers frames from 1, as GameStream does."""

    def __init__(self) -> None:
        self.sent = 0
        self.open = True

    def send(self, frame: EncodedFrame) -> int | None:
        if not self.open:
            return None
        self.sent += 1
        return self.sent


def frame(number: int, kind: FrameKind = FrameKind.DELTA, at_ns: int | None = None) -> EncodedFrame:
    at = number * 16_000_000 if at_ns is None else at_ns
    return EncodedFrame(b"x", kind, 1000 + number, at, at, at)


def streaming(can_invalidate: bool = True, frames: int = 10) -> tuple[VideoPath, Source, Wire]:
    source, wire = Source(can_invalidate), Wire()
    path = VideoPath(source)
    for number in range(1, frames + 1):
        path.frame(frame(number, FrameKind.KEY if number == 1 else FrameKind.DELTA), wire)
    return path, source, wire


def test_a_loss_is_told_in_the_sources_own_numbers() -> None:
    path, source, _ = streaming()
    path.invalidate(7, 8, 10**9)
    path.invalidate(9, 99, 10**9)
    assert source.invalidated == [(1007, 1008), (1009, 1010)]
    assert source.keyframes == 0


def test_a_source_that_cannot_is_asked_for_a_keyframe() -> None:
    path, source, _ = streaming(can_invalidate=False)
    path.invalidate(7, 7, 10**9)
    assert source.keyframes == 1


def test_a_loss_beyond_memory_costs_a_keyframe_and_a_frame_never_sent_costs_nothing() -> None:
    path, source, _ = streaming(frames=LEDGER_FRAMES + 5)
    path.invalidate(3, 3, 10**12)
    assert (source.invalidated, source.keyframes) == ([], 1)
    path, source, _ = streaming()
    path.invalidate(11, 11, 10**9)
    assert (source.invalidated, source.keyframes) == ([], 0)


def test_the_ledger_follows_wire_numbers_when_frames_are_dropped_before_the_wire() -> None:
    path, source, wire = streaming()
    wire.open = False
    path.frame(frame(11), wire)
    wire.open = True
    path.frame(frame(12), wire)
    path.invalidate(11, 11, 10**9)
    assert source.invalidated == [(1012, 1012)]
    assert path.dropped == 1


def test_a_burst_of_requests_costs_one_keyframe() -> None:
    path, source, wire = streaming()
    for _ in range(50):
        path.request_keyframe(10**9)
    assert source.keyframes == 1
    path.frame(frame(11, FrameKind.KEY, at_ns=10**9), wire)
    for i in range(50):
        path.request_keyframe(10**9 + i)
    assert source.keyframes == 1


def test_a_request_right_after_a_keyframe_is_put_off_and_not_forgotten() -> None:
    path, source, wire = streaming()
    path.frame(frame(11, FrameKind.KEY, at_ns=10**9), wire)
    path.request_keyframe(10**9 + 1)
    path.frame(frame(12, at_ns=10**9 + KEYFRAME_SPACING_NS - 1), wire)
    assert source.keyframes == 0
    path.frame(frame(13, at_ns=10**9 + KEYFRAME_SPACING_NS), wire)
    assert source.keyframes == 1


def test_a_keyframe_that_did_not_reach_the_wire_can_be_asked_for_again() -> None:
    path, source, wire = streaming()
    path.request_keyframe(10**9)
    wire.open = False
    path.frame(frame(11, FrameKind.KEY, at_ns=10**9), wire)
    path.request_keyframe(10**9 + 1)
    assert source.keyframes == 2


def test_counters() -> None:
    path, _, wire = streaming()
    path.frame(frame(11, FrameKind.RECOVERY), wire)
    assert (path.frames, path.keyframes, path.recoveries, path.dropped) == (11, 1, 1, 0)


def test_the_time_around_the_encoder_is_told_in_parts() -> None:
    """Captured at 10 ms, encoded from 13 to 20 ms, sent at 21 ms."""
    path = VideoPath(Source(), clock=lambda: 21_000_000)
    path.frame(EncodedFrame(b"x", FrameKind.KEY, 1, 10_000_000, 13_000_000, 20_000_000), Wire())
    parts = (path.wait_times, path.encode_times, path.send_times)
    assert [part.percentile_ns(50) for part in parts] == [3_000_000, 7_000_000, 1_000_000]
