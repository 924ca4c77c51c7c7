"""For those who run the host: is it alive, is it ready, and figures for Prometheus."""

from __future__ import annotations

from fastapi import Response
from fastapi.responses import PlainTextResponse

from punktfunk.mgmt.access import Rule
from punktfunk.mgmt.context import Context
from punktfunk.mgmt.errors import unavailable
from punktfunk.mgmt.guarded import Routes
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.metrics import CONTENT_TYPE, Metric, to_text

routes = Routes("operation")
_TEXT = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@routes.get("/livez", Rule.OPEN, response_class=PlainTextResponse)
async def livez() -> str:
    """The process answers."""
    return "ok\n"


@routes.get("/readyz", Rule.OPEN, errors=(503,), response_class=PlainTextResponse)
async def readyz(m: Context) -> str:
    """Clients can connect."""
    if not m.host.ready():
        raise unavailable("the host is starting or stopping")
    return "ok\n"


@routes.get("/metrics", Rule.LOOPBACK, response_class=Response, answers=_TEXT)
async def metrics(m: Context) -> Response:
    """Figures in Prometheus' text form; open to programs of the same machine."""
    return Response(to_text(_metrics(m)), media_type=CONTENT_TYPE)


def _metrics(m: Management) -> list[Metric]:
    facts, sessions = m.host.facts(), m.host.sessions.all()
    info = Metric("punktfunk_info", "gauge", "What runs; always 1.")
    info.add(1, version=facts.version, encoder=facts.encoder, display=facts.display)
    uptime = Metric("punktfunk_uptime_seconds", "gauge", "Time since the host started.")
    uptime.add(facts.uptime_s)
    devices = Metric("punktfunk_paired_devices", "gauge", "Paired devices by kind of client.")
    for plane in ("native", "gamestream"):
        devices.add(sum(d.plane == plane for d in m.store.devices()), plane=plane)
    count = Metric("punktfunk_sessions", "gauge", "Sessions by state.")
    for state in sorted({s.state for s in sessions}):
        count.add(sum(s.state == state for s in sessions), state=state)
    listeners = Metric("punktfunk_event_listeners", "gauge", "Open event streams of the management API.")
    listeners.add(m.events.listeners)
    lines = Metric("punktfunk_log_lines_total", "counter", "Log lines since the start.")
    lines.add(m.logs.count)
    return [info, uptime, devices, count, listeners, lines, *_session_metrics(m)]


def _session_metrics(m: Management) -> list[Metric]:
    counters = {
        "frames": Metric("punktfunk_session_frames_total", "counter", "Frames sent by the present worker."),
        "keyframes": Metric("punktfunk_session_keyframes_total", "counter", "Keyframes among them."),
        "dropped_frames": Metric("punktfunk_session_dropped_frames_total", "counter", "Frames not sent in time."),
        "video_packets": Metric("punktfunk_session_video_packets_total", "counter", "Video packets sent."),
        "video_bytes": Metric("punktfunk_session_video_bytes_total", "counter", "Video bytes sent."),
        "unsent_packets": Metric(
            "punktfunk_session_unsent_packets_total", "counter", "Packets that this machine's socket refused."
        ),
        "audio_packets": Metric("punktfunk_session_audio_packets_total", "counter", "Audio packets sent."),
    }
    path = {
        "lost_packets": Metric("punktfunk_session_lost_packets_total", "counter", "Packets lost on the way."),
        "recovered_packets": Metric("punktfunk_session_recovered_packets_total", "counter", "Those made good again."),
        "loss_ppm": Metric("punktfunk_session_loss_ppm", "gauge", "Packets lost of late, per million."),
        "fec_percent": Metric("punktfunk_session_fec_percent", "gauge", "Parity that goes out, per 100 packets."),
    }
    bitrate = Metric("punktfunk_session_bitrate_kbps", "gauge", "Video bitrate that the encoder aims at.")
    stages = Metric("punktfunk_session_stage_seconds", "gauge", "Time of recent frames by stage and quantile.")
    for session in m.host.sessions.all():
        if not session.streaming:
            continue
        labels = {"session": session.id, "plane": session.plane}
        figures = session.statistics
        for name, metric in counters.items():
            metric.add(getattr(figures, name), **labels)
        for name, metric in path.items():
            metric.add(getattr(session.path, name), **labels)
        bitrate.add(session.bitrate_kbps, **labels)
        for stage, p50_us, p99_us in (
            ("capture", figures.wait_p50_us, figures.wait_p99_us),
            ("encode", figures.encode_p50_us, figures.encode_p99_us),
            ("send", figures.send_p50_us, figures.send_p99_us),
        ):
            stages.add(p50_us / 1e6, stage=stage, quantile="0.5", **labels)
            stages.add(p99_us / 1e6, stage=stage, quantile="0.99", **labels)
    return [*counters.values(), *path.values(), bitrate, stages]
