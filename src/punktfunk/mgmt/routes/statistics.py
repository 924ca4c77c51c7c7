"""Statistics: the recorder, live samples, and finished recordings (punktfunk1.md §10.2)."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Path, Response

from punktfunk.mgmt.access import Rule
from punktfunk.mgmt.context import Context
from punktfunk.mgmt.errors import ApiError, not_found
from punktfunk.mgmt.guarded import API, Routes
from punktfunk.mgmt.management import Management
from punktfunk.mgmt.models import Answer

routes = Routes("statistics")
RecordingId = Annotated[str, Path(pattern=r"^[0-9]{13}$", description="Id of a recording.")]


class RecorderState(Answer):
    """Whether a recording runs."""

    armed: bool
    kind: str = "sessions"
    sample_count: int
    started_unix_ms: int


class Stage(Answer):
    """Time that frames spent in one stage, in microseconds."""

    name: str
    p50_us: int
    p99_us: int


class Sample(Answer):
    """One session at one time. ``packets_dropped`` were lost on the way and ``fec_recovered`` made good again, as far
    as the client tells; ``send_dropped`` were refused by this machine's own socket."""

    t_ms: int
    session_id: str
    stages: list[Stage]
    fps: float
    mbps: float
    bitrate_kbps: int
    frames_dropped: int
    packets_dropped: int
    send_dropped: int
    fec_recovered: int
    fec_percent: int
    loss_percent: float


class CaptureMeta(Answer):
    """What a recording is."""

    id: str
    started_unix_ms: int
    duration_ms: int
    sample_count: int
    kind: str


class Capture(Answer):
    """A whole recording."""

    meta: CaptureMeta
    samples: list[Sample]


@routes.get(f"{API}/stats/capture/status", Rule.READ)
async def status(m: Context) -> RecorderState:
    """Whether a recording runs."""
    return _state(m)


@routes.get(f"{API}/stats/capture/live", Rule.READ)
async def live(m: Context) -> list[Sample]:
    """The newest figures of every session that streams; those of each second are also events."""
    return [Sample.model_validate(sample) for sample in m.watcher.newest]


@routes.post(f"{API}/stats/capture/start", Rule.OPERATE, errors=(409,))
async def start(m: Context) -> RecorderState:
    """Begin a recording."""
    if not m.recorder.start(_now_ms(m)):
        raise ApiError(409, "a recording runs already")
    m.events.publish("recording", {"armed": True})
    return _state(m)


@routes.post(f"{API}/stats/capture/stop", Rule.OPERATE, errors=(409, 503))
async def stop(m: Context) -> CaptureMeta:
    """End the recording and keep it."""
    capture = m.recorder.stop(_now_ms(m))
    if capture is None:
        raise ApiError(409, "no recording runs")
    try:
        await asyncio.to_thread(m.recordings.save, capture)
    except OSError as error:
        raise ApiError(503, f"the recording could not be kept: {error.strerror}") from error
    m.events.publish("recording", {"armed": False, "id": capture.meta.id})
    return CaptureMeta.model_validate(capture.meta)


@routes.get(f"{API}/stats/recordings", Rule.READ)
async def recordings(m: Context) -> list[CaptureMeta]:
    """The recordings that were kept, newest first."""
    found = await asyncio.to_thread(m.recordings.all)
    return [CaptureMeta.model_validate(meta) for meta in found]


@routes.get(f"{API}/stats/recordings/{{recording}}", Rule.READ, errors=(404,))
async def download(m: Context, recording: RecordingId, response: Response) -> Capture:
    """A whole recording."""
    capture = await asyncio.to_thread(m.recordings.read, recording)
    if capture is None:
        raise not_found("such recording")
    response.headers["Content-Disposition"] = f'attachment; filename="punktfunk-{recording}.json"'
    return Capture.model_validate(capture)


@routes.delete(f"{API}/stats/recordings/{{recording}}", Rule.OPERATE, status_code=204, errors=(404,))
async def delete(m: Context, recording: RecordingId) -> Response:
    """Remove a recording."""
    if not await asyncio.to_thread(m.recordings.delete, recording):
        raise not_found("such recording")
    return Response(status_code=204)


def _state(m: Management) -> RecorderState:
    recorder = m.recorder
    return RecorderState(
        armed=recorder.armed, sample_count=recorder.sample_count, started_unix_ms=recorder.started_unix_ms
    )


def _now_ms(m: Management) -> int:
    return int(m.wall_clock() * 1000)
