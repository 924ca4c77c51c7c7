"""A session's worker with a model in the encoder's place: noise of exactly the wanted bitrate, at no cost of its own.

A real encoder stays far below its bitrate on a test pattern, and would never fill a bottleneck.
"""

from __future__ import annotations

import random
import sys
import time

from punktfunk.media.displays.synthetic import Pattern, SyntheticSource
from punktfunk.media.frames import EncodedFrame, FrameKind
from punktfunk.native.worker import NativeMedia
from punktfunk.session.worker import run_worker

KEYFRAME_FACTOR = 3.0
_random = random.Random(1)


class NoiseSource(SyntheticSource):
    """Frames of 80 to 120 % of the average, keyframes three times as large. References can be invalidated, as with
    hardware encoders and pixelflux's x264."""

    _recovers = False

    def invalidate(self, first_source_id: int, last_source_id: int) -> bool:
        self._recovers = True
        return True

    def _emit(self, pattern: Pattern, number: int) -> None:
        now_ns = time.monotonic_ns()
        with self._lock:
            key, self._keyframe_wanted = self._keyframe_wanted, False
            recovery, self._recovers = self._recovers, False
            average = self._plan.bitrate_kbps * 125_000 / self._plan.mode.refresh_mhz
        size = int(average * (KEYFRAME_FACTOR if key else _random.uniform(0.8, 1.2)))
        kind = FrameKind.KEY if key else FrameKind.RECOVERY if recovery else FrameKind.DELTA
        frame = EncodedFrame(_random.randbytes(size), kind, self._next_id, now_ns, now_ns, now_ns)
        self._next_id += 1
        if self._on_frame is not None:
            self._on_frame(frame)


if __name__ == "__main__":
    for name in ("_recovers", "invalidate", "_emit"):
        setattr(SyntheticSource, name, getattr(NoiseSource, name))
    sys.exit(run_worker(NativeMedia()))
