"""Who the host is and what it does now (punktfunk1.md §10.2)."""

from __future__ import annotations

from fastapi import Response

from punktfunk import __version__
from punktfunk.media.plan import Mode
from punktfunk.mgmt.access import Rule
from punktfunk.mgmt.context import Context
from punktfunk.mgmt.guarded import API, Routes
from punktfunk.mgmt.host_view import SessionFacts
from punktfunk.mgmt.models import Answer
from punktfunk.wire.punktfunk1 import WIRE_VERSION

routes = Routes("host")


class Health(Answer):
    """It answers, so it lives."""

    status: str
    version: str
    abi_version: int


class Chosen(Answer):
    """What was chosen, and why it was that."""

    choice: str
    why: str


class Host(Answer):
    """Identity, codecs and ports; the keys up to ``ports`` are those of released hosts."""

    hostname: str
    local_ip: str
    uniqueid: str
    version: str
    app_version: str
    gfe_version: str
    abi_version: int
    codecs: list[str]
    ports: dict[str, int]
    fingerprint: str
    uptime_s: float
    display: Chosen
    encoder: Chosen
    sound: str
    gamestream: bool
    native: bool


class Display(Answer):
    """One way to show a desktop."""

    id: str
    label: str
    available: bool
    default: bool


class StatusSession(Answer):
    """The mode of the first session that streams."""

    width: int
    height: int
    fps: float


class StatusStream(StatusSession):
    """Its video. ``packet_size`` and ``min_fec`` are kept for released clients; 0 means not told."""

    codec: str
    bitrate_kbps: int
    packet_size: int = 0
    min_fec: int = 0


class Status(Answer):
    """Live state."""

    video_streaming: bool
    audio_streaming: bool
    pin_pending: bool
    paired_clients: int
    session: StatusSession | None = None
    stream: StatusStream | None = None


class Summary(Answer):
    """For a status icon on the same machine."""

    version: str
    name: str
    sessions: int
    streaming: int
    paired_clients: int
    pending: int
    gamestream: bool
    native: bool
    session: StatusSession | None = None


@routes.get(f"{API}/health", Rule.OPEN)
async def health() -> Health:
    """Whether the host answers."""
    return Health(status="ok", version=__version__, abi_version=WIRE_VERSION)


@routes.get(f"{API}/host", Rule.DEVICE)
async def host(m: Context) -> Host:
    """Identity, abilities, ports, and what was chosen for display and encoder."""
    facts = m.host.facts()
    return Host(
        hostname=facts.name,
        local_ip=facts.local_ip,
        uniqueid=facts.unique_id,
        version=facts.version,
        app_version=facts.app_version,
        gfe_version=facts.gfe_version,
        abi_version=WIRE_VERSION,
        codecs=list(facts.codecs),
        ports=dict(facts.ports),
        fingerprint=facts.fingerprint,
        uptime_s=round(facts.uptime_s, 1),
        display=Chosen(choice=facts.display, why=facts.display_why),
        encoder=Chosen(choice=facts.encoder, why=facts.encoder_why),
        sound=facts.sound,
        gamestream=facts.gamestream,
        native=facts.native,
    )


@routes.post(f"{API}/host/restart", Rule.ADMIN, status_code=202, response_class=Response)
async def restart(m: Context) -> Response:
    """Stop in an orderly way, which ends every session, and start again with the settings of the file."""
    m.host.restart()
    return Response(status_code=202)


@routes.get(f"{API}/compositors", Rule.DEVICE)
async def compositors(m: Context) -> list[Display]:
    """The ways to show a desktop on this machine."""
    return [Display.model_validate(display) for display in m.host.displays()]


@routes.get(f"{API}/status", Rule.DEVICE)
async def status(m: Context) -> Status:
    """What streams, and whether somebody waits for a PIN."""
    streaming = [s for s in m.host.sessions.all() if s.streaming]
    first = streaming[0] if streaming else None
    pins = m.host.pin_entry
    return Status(
        video_streaming=bool(streaming),
        audio_streaming=any(s.audio_channels for s in streaming),
        pin_pending=bool(pins and pins.waiting()),
        paired_clients=len(m.store.devices()),
        session=_session(first.mode) if first else None,
        stream=_stream(first) if first else None,
    )


@routes.get(f"{API}/local/summary", Rule.LOOPBACK)
async def summary(m: Context) -> Summary:
    """Numbers for a status icon; programs of the same machine need no credentials."""
    facts, sessions = m.host.facts(), m.host.sessions.all()
    streaming = [s for s in sessions if s.streaming]
    pins, native = m.host.pin_entry, m.host.native_pairing
    return Summary(
        version=facts.version,
        name=facts.name,
        sessions=len(sessions),
        streaming=len(streaming),
        paired_clients=len(m.store.devices()),
        pending=len(pins.waiting() if pins else ()) + len(native.waiting() if native else ()),
        gamestream=facts.gamestream,
        native=facts.native,
        session=_session(streaming[0].mode) if streaming else None,
    )


def _session(mode: Mode) -> StatusSession:
    return StatusSession(width=mode.width, height=mode.height, fps=mode.refresh_hz)


def _stream(session: SessionFacts) -> StatusStream:
    mode = _session(session.mode).model_dump()
    return StatusStream(**mode, codec=session.codec, bitrate_kbps=session.bitrate_kbps)
