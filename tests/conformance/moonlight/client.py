"""A Moonlight client for tests: it does what a stock client does and notes every rule that the host breaks."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from xml.etree import ElementTree

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .errors import HttpFailed, StreamFailed
from .handshake import Launch
from .http import HttpClient, Response, text_of
from .identity import Identity
from .impair import Impairment
from .options import StreamOptions
from .pairing import PIN_WAIT_S, pair
from .server_info import App, ServerInfo, check_server_info, parse_apps
from .stream import Stream
from .violations import Violations

LAUNCH_TIMEOUT_S = 120


@dataclass(frozen=True)
class LaunchReply:
    """The raw agreement of ``/launch`` or ``/resume``, before any RTSP."""

    launch: Launch
    root: ElementTree.Element


class MoonlightClient:
    """One client installation talking to one host. Use as an async context manager, or call :meth:`aclose`.

    ``violations`` collects what this client and its streams found. ``pinned`` is the host certificate (DER) when a
    former pairing is to be continued.
    """

    def __init__(
        self, host: str = "127.0.0.1", http_port: int = 47989, *, identity: Identity, pinned: bytes | None = None
    ) -> None:
        self.host, self.identity = host, identity
        self.violations = Violations()
        self.http = HttpClient(host, http_port, identity, self.violations)
        self.http.pinned = pinned
        self.info: ServerInfo | None = None
        self._streams: list[Stream] = []

    async def __aenter__(self) -> "MoonlightClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every stream still open, and the sockets that vanished ones kept."""
        for stream in self._streams:
            await stream.vanish()
        self._streams.clear()

    async def http_get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        https: bool = False,
        with_cert: Identity | bool = True,
        timeout_s: float = 30,
        standard_parameters: bool = True,
    ) -> Response:
        """Any request, judged only for HTTP and TLS rules."""
        return await self.http.get(
            path, query, https=https, with_cert=with_cert, timeout_s=timeout_s, standard_parameters=standard_parameters
        )

    async def serverinfo(self, https: bool = False) -> ServerInfo:
        """Fetch, judge and remember ``/serverinfo``. Raises HttpFailed (401 over HTTPS when not paired)."""
        if https and self.http.https_port is None:
            await self.serverinfo(https=False)
        root = await self.http.document("/serverinfo", https=https)
        info = ServerInfo.parse(root)
        check_server_info(info, https, self.info, self.violations)
        self.http.https_port = info.https_port
        self.info = info
        return info

    async def pair(
        self, pin: str, *, passphrase: str | None = None, pin_wait_s: float = PIN_WAIT_S
    ) -> x509.Certificate:
        """All five phases; returns the host's certificate. The PIN has to reach the host by other means meanwhile."""
        if self.http.https_port is None:
            await self.serverinfo()
        return await pair(self.http, self.identity, pin, self.violations, passphrase, pin_wait_s)

    @property
    def pinned_pem(self) -> str:
        """The pinned certificate for keeping; empty before pairing."""
        if self.http.pinned is None:
            return ""
        certificate = x509.load_der_x509_certificate(self.http.pinned)
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    async def app_list(self) -> list[App]:
        await self._need_https()
        response = await self.http.get("/applist", https=True)
        return parse_apps(response, self.violations)

    async def app_asset(self, app_id: int) -> bytes:
        """The box art; HttpFailed when there is none."""
        await self._need_https()
        query = {"appid": str(app_id), "AssetType": "2", "AssetIdx": "0"}
        response = await self.http.get("/appasset", query, https=True)
        if response.status != 200:
            raise HttpFailed("/appasset", response.status, "no asset")
        if not response.body.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")):
            self.violations.add("appasset.format", response.body[:8].hex())
        return response.body

    async def launch(
        self, app_id: int, options: StreamOptions | None = None, *, impair: Impairment | None = None
    ) -> Stream:
        """``/launch`` and a running stream. Raises HttpFailed, RtspFailed or StreamFailed."""
        options = options or StreamOptions()
        return await self.start_stream(await self.request_launch(app_id, options), options, impair=impair)

    async def resume(
        self, app_id: int, options: StreamOptions | None = None, *, impair: Impairment | None = None
    ) -> Stream:
        options = options or StreamOptions()
        reply = await self.request_launch(app_id, options, verb="resume")
        return await self.start_stream(reply, options, impair=impair)

    async def request_launch(self, app_id: int, options: StreamOptions, verb: str = "launch") -> LaunchReply:
        """Only the HTTPS request: for tests of what happens between it and RTSP."""
        info = await self.serverinfo(https=True)
        key, rikeyid = secrets.token_bytes(16), secrets.randbits(32) - (1 << 31)
        started_at = time.monotonic()
        root = await self.http.document(
            f"/{verb}", launch_query(app_id, options, key, rikeyid), https=True, timeout_s=LAUNCH_TIMEOUT_S
        )
        confirmation = "gamesession" if verb == "launch" else "resume"
        if (text_of(root, confirmation) or "0") == "0":
            self.violations.add(f"{verb}.confirmation", f"<{confirmation}> {text_of(root, confirmation)!r}")
        url = text_of(root, "sessionUrl0")
        if not url:
            raise StreamFailed(f"/{verb} without sessionUrl0")
        return LaunchReply(Launch(url, key, rikeyid, info.codec_support, started_at), root)

    async def start_stream(
        self, reply: LaunchReply, options: StreamOptions, *, impair: Impairment | None = None
    ) -> Stream:
        """RTSP, control and media for an accepted launch."""
        stream = Stream(self.host, reply.launch, options, impair, self.violations)
        await stream.start()
        self._streams.append(stream)
        return stream

    async def cancel(self) -> None:
        """End the running app, and check like QT and Android that it is gone."""
        await self._need_https()
        root = await self.http.document("/cancel", https=True)
        if (text_of(root, "cancel") or "0") == "0":
            self.violations.add("cancel.confirmation", f"<cancel> {text_of(root, 'cancel')!r}")
        info = await self.serverinfo(https=True)
        if info.current_game:
            self.violations.add("cancel.still-running", info.current_game)
            raise HttpFailed("/cancel", 599, "the app is still running")

    async def _need_https(self) -> None:
        if self.http.https_port is None:
            await self.serverinfo()


def launch_query(app_id: int, options: StreamOptions, key: bytes, rikeyid: int) -> dict[str, str]:
    """The parameters of ``/launch`` and ``/resume`` as a stock client sends them (gamestream.md §2.7)."""
    query = {
        "appid": str(app_id),
        "mode": options.mode,
        "additionalStates": "1",
        "sops": "0",
        "rikey": key.hex(),
        "rikeyid": str(rikeyid),
    }
    if options.hdr:
        query |= {
            "hdrMode": "1",
            "clientHdrCapVersion": "0",
            "clientHdrCapSupportedFlagsInUint32": "0",
            "clientHdrCapMetaDataId": "NV_STATIC_METADATA_TYPE_1",
            "clientHdrCapDisplayData": "0x0x0x0x0x0x0x0x0x0x0",
        }
    query |= {
        "localAudioPlayMode": str(int(options.host_audio)),
        "surroundAudioInfo": str(options.surround_audio_info),
        "remoteControllersBitmap": str(options.controllers),
        "gcmap": str(options.controllers),
        "gcpersist": "0",
    }
    if options.surround_params:
        query["surroundParams"] = options.surround_params
    if options.continuous_audio:
        query["continuousAudio"] = "1"
    if options.core_version:
        query["corever"] = str(options.core_version)
    for name, value in options.launch_overrides.items():
        if value is None:
            query.pop(name, None)
        else:
            query[name] = value
    return query
