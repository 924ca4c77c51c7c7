"""From a session URL to everything the media and control planes need: the seven RTSP messages (gamestream.md §3.4)."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

from .describe import Agreement, Capabilities, agree, announce_body, check_capabilities, opus_layout
from .errors import RtspFailed, StreamFailed
from .options import CodecSupport, StreamOptions
from .rtsp import Reply, RtspClient
from .violations import Violations

DEFAULT_PORTS = {"audio": 48000, "video": 47998, "control": 47999}
IF_MODIFIED_SINCE = "Thu, 01 Jan 1970 00:00:00 GMT"
FIXED_TRANSPORT = "unicast;X-GS-ClientPort=50000-50001"


@dataclass(frozen=True)
class Launch:
    """What ``/launch`` or ``/resume`` agreed on."""

    session_url: str
    key: bytes
    rikeyid: int
    support: CodecSupport
    launched_at: float


@dataclass(frozen=True)
class Endpoint:
    port: int
    ping_payload: bytes | None
    connect_data: int


@dataclass(frozen=True)
class SessionUrl:
    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> "SessionUrl":
        matched = re.fullmatch(r"(rtsp|rtspenc)://(\[[^\]]+\]|[^:/\[\]]+):(\d{1,5})", url)
        if matched is None or not 0 < int(matched[3]) < 65536:
            raise StreamFailed(f"sessionUrl0 {url!r}")
        return cls(matched[1], matched[2].strip("[]"), int(matched[3]))


class Handshake:
    """Runs the seven messages; ``on_audio`` is called right after the audio SETUP, where clients begin to ping."""

    def __init__(self, host: str, launch: Launch, options: StreamOptions, violations: Violations) -> None:
        self.url = SessionUrl.parse(launch.session_url)
        self._check_url(host, options, violations)
        high_quality = options.wants_high_quality_audio and not (options.remote and options.channels > 2)
        self._target = launch.session_url if high_quality else f"rtsp://0.0.0.0:{self.url.port}"
        self.rtsp = RtspClient(
            host,
            self.url.port,
            self.url.host if high_quality else "0.0.0.0",
            launch.key if self.url.scheme == "rtspenc" else None,
            violations,
        )
        self._host, self._launch, self._options, self._violations = host, launch, options, violations
        self._session: str | None = None

    async def run(self, on_audio: Callable[[Endpoint, Agreement], None]) -> tuple[Agreement, Endpoint, Endpoint]:
        """The agreement and the endpoints of video and control."""
        await self.rtsp.request("OPTIONS", self._target)
        described = await self.rtsp.request(
            "DESCRIBE", self._target, {"Accept": "application/sdp", "If-Modified-Since": IF_MODIFIED_SINCE}
        )
        self.capabilities = Capabilities.parse(described.body)
        check_capabilities(self.capabilities, self._launch.support, self._violations)
        layout = opus_layout(self.capabilities, self._options.channels, self._options.wants_high_quality_audio)
        if layout is None:
            raise RtspFailed("DESCRIBE", 0, f"no Opus layout for {self._options.channels} channels")
        agreement = agree(self.capabilities, self._launch.support, self._options, layout)
        on_audio(await self._setup("audio", "audio/0/0"), agreement)
        video = await self._setup("video", "video/0/0")
        control = await self._setup("control", "control/13/0")
        body = announce_body(agreement, self._options, self._host)
        session = {"Session": self._session or ""}
        length = {"Content-type": "application/sdp", "Content-length": str(len(body))}
        await self.rtsp.request("ANNOUNCE", "streamid=control/13/0", session | length, body)
        await self.rtsp.request("PLAY", "/", session)
        return agreement, video, control

    async def _setup(self, stream: str, target: str) -> Endpoint:
        headers = {"Transport": FIXED_TRANSPORT, "If-Modified-Since": IF_MODIFIED_SINCE}
        if self._session is not None:
            headers = {"Session": self._session, **headers}
        reply = await self.rtsp.request("SETUP", f"streamid={target}", headers)
        token = reply.headers.get("Session", "").partition(";")[0]
        if self._session is None:
            if not token:
                raise RtspFailed("SETUP", 0, "no Session header in the first SETUP reply")
            self._session = token
        elif token != self._session:
            self._violations.add("rtsp.session", f"{stream}: {token!r}")
        return self._endpoint(stream, reply)

    def _endpoint(self, stream: str, reply: Reply) -> Endpoint:
        add = self._violations.add
        found = re.search(r"server_port=(\d+)", reply.headers.get("Transport", ""))
        if found is None:
            add("rtsp.server-port", stream)
        port = int(found[1]) if found else DEFAULT_PORTS[stream]
        payload: bytes | None = None
        connect_data = 0
        if stream == "control":
            text = reply.headers.get("X-SS-Connect-Data", "")
            if not re.fullmatch(r"0|[1-9]\d{0,9}", text) or int(text) > 0xFFFFFFFF:
                add("rtsp.connect-data", text)
            else:
                connect_data = int(text)
        else:
            text = reply.headers.get("X-SS-Ping-Payload", "")
            if len(text) != 16 or not text.isascii():
                add("rtsp.ping-payload", f"{stream}: {text!r}")
            else:
                payload = text.encode()
        return Endpoint(port, payload, connect_data)

    def _check_url(self, host: str, options: StreamOptions, violations: Violations) -> None:
        encrypted = options.core_version >= 1
        if (self.url.scheme == "rtspenc") != encrypted:
            violations.add("launch.scheme", f"{self.url.scheme} for corever {options.core_version}")
        try:
            same = ipaddress.ip_address(self.url.host) == ipaddress.ip_address(host)
        except ValueError:
            return
        if not same:
            violations.add("launch.session-url", f"{self.url.host}, request went to {host}")
