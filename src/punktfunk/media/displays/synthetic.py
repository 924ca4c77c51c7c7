"""The test pattern: a moving picture with a machine-readable stamp, encoded by PyAV. Needs nothing from the system.

H.264 and HEVC only: SVT-AV1 through FFmpeg has no live bitrate and hangs when it is closed before its end of stream.
"""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from typing import cast

import av
import msgspec
import numpy as np
from av.error import FFmpegError
from av.video.frame import PictureType, VideoFrame
from numpy.typing import NDArray

from punktfunk.media.displays.bitstream import is_keyframe, without_sei
from punktfunk.media.frames import Codec, EncodedFrame, FrameHandler, FrameKind
from punktfunk.media.plan import Mode, VideoPlan
from punktfunk.media.stamp import HEIGHT as STAMP_HEIGHT
from punktfunk.media.stamp import WIDTH as STAMP_WIDTH
from punktfunk.media.stamp import stamp_pixels
from punktfunk.media.video_source import SourceError, SourceInfo

MIN_BITRATE_KBPS = 100
_MICROSECONDS = Fraction(1, 1_000_000)
_ENDLESS_GOP = 1_000_000
_BAR_WIDTH = 64
_ENCODERS = {Codec.H264: "libx264", Codec.HEVC: "libx265"}
_COLOR_SPACES = {"bt601": 5, "bt709": 1, "bt2020": 9}
_PRIMARIES = {"bt601": 6, "bt709": 1, "bt2020": 9}
_TRANSFERS = {"bt601": 6, "bt709": 1, "bt2020": 14}


class Pattern:
    """The picture: a gradient, a bar that moves four pixels a frame, and the stamp in the left top corner."""

    def __init__(self, plan: VideoPlan) -> None:
        width, height = plan.mode.width, plan.mode.height
        self._format = "yuv444p" if plan.chroma_444 else "yuv420p"
        self._background = np.linspace(40, 200, width, dtype=np.uint8)[None, :].repeat(height, axis=0)
        self._bar = np.full((height, min(_BAR_WIDTH, width)), 235, np.uint8)
        self._plan = plan

    def draw(self, number: int, clock_ns: int) -> VideoFrame:
        """Frame ``number`` as drawn at ``clock_ns``."""
        width, height = self._plan.mode.width, self._plan.mode.height
        frame = VideoFrame(width, height, self._format)
        luma = _plane(frame, 0)
        luma[:] = self._background
        left = number * 4 % max(1, width - self._bar.shape[1])
        luma[height // 2 :, left : left + self._bar.shape[1]] = self._bar[height // 2 :]
        if width >= STAMP_WIDTH and height >= STAMP_HEIGHT:
            luma[:STAMP_HEIGHT, :STAMP_WIDTH] = stamp_pixels(number, clock_ns)
        _plane(frame, 1)[:] = 96 + number % 64
        _plane(frame, 2)[:] = 128
        frame.colorspace = _COLOR_SPACES.get(self._plan.color_space, 1)
        frame.color_range = 2 if self._plan.full_range else 1
        return frame


class SyntheticSource:
    """Encodes the pattern on a thread of its own, paced to the plan's rate. See VideoSource."""

    def __init__(self) -> None:
        self._plan = VideoPlan(Mode(0, 0, 0))
        self._on_frame: FrameHandler | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._encoder: av.VideoCodecContext | None = None
        self._keyframe_wanted = True
        self._next_id = 0

    def start(self, plan: VideoPlan, on_frame: FrameHandler) -> SourceInfo:
        """Begin, with a keyframe."""
        self._on_frame = on_frame
        return self._begin(plan)

    def request_keyframe(self) -> None:
        """Make the next frame an IDR."""
        with self._lock:
            self._keyframe_wanted = True

    def invalidate(self, first_source_id: int, last_source_id: int) -> bool:
        """False: FFmpeg's encoders cannot leave a frame out of their predictions."""
        return False

    def set_bitrate(self, kbps: int) -> None:
        """Change the target bitrate; anything but lowering x264's costs a keyframe."""
        with self._lock:
            plan = _with_bitrate(self._plan, kbps)
            encoder = self._encoder
            if encoder is None:
                return
            if plan.codec is Codec.H264 and encoder.max_bit_rate and plan.bitrate_kbps * 1000 <= encoder.max_bit_rate:
                encoder.bit_rate = plan.bitrate_kbps * 1000
            else:
                self._encoder, self._keyframe_wanted = open_encoder(plan), True
            self._plan = plan

    def reconfigure(self, plan: VideoPlan) -> SourceInfo:
        """Change mode or encoding; the next frame is a keyframe."""
        self._halt()
        return self._begin(plan)

    def stop(self) -> None:
        """End; no frame is delivered after it returns."""
        self._halt()
        self._encoder = None

    def _begin(self, plan: VideoPlan) -> SourceInfo:
        self._plan, self._encoder, self._keyframe_wanted = plan, open_encoder(plan), True
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="test pattern", daemon=True)
        self._thread.start()
        return SourceInfo(
            encoder=_ENCODERS[plan.codec],
            why="software: the test pattern is always encoded by FFmpeg",
            codec=plan.codec,
            mode=plan.mode,
            chroma_444=plan.chroma_444,
            color_space=plan.color_space,
            full_range=plan.full_range,
        )

    def _halt(self) -> None:
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        pattern = Pattern(self._plan)
        period_ns = 1_000_000_000_000 // self._plan.mode.refresh_mhz
        due_ns = time.monotonic_ns()
        number = 0
        while not self._stopping.is_set():
            self._emit(pattern, number)
            number += 1
            # A machine that cannot keep up skips ahead instead of hurrying after.
            due_ns = max(due_ns + period_ns, time.monotonic_ns() - period_ns)
            self._stopping.wait(max(0, due_ns - time.monotonic_ns()) / 1e9)

    def _emit(self, pattern: Pattern, number: int) -> None:
        capture_ns = time.monotonic_ns()
        picture = pattern.draw(number, capture_ns)
        with self._lock:
            encoder, forced, self._keyframe_wanted = self._encoder, self._keyframe_wanted, False
            if encoder is None:
                return
            picture.pts, picture.time_base = capture_ns // 1000, _MICROSECONDS
            picture.pict_type = PictureType.I if forced else PictureType.NONE
            start_ns = time.monotonic_ns()
            packets = encoder.encode(picture)
            encoded_ns = time.monotonic_ns()
            codec = self._plan.codec
        for packet in packets:
            self._deliver(codec, bytes(packet), capture_ns, start_ns, encoded_ns)

    def _deliver(self, codec: Codec, data: bytes, capture_ns: int, start_ns: int, encoded_ns: int) -> None:
        keyframe = is_keyframe(codec, data)
        kind = FrameKind.KEY if keyframe else FrameKind.DELTA
        unit = without_sei(codec, data) if keyframe else data
        frame = EncodedFrame(unit, kind, self._next_id, capture_ns, start_ns, encoded_ns)
        self._next_id += 1
        if self._on_frame is not None:
            self._on_frame(frame)


