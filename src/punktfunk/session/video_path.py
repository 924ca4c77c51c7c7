"""Between the encoder and the plane's sender: what a loss means for the encoder, and how the stream is doing."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from punktfunk.media.frames import EncodedFrame, FrameKind
from punktfunk.media.video_source import VideoSource
from punktfunk.wire.latency import LatencyWindow

KEYFRAME_SPACING_NS = 150_000_000
"""Least time between two keyframes that a client asked for: a burst of requests costs one."""
LEDGER_FRAMES = 512
"""How many sent frames are remembered for reference invalidation (8 s at 60 Hz)."""


class VideoOut(Protocol):
    """What a plane sends frames through; called from the encoder's thread."""

    def send(self, frame: EncodedFrame) -> int | None:
        """Send one frame; its wire number, or None when it was dropped before the wire."""
        ...


class VideoPath:
    """Ledger, keyframe policy and counters of one stream. ``frame`` runs on the encoder's thread, the rest on any."""

    def __init__(self, source: VideoSource, *, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._ledger: OrderedDict[int, int] = OrderedDict()
        self._keyframe_wanted = False
        self._keyframe_pending = False
        self._last_keyframe_ns = -KEYFRAME_SPACING_NS
        self.last_frame_ns = 0
        self.frames = 0
        self.keyframes = 0
        self.recoveries = 0
        self.dropped = 0
        self.wait_times = LatencyWindow()
        """From the capture to the encoder's start: the capture library's own pace."""
        self.encode_times = LatencyWindow()
        self.send_times = LatencyWindow()
        """From the encoder's end to the last packet."""

    def frame(self, frame: EncodedFrame, out: VideoOut) -> None:
        """One frame from the encoder to the wire."""
        self.last_frame_ns = frame.encoded_ns
        index = out.send(frame)
        sent_ns = self._clock()
        with self._lock:
            if frame.kind is FrameKind.KEY:
                self._keyframe_pending = False
            if index is None:
                self.dropped += 1
            else:
                self._account(frame, index, sent_ns)
            if self._keyframe_wanted:
                self._want_keyframe(frame.encoded_ns)

    def request_keyframe(self, now_ns: int) -> None:
        """The client cannot go on without one; requests that come too close together share a keyframe."""
        with self._lock:
            self._want_keyframe(now_ns)

    def invalidate(self, first: int, last: int, now_ns: int) -> None:
        """The client lost wire frames ``first``..``last``: predict from none of them."""
        with self._lock:
            newest = next(reversed(self._ledger), None)
            if newest is None or first > newest:
                return
            source_first, source_last = self._ledger.get(first), self._ledger.get(min(last, newest))
        if source_first is None or source_last is None or not self._source.invalidate(source_first, source_last):
            self.request_keyframe(now_ns)

    def _want_keyframe(self, now_ns: int) -> None:
        if self._keyframe_pending:
            return
        self._keyframe_wanted = now_ns - self._last_keyframe_ns < KEYFRAME_SPACING_NS
        if not self._keyframe_wanted:
            self._keyframe_pending = True
            self._source.request_keyframe()

    def _account(self, frame: EncodedFrame, index: int, sent_ns: int) -> None:
        self.frames += 1
        if frame.kind is FrameKind.KEY:
            self.keyframes += 1
            self._last_keyframe_ns = frame.encoded_ns
        elif frame.kind is FrameKind.RECOVERY:
            self.recoveries += 1
        self._ledger[index] = frame.source_id
        if len(self._ledger) > LEDGER_FRAMES:
            self._ledger.popitem(last=False)
        self.wait_times.add(frame.encode_start_ns - frame.capture_ns)
        self.encode_times.add(frame.encoded_ns - frame.encode_start_ns)
        self.send_times.add(sent_ns - frame.encoded_ns)
