"""Sessions: list, figures, end, keyframe, bitrate. The old paths act on the session where there is only one."""

from __future__ import annotations

from typing import Annotated

from fastapi import Response
from pydantic import Field

from punktfunk.mgmt.access import Rule
from punktfunk.mgmt.context import Context
from punktfunk.mgmt.errors import ApiError, not_found
from punktfunk.mgmt.guarded import API, Routes
from punktfunk.mgmt.host_view import SessionFacts
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.models import Answer, Body, SessionId

routes = Routes("sessions")
_PICTURE = {200: {"content": {"image/png": {}}, "description": "The picture."}}


class Mode(Answer):
    """Pixels and refresh rate in thousandths of a hertz."""

    width: int
    height: int
    refresh_mhz: int


class Statistics(Answer):
    """Counters since the start of the present worker and percentiles of recent frames.

    ``added`` is the time from capture to the last packet, less the encoder's own: ``wait``, from the capture to the
    encoder's start, and ``send``, from the encoder's end to the last packet.
    ``unsent_packets`` are those that this machine's own socket refused.
    """

    frames: int
    keyframes: int
    recoveries: int
    dropped_frames: int
    video_packets: int
    video_bytes: int
    unsent_packets: int
    audio_packets: int
    encode_p50_us: int
    encode_p99_us: int
    added_p50_us: int
    added_p99_us: int
    wait_p50_us: int
    wait_p99_us: int
    send_p50_us: int
    send_p99_us: int


class Path(Answer):
    """What the client tells about the way of its packets; ``loss_ppm`` is of late and before recovery, the counters are
    of the stream's life. ``fec_percent`` is the parity that goes out now."""

    fec_percent: int
    loss_ppm: int
    lost_packets: int
    recovered_packets: int


class Session(Answer):
    """A session. ``state`` is one of the life cycle of docs/architecture.md."""

    id: str
    device_id: str
    device_name: str
    plane: str
    app: str
    state: str
    mode: Mode
    started_unix: float
    streaming: bool
    codec: str
    encoder: str
    encoder_why: str
    bitrate_kbps: int
    audio_channels: int
    statistics: Statistics
    path: Path


class Bitrate(Body):
    """A wish; the host keeps it within its limits."""

    kbps: Annotated[int, Field(ge=500, le=1_000_000)]


class BitrateAnswer(Answer):
    """What was set."""

    kbps: int


@routes.get(f"{API}/sessions", Rule.READ)
async def list_sessions(m: Context) -> list[Session]:
    """Every session with its live figures, oldest first."""
    return [Session.model_validate(session) for session in m.host.sessions.all()]


@routes.get(f"{API}/sessions/{{session}}", Rule.READ, errors=(404,))
async def get_session(m: Context, session: SessionId) -> Session:
    """One session."""
    return Session.model_validate(_find(m, session))


@routes.delete(f"{API}/sessions/{{session}}", Rule.OPERATE, status_code=204, errors=(404,))
async def end_session(m: Context, session: SessionId) -> Response:
    """End a session with its desktop and programs."""
    if not await m.host.sessions.end(session):
        raise not_found("such session")
    return Response(status_code=204)


@routes.post(
    f"{API}/sessions/{{session}}/idr", Rule.OPERATE, status_code=202, errors=(404, 409), response_class=Response
)
async def force_keyframe(m: Context, session: SessionId) -> Response:
    """Ask the encoder for a keyframe."""
    return _keyframe(m, _find(m, session))


@routes.get(
    f"{API}/sessions/{{session}}/picture", Rule.OPERATE, errors=(404,), response_class=Response, answers=_PICTURE
)
async def picture(m: Context, session: SessionId) -> Response:
    """A small picture of what the desktop shows, at most one in two seconds. It takes the right to operate: whoever
    merely reads figures does not look over people's shoulders."""
    data = await m.host.sessions.picture(_find(m, session).id)
    if data is None:
        raise not_found("picture of this session's display")
    return Response(data, media_type="image/png")


@routes.put(f"{API}/sessions/{{session}}/bitrate", Rule.OPERATE, errors=(404, 409))
async def set_bitrate(m: Context, session: SessionId, body: Bitrate) -> BitrateAnswer:
    """Change the video bitrate while it streams."""
    kbps = m.host.sessions.set_bitrate(_find(m, session).id, body.kbps)
    if kbps is None:
        raise ApiError(409, "nothing streams in this session")
    return BitrateAnswer(kbps=kbps)


@routes.delete(f"{API}/session", Rule.OPERATE, status_code=204)
async def end_all(m: Context) -> Response:
    """End what streams; kept from released hosts, which had one session."""
    for session in m.host.sessions.all():
        await m.host.sessions.end(session.id)
    return Response(status_code=204)


@routes.post(f"{API}/session/idr", Rule.OPERATE, status_code=202, errors=(409,), response_class=Response)
async def force_keyframes(m: Context) -> Response:
    """Ask every encoder for a keyframe; kept from released hosts."""
    streaming = [s for s in m.host.sessions.all() if s.streaming]
    if not streaming:
        raise ApiError(409, "nothing streams")
    for session in streaming:
        m.host.sessions.force_keyframe(session.id)
    return Response(status_code=202)


def _keyframe(m: Management, session: SessionFacts) -> Response:
    if not m.host.sessions.force_keyframe(session.id):
        raise ApiError(409, "nothing streams in this session")
    return Response(status_code=202)


def _find(m: Management, session_id: str) -> SessionFacts:
    for session in m.host.sessions.all():
        if session.id == session_id:
            return session
    raise not_found("such session")