def open_encoder(plan: VideoPlan) -> av.VideoCodecContext:
    """A low-latency encoder for a plan: no B-frames, endless GOP, one frame of VBV. Raises SourceError."""
    if plan.bit_depth != 8 or plan.codec not in _ENCODERS:
        raise SourceError(f"the test pattern cannot be had as {plan.codec} with {plan.bit_depth} bits")
    bits = max(plan.bitrate_kbps, MIN_BITRATE_KBPS) * 1000
    try:
        encoder = cast(av.VideoCodecContext, av.CodecContext.create(_ENCODERS[plan.codec], "w"))
        encoder.width, encoder.height = plan.mode.width, plan.mode.height
        encoder.pix_fmt = "yuv444p" if plan.chroma_444 else "yuv420p"
        encoder.time_base = _MICROSECONDS
        encoder.framerate = Fraction(plan.mode.refresh_mhz, 1000)
        encoder.bit_rate = bits
        encoder.gop_size = _ENDLESS_GOP
        encoder.max_b_frames = 0
        encoder.thread_count = max(1, min(plan.slices_per_frame, 4)) if plan.codec is Codec.H264 else 0
        encoder.thread_type = "SLICE"
        encoder.colorspace = _COLOR_SPACES.get(plan.color_space, 1)
        encoder.color_primaries = _PRIMARIES.get(plan.color_space, 1)
        encoder.color_trc = _TRANSFERS.get(plan.color_space, 1)
        encoder.color_range = 2 if plan.full_range else 1
        encoder.options = _options(plan, bits)
        encoder.open()
    except (FFmpegError, ValueError) as error:
        raise SourceError(f"cannot open {_ENCODERS[plan.codec]} for {plan.mode}: {error}") from error
    return encoder


def _options(plan: VideoPlan, bits: int) -> dict[str, str]:
    vbv = {"maxrate": str(bits), "bufsize": str(bits * 1000 // plan.mode.refresh_mhz)}
    references = plan.max_reference_frames or 3
    shared = {"preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1", **vbv}
    if plan.codec is Codec.H264:
        return {**shared, "x264-params": f"ref={references}:scenecut=0:rc-lookahead=0"}
    x265 = f"repeat-headers=1:keyint=-1:scenecut=0:bframes=0:ref={references}:log-level=none"
    return {**shared, "x265-params": x265}


def _plane(frame: VideoFrame, index: int) -> NDArray[np.uint8]:
    plane = frame.planes[index]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)  # type: ignore[call-overload]
    view: NDArray[np.uint8] = rows[:, : plane.width]
    return view


def _with_bitrate(plan: VideoPlan, kbps: int) -> VideoPlan:
    return msgspec.structs.replace(plan, bitrate_kbps=max(kbps, MIN_BITRATE_KBPS))
