"""Where the time of each frame went, stage by stage, from host timing and clock comparison (punktfunk1.md §6.11)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal, TypeVar, get_args

from punktfunk.client.arrival import Arrival
from punktfunk.wire.latency import LatencyWindow
from punktfunk.wire.punktfunk1.datagrams import HostTiming

Stage = Literal["capture", "encode", "pace", "host", "network", "reassemble", "decode", "total"]
"""``capture``: from the picture to the encoder's start; ``pace``: from the encoder's end to the last packet's send;
``host``: all of the former; ``network``: from there to the last packet's arrival; ``reassemble``: opening, repair
and joining; ``decode``: with the wait for the decoder; ``total``: from the picture to its decoded copy, or to the
whole access unit where nothing is decoded."""

STAGES: tuple[Stage, ...] = get_args(Stage)
MAX_WAITING = 256
WINDOW_FRAMES = 8192

_T = TypeVar("_T")


class StageLatencies:
    """Percentiles over the last ``WINDOW_FRAMES`` frames. Frames and host timings find each other by ``pts_ns``."""

    def __init__(self) -> None:
        self._windows = {stage: LatencyWindow(WINDOW_FRAMES) for stage in STAGES}
        self._counts = dict.fromkeys(STAGES, 0)
        self._ages: OrderedDict[int, int] = OrderedDict()
        self._timings: OrderedDict[int, HostTiming] = OrderedDict()

    def arrived(self, arrival: Arrival, offset_ns: int | None, *, decoding: bool) -> None:
        """A frame became whole; ``offset_ns`` is host minus client clock, None while unknown."""
        self._add("reassemble", arrival.whole_ns - arrival.received_ns)
        if offset_ns is None:
            return
        pts_ns = arrival.unit.pts_ns
        if not decoding:
            self._add("total", arrival.whole_ns + offset_ns - pts_ns)
        age_ns = arrival.received_ns + offset_ns - pts_ns
        timing = self._timings.pop(pts_ns, None)
        if timing is not None:
            self._add("network", age_ns - 1000 * timing.host_us)
        else:
            _remember(self._ages, pts_ns, age_ns)

    def timed(self, timing: HostTiming) -> None:
        """The host's figures of a frame."""
        self._add("host", 1000 * timing.host_us)
        if timing.queue_us is not None and timing.encode_us is not None and timing.pace_us is not None:
            self._add("capture", 1000 * timing.queue_us)
            self._add("encode", 1000 * timing.encode_us)
            self._add("pace", 1000 * timing.pace_us)
        age_ns = self._ages.pop(timing.pts_ns, None)
        if age_ns is not None:
            self._add("network", age_ns - 1000 * timing.host_us)
        else:
            _remember(self._timings, timing.pts_ns, timing)

    def decoded(self, arrival: Arrival, decoded_ns: int, offset_ns: int | None) -> None:
        """A frame's picture is there."""
        self._add("decode", decoded_ns - arrival.whole_ns)
        if offset_ns is not None:
            self._add("total", decoded_ns + offset_ns - arrival.unit.pts_ns)

    def percentile_us(self, stage: Stage, percent: float) -> float | None:
        """Microseconds; None without samples."""
        return self._windows[stage].percentile_ns(percent) / 1000 if self._counts[stage] else None

    def _add(self, stage: Stage, sample_ns: int) -> None:
        # An error of the clock comparison, half a round trip at most, may turn a short time negative.
        self._windows[stage].add(sample_ns)
        self._counts[stage] += 1


def _remember(waiting: OrderedDict[int, _T], pts_ns: int, value: _T) -> None:
    waiting[pts_ns] = value
    if len(waiting) > MAX_WAITING:
        waiting.popitem(last=False)
