"""Figures of a session over time, made from the worker's counters. Sans-IO."""

from __future__ import annotations

from punktfunk.mgmt.host_view import SessionFacts
from punktfunk.mgmt.recordings import Sample, Stage
from punktfunk.session.messages import WorkerStats
from punktfunk.session.path_report import PathReport


class Interval:
    """Remembers the counters of one session's last look, to tell what came since."""

    def __init__(self) -> None:
        self._time = 0.0
        self._counters = WorkerStats()
        self._path = PathReport()

    def since(self, session: SessionFacts, now: float) -> tuple[float, WorkerStats, PathReport]:
        """Seconds since the last look and the counters of these seconds; a replaced worker or stream counts from
        nothing."""
        counters, path = session.statistics, session.path
        before, path_before = self._counters, self._path
        elapsed_s = now - self._time if self._time else 0.0
        if counters.frames < before.frames or counters.video_bytes < before.video_bytes:
            before = WorkerStats()
        if path.lost_packets < path_before.lost_packets:
            path_before = PathReport()
        self._time, self._counters, self._path = now, counters, path
        new = WorkerStats(
            frames=counters.frames - before.frames,
            dropped_frames=counters.dropped_frames - before.dropped_frames,
            video_bytes=counters.video_bytes - before.video_bytes,
            unsent_packets=counters.unsent_packets - before.unsent_packets,
        )
        lost = path.lost_packets - path_before.lost_packets
        recovered = max(0, path.recovered_packets - path_before.recovered_packets)
        return elapsed_s, new, PathReport(path.fec_percent, path.loss_ppm, lost, recovered)


def sample_of(session: SessionFacts, interval: Interval, now: float, now_unix: float) -> Sample:
    """The figures of the time since the last call with this interval; rates are 0 at the first."""
    counters = session.statistics
    elapsed_s, new, path = interval.since(session, now)
    return Sample(
        t_ms=int(now_unix * 1000),
        session_id=session.id,
        stages=[
            Stage("capture", counters.wait_p50_us, counters.wait_p99_us),
            Stage("encode", counters.encode_p50_us, counters.encode_p99_us),
            Stage("send", counters.send_p50_us, counters.send_p99_us),
        ],
        fps=round(new.frames / elapsed_s, 2) if elapsed_s else 0.0,
        mbps=round(new.video_bytes * 8e-6 / elapsed_s, 3) if elapsed_s else 0.0,
        bitrate_kbps=session.bitrate_kbps,
        frames_dropped=new.dropped_frames,
        packets_dropped=path.lost_packets,
        send_dropped=new.unsent_packets,
        fec_recovered=path.recovered_packets,
        fec_percent=path.fec_percent,
        loss_percent=round(path.loss_ppm / 10_000, 3),
    )
