"""The RTSP handshake of one launch, from OPTIONS to PLAY (gamestream.md §3.4, §3.5)."""

from __future__ import annotations

import enum
import re
import secrets
from dataclasses import dataclass

from punktfunk.gamestream.audio_layouts import describe_lines
from punktfunk.gamestream.launch import LaunchRequest, StreamRefused
from punktfunk.gamestream.rtsp.message import RtspRequest, RtspResponse
from punktfunk.gamestream.sdp import SdpError, parse_announce
from punktfunk.gamestream.stream_plan import StreamOffer, StreamPlan, plan_stream

PING_PAYLOAD_CHARACTERS = 16
_STREAM_KIND = re.compile(r"streamid=(audio|video|control)/[0-9/]*\Z")


@dataclass(frozen=True, slots=True)
class MediaPorts:
    """The UDP ports that SETUP names."""

    video: int
    control: int
    audio: int


@dataclass(frozen=True, slots=True)
class Announced:
    """The client asks for this stream: start it, then answer with what ``RtspHandshake.started`` makes."""

    sequence: str
    plan: StreamPlan


class _State(enum.Enum):
    SETUP = enum.auto()
    STARTING = enum.auto()
    STARTED = enum.auto()
    DONE = enum.auto()
    FAILED = enum.auto()


class RtspHandshake:
    """Answers the seven requests. ``ping_payload`` and ``connect_data`` recognise the client's UDP traffic later.

    ``ping_payload`` is exactly 16 characters and ``connect_data`` an unsigned 32-bit number; use unpredictable values.
    """

    def __init__(
        self, launch: LaunchRequest, offer: StreamOffer, ports: MediaPorts, *, ping_payload: str, connect_data: int
    ) -> None:
        if len(ping_payload) != PING_PAYLOAD_CHARACTERS:
            raise ValueError(f"ping_payload must have {PING_PAYLOAD_CHARACTERS} characters")
        self._launch = launch
        self._offer = offer
        self._ports = ports
        self._ping_payload = ping_payload
        self._connect_data = connect_data
        self._state = _State.SETUP
        self.session = secrets.token_hex(6).upper()

    @property
    def finished(self) -> bool:
        """Whether nothing more is to come: PLAY was answered, or the stream was refused."""
        return self._state in (_State.DONE, _State.FAILED)

    @property
    def stream_started(self) -> bool:
        """Whether the stream that ANNOUNCE asked for was started."""
        return self._state in (_State.STARTED, _State.DONE)

    def handle(self, request: RtspRequest) -> RtspResponse | Announced:
        """Answer one request, or hand over the stream that it asks for."""
        session = request.headers.get("session")
        if session is not None and session.partition(";")[0] != self.session:
            return RtspResponse(request.sequence, 454)
        match request.command:
            case "OPTIONS":
                return RtspResponse(request.sequence)
            case "DESCRIBE":
                return RtspResponse(request.sequence, body=self._describe())
            case "SETUP":
                return self._setup(request)
            case "ANNOUNCE":
                return self._announce(request)
            case "PLAY":
                return self._play(request)
            case _:
                return RtspResponse(request.sequence, 404)

    def started(self, announced: Announced, refused: StreamRefused | None = None) -> RtspResponse:
        """The reply to ANNOUNCE once the stream runs, or was ``refused``."""
        self._state = _State.FAILED if refused else _State.STARTED
        return RtspResponse(announced.sequence, refused.status if refused else 200)

    def _describe(self) -> str:
        offer = self._offer
        lines = [
            f"a=x-ss-general.featureFlags:{int(offer.features)}",
            f"a=x-ss-general.encryptionSupported:{int(offer.supported)}",
            f"a=x-ss-general.encryptionRequested:{int((offer.requested | offer.required) & offer.supported)}",
        ]
        if offer.reference_invalidation:
            lines.append("a=x-nv-video[0].refPicInvalidation:1")
        if offer.codecs.any_hevc:
            lines.append("sprop-parameter-sets=AAAAAU")
        if offer.codecs.any_av1:
            lines.append("a=rtpmap:98 AV1/90000")
        lines += [f"a=fmtp:97 surround-params={value}" for value in describe_lines(self._launch.surround_params)]
        return "\n".join(lines) + "\n"

    def _setup(self, request: RtspRequest) -> RtspResponse:
        match = _STREAM_KIND.match(request.target)
        if match is None:
            return RtspResponse(request.sequence, 404)
        port = {"audio": self._ports.audio, "video": self._ports.video, "control": self._ports.control}[match[1]]
        token = ("X-SS-Ping-Payload", self._ping_payload)
        if match[1] == "control":
            token = ("X-SS-Connect-Data", str(self._connect_data))
        session = ("Session", f"{self.session};timeout = 90")
        return RtspResponse(request.sequence, 200, (session, ("Transport", f"server_port={port}"), token))

    def _announce(self, request: RtspRequest) -> RtspResponse | Announced:
        if self._state is not _State.SETUP:
            return RtspResponse(request.sequence, 455)
        try:
            asked = parse_announce(request.body)
            plan = plan_stream(asked, self._launch, self._offer, request.headers.get("host", ""))
        except SdpError:
            self._state = _State.FAILED
            return RtspResponse(request.sequence, 400)
        except StreamRefused as refused:
            self._state = _State.FAILED
            return RtspResponse(request.sequence, refused.status)
        self._state = _State.STARTING
        return Announced(request.sequence, plan)

    def _play(self, request: RtspRequest) -> RtspResponse:
        if self._state is not _State.STARTED:
            return RtspResponse(request.sequence, 455)
        self._state = _State.DONE
        return RtspResponse(request.sequence)
