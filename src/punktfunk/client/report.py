"""What the probe measured, as one document for people and scripts."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from punktfunk.client.latency import STAGES
from punktfunk.client.session import Session
from punktfunk.client.timeline import PictureTimeline

PERCENTILES = (50, 95, 99)


class SessionFacts(msgspec.Struct, frozen=True):
    """What the host promised."""

    mode: str
    codec: str
    bit_depth: int
    cipher: str
    bitrate_kbps: int
    audio: str
    host_caps: list[str]
    grants: list[str]
    host_fingerprint: str


class VideoFacts(msgspec.Struct, frozen=True):
    """What arrived. ``bitrate_kbps`` counts all UDP payload; ``loss_percent`` packets that FEC had to replace."""

    seconds: float
    first_picture_ms: float | None
    frames: int
    shown: int
    rate_hz: float
    stalls: int
    longest_gap_ms: float
    keyframes: int
    wire_kbps: float
    bitrate_kbps: int
    packets: int
    refused_packets: int
    recovered_shards: int
    loss_percent: float
    lost_frames: int
    hidden_frames: int
    rfi_requests: int
    keyframe_requests: int
    bitrate_requests: int
    jumps_to_live: int
    decoder_failures: int


class AudioFacts(msgspec.Struct, frozen=True):
    """Sound; ``peak`` of 0..1 tells silence from sound, None when it was not decoded."""

    packets: int
    lost: int
    restored: int
    late: int
    peak: float | None = None


class ModeChange(msgspec.Struct, frozen=True):
    """One change in mid-stream; ``gap_ms`` is the longest time without a picture around it."""

    wanted: str
    accepted: bool
    mode: str
    gap_ms: float | None


class Check(msgspec.Struct, frozen=True):
    """One thing that the probe was asked to prove."""

    name: str
    passed: bool
    detail: str


class Report(msgspec.Struct, kw_only=True):
    """Everything; parts that were not asked for are None. Latencies are milliseconds by stage and percentile."""

    host: str
    session: SessionFacts
    video: VideoFacts | None = None
    audio: AudioFacts | None = None
    latency_ms: dict[str, dict[str, float]] = {}
    clock_offset_us: float | None = None
    rtt_us: float | None = None
    mode_changes: list[ModeChange] = []
    checks: list[Check] = []
    ended: str = ""

    @property
    def passed(self) -> bool:
        """Whether all checks did."""
        return all(check.passed for check in self.checks)


def session_facts(session: Session) -> SessionFacts:
    """The promises of a session."""
    w = session.welcome
    audio = f"PCM {w.audio.rate_hz} Hz {w.audio.bits} bit" if w.audio else "Opus"
    return SessionFacts(
        mode=str(session.mode),
        codec=w.codec.name or str(w.codec),
        bit_depth=w.bit_depth,
        cipher=w.cipher.name,
        bitrate_kbps=w.bitrate_kbps,
        audio=f"{audio}, {w.audio_channels} channels",
        host_caps=[cap.name or hex(cap) for cap in w.host_caps],
        grants=[grant.name or hex(grant) for grant in session.connection.grants],
        host_fingerprint=session.host_fingerprint.hex(),
    )


def video_facts(session: Session, timeline: PictureTimeline, started: float, seconds: float) -> VideoFacts:
    """The video so far; ``started`` is when connecting began, on the clock of the timeline."""
    s = session.statistics
    lost = max(0, s.video.recovered - s.video.late)
    return VideoFacts(
        seconds=round(seconds, 2),
        first_picture_ms=None if timeline.first is None else round(1000 * (timeline.first - started), 1),
        frames=s.feedback.frames,
        shown=timeline.pictures,
        rate_hz=round(timeline.rate_hz(), 2),
        stalls=timeline.stalls,
        longest_gap_ms=round(1000 * timeline.longest_gap_s, 1),
        keyframes=s.feedback.keyframes,
        wire_kbps=round(s.wire_bytes * 8 / 1000 / max(0.001, seconds)),
        bitrate_kbps=s.bitrate_kbps,
        packets=s.packets,
        refused_packets=s.refused,
        recovered_shards=s.video.recovered,
        loss_percent=round(100 * lost / max(1, s.video.packets + lost), 3),
        lost_frames=s.video.dropped,
        hidden_frames=s.feedback.hidden,
        rfi_requests=s.feedback.rfi_requests,
        keyframe_requests=s.feedback.keyframe_requests,
        bitrate_requests=s.feedback.bitrate_requests,
        jumps_to_live=s.feedback.jumps,
        decoder_failures=s.decoder_failures,
    )


def audio_facts(session: Session, peak: float | None) -> AudioFacts:
    """The sound so far."""
    s = session.statistics.audio
    return AudioFacts(s.frames, s.lost, s.restored, s.late, None if peak is None else round(peak, 4))


def latencies_ms(session: Session) -> dict[str, dict[str, float]]:
    """Each stage that has samples."""
    stages: dict[str, dict[str, float]] = {}
    for stage in STAGES:
        values = {p: session.statistics.latencies.percentile_us(stage, p) for p in PERCENTILES}
        known = {f"p{p}": round(us / 1000, 3) for p, us in values.items() if us is not None}
        if known:
            stages[stage] = known
    return stages


def lines(report: Report) -> Iterator[str]:
    """The report for people."""
    facts = report.session
    yield f"{report.host}: {facts.mode} {facts.codec} at {facts.bitrate_kbps} kbit/s, {facts.cipher}, {facts.audio}"
    if report.rtt_us is not None and report.clock_offset_us is not None:
        yield f"clock: round trip {report.rtt_us:.0f} µs, host ahead by {report.clock_offset_us:.0f} µs"
    v = report.video
    if v is not None:
        first = "never" if v.first_picture_ms is None else f"after {v.first_picture_ms:.0f} ms"
        yield f"video: first picture {first}; {v.shown} pictures in {v.seconds:.1f} s ({v.rate_hz:.1f} Hz)"
        yield f"  stalls over 100 ms: {v.stalls}, longest gap {v.longest_gap_ms:.0f} ms"
        yield f"  on the wire {v.wire_kbps:.0f} kbit/s, host's target {v.bitrate_kbps} kbit/s"
        yield f"  loss {v.loss_percent} %, repaired {v.recovered_shards} shards, lost frames {v.lost_frames}"
        yield f"  hidden until a recovery {v.hidden_frames}"
        yield f"  keyframes {v.keyframes}, asked for {v.keyframe_requests}; invalidations asked for {v.rfi_requests}"
    if report.audio is not None:
        a = report.audio
        level = "" if a.peak is None else f", peak {a.peak:.3f}"
        yield f"audio: {a.packets} packets, lost {a.lost}, restored {a.restored}{level}"
    if report.latency_ms:
        yield "latency (ms)    " + "".join(f"{f'p{p}':>9}" for p in PERCENTILES)
        for stage, values in report.latency_ms.items():
            yield f"  {stage:<14}" + "".join(f"{values[f'p{p}']:>9.2f}" for p in PERCENTILES)
    for change in report.mode_changes:
        gap = "" if change.gap_ms is None else f", longest gap {change.gap_ms:.0f} ms"
        yield f"mode {change.wanted}: {'accepted' if change.accepted else 'refused'}, now {change.mode}{gap}"
    for check in report.checks:
        yield f"{'ok' if check.passed else 'FAILED'}: {check.name}: {check.detail}"
    if report.ended:
        yield f"ended: {report.ended}"
