"""The routes of the HTTP and HTTPS listeners and who may call them (gamestream.md §2.2 to §2.9).

A client is known by nothing but the exact certificate of its TLS connection; each client has a running app of its own.
"""

from __future__ import annotations

import asyncio
import enum
import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from punktfunk.gamestream.http import HttpResponse
from punktfunk.gamestream.http_server import Exchange
from punktfunk.gamestream.launch import LaunchError, LaunchRequest, StreamRefused, parse_launch, parse_resume
from punktfunk.gamestream.pairing import PIN_LIFETIME_S, PairedClient, Pairing, PairReply, Parked
from punktfunk.gamestream.serverinfo import HostFacts, app_list, server_info
from punktfunk.gamestream.xml_reply import xml_reply
from punktfunk.session.plan import App
from punktfunk.trust.certificate import fingerprint_of
from punktfunk.trust.devices import PairedDevice, Plane
from punktfunk.trust.identity import Identity
from punktfunk.trust.store import DeviceStore

MAX_IMAGE_BYTES = 8 << 20
_IMAGE_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_NOT_AUTHORIZED = "The client is not authorized. Certificate verification failed."

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for a stream: the paired device, its address, and the host's address that it reached."""

    device: PairedDevice
    address: str
    local_address: str


@dataclass(frozen=True, slots=True)
class LaunchReply:
    """Where the RTSP handshake of a launch goes on."""

    rtsp_port: int
    encrypted_rtsp: bool


class StreamHost(Protocol):
    """What the API needs of the rest of the host. Coroutines raise StreamRefused with the status for the client."""

    def facts(self, local_address: str) -> HostFacts:
        """The host as seen from ``local_address``."""

    def apps(self) -> Sequence[App]:
        """What can be launched."""

    def running_app(self, device: PairedDevice) -> int:
        """The id of the app that runs for ``device``, 0 when none."""

    async def launch(self, caller: Caller, request: LaunchRequest) -> LaunchReply:
        """Start an app and expect the RTSP handshake of its stream."""

    async def resume(self, caller: Caller, request: LaunchRequest) -> LaunchReply:
        """Expect the RTSP handshake of another stream of the running app."""

    async def cancel(self, device: PairedDevice) -> None:
        """End the device's stream and app; ``running_app`` is 0 afterwards."""


class Access(enum.Enum):
    """Who may call a route."""

    NOBODY = "nobody"
    ANYBODY = "anybody"
    PAIRED = "paired"


class GameStreamApi:
    """Answers the requests of both listeners; ``handle`` is the handler of an HttpServer.

    ``pending_changed`` is called whenever ``pairing.pending`` has gained or lost an attempt.
    """

    def __init__(
        self,
        host: StreamHost,
        identity: Identity,
        store: DeviceStore,
        *,
        pending_changed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._host = host
        self._store = store
        self._pending_changed = pending_changed
        self._clock = clock
        self._wall_clock = wall_clock
        self._parked: dict[int, asyncio.Future[PairReply]] = {}
        self._pairing = Pairing(identity, admit=self._admit, on_answer=self._answer_parked)

    @property
    def pairing(self) -> Pairing:
        """The pairing attempts, for the user's interface that lists them and enters PINs."""
        return self._pairing

    async def handle(self, exchange: Exchange) -> HttpResponse:
        """Answer one request after checking the access rule of its route."""
        device = self._device(exchange.certificate)
        secure = exchange.certificate is not None
        if secure and device is None:
            return xml_reply(status=401, message=_NOT_AUTHORIZED, query=exchange.request.path)
        route = ROUTES.get(exchange.request.path)
        access = (route.tls if secure else route.plain) if route else Access.NOBODY
        if route is None or access is Access.NOBODY:
            return xml_reply(status=404)
        return await route.answer(self, exchange, device)

    def _device(self, certificate: bytes | None) -> PairedDevice | None:
        if certificate is None:
            return None
        device = self._store.find(Plane.GAMESTREAM, fingerprint_of(certificate))
        return device if device and device.admitted(self._wall_clock()) else None

    async def _serverinfo(self, exchange: Exchange, device: PairedDevice | None) -> HttpResponse:
        return server_info(
            self._host.facts(exchange.local_address),
            exchange.local_address,
            paired=device is not None,
            running_app=self._host.running_app(device) if device else 0,
        )

    async def _pair(self, exchange: Exchange, device: PairedDevice | None) -> HttpResponse:
        query = exchange.request.query
        if query.get("phrase") == "pairchallenge" or device is not None:
            proved = device is not None and query.get("phrase") == "pairchallenge"
            return _pair_reply(PairReply.ok() if proved else PairReply.refused("Invalid pairing request", 404))
        outcome = self._pairing.handle(query, exchange.address, self._clock())
        if isinstance(outcome, Parked):
            outcome = await self._wait_for_pin(outcome.attempt, exchange)
        return _pair_reply(outcome)

    async def _wait_for_pin(self, attempt: int, exchange: Exchange) -> PairReply:
        answer: asyncio.Future[PairReply] = asyncio.get_running_loop().create_future()
        self._parked[attempt] = answer
        _logger.info("pairing: %s waits for a PIN (attempt %d)", exchange.address, attempt)
        self._pending_changed()
        try:
            either: set[asyncio.Future[Any]] = {answer, exchange.gone}
            await asyncio.wait(either, timeout=PIN_LIFETIME_S, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                self._pairing.expire(self._clock())
        finally:
            del self._parked[attempt]
            if not answer.done():
                self._pairing.abandon(attempt)
            self._pending_changed()
        return answer.result() if answer.done() else PairReply.refused("No PIN was entered")

    def _answer_parked(self, attempt: int, reply: PairReply) -> None:
        answer = self._parked.get(attempt)
        if answer and not answer.done():
            answer.set_result(reply)

    def _admit(self, client: PairedClient) -> None:
        self._store.add(
            PairedDevice(
                plane=Plane.GAMESTREAM,
                name=client.name,
                fingerprint=client.certificate.fingerprint,
                certificate_pem=client.certificate.pem,
                added_unix=int(self._wall_clock()),
            )
        )
        _logger.info("pairing: %s is paired", client.name)

    async def _unpair(self, _exchange: Exchange, _device: PairedDevice | None) -> HttpResponse:
        """Clients call this in clear after any failed pairing, so it must not remove anything (§2.5.3)."""
        return xml_reply()

    async def _applist(self, exchange: Exchange, _device: PairedDevice) -> HttpResponse:
        return app_list(self._host.apps(), self._host.facts(exchange.local_address).codecs)

    async def _appasset(self, exchange: Exchange, _device: PairedDevice) -> HttpResponse:
        wanted = exchange.request.query.get("appid", "")
        app = next((app for app in self._host.apps() if str(app.id) == wanted), None)
        if app is None or not app.image:
            return HttpResponse(b"", status=404)
        return await asyncio.to_thread(_read_image, Path(app.image))

    async def _launch(self, exchange: Exchange, device: PairedDevice) -> HttpResponse:
        return await _start(exchange, device, parse_launch, self._host.launch, "gamesession")

    async def _resume(self, exchange: Exchange, device: PairedDevice) -> HttpResponse:
        return await _start(exchange, device, parse_resume, self._host.resume, "resume")

    async def _cancel(self, _exchange: Exchange, device: PairedDevice) -> HttpResponse:
        try:
            await self._host.cancel(device)
        except StreamRefused as error:
            return xml_reply([("cancel", "0")], status=error.status, message=str(error))
        return xml_reply([("cancel", "1")])


@dataclass(frozen=True, slots=True)
class Route:
    """The access rule of a path on each listener, and who answers (given a device wherever only paired ones get in)."""

    plain: Access
    tls: Access
    answer: Callable[[GameStreamApi, Exchange, Any], Awaitable[HttpResponse]]


ROUTES = {
    "/serverinfo": Route(Access.ANYBODY, Access.PAIRED, GameStreamApi._serverinfo),
    "/pair": Route(Access.ANYBODY, Access.PAIRED, GameStreamApi._pair),
    "/unpair": Route(Access.ANYBODY, Access.PAIRED, GameStreamApi._unpair),
    "/applist": Route(Access.NOBODY, Access.PAIRED, GameStreamApi._applist),
    "/appasset": Route(Access.NOBODY, Access.PAIRED, GameStreamApi._appasset),
    "/launch": Route(Access.NOBODY, Access.PAIRED, GameStreamApi._launch),
    "/resume": Route(Access.NOBODY, Access.PAIRED, GameStreamApi._resume),
    "/cancel": Route(Access.NOBODY, Access.PAIRED, GameStreamApi._cancel),
}


async def _start(
    exchange: Exchange,
    device: PairedDevice,
    parse: Callable[..., LaunchRequest],
    start: Callable[[Caller, LaunchRequest], Awaitable[LaunchReply]],
    result: str,
) -> HttpResponse:
    try:
        request = parse(exchange.request.query)
        reply = await start(Caller(device, exchange.address, exchange.local_address), request)
    except LaunchError as error:
        return xml_reply([("resume", "0")], status=400, message=str(error))
    except StreamRefused as error:
        return xml_reply([(result, "0")], status=error.status, message=str(error))
    return xml_reply([("sessionUrl0", session_url(exchange.local_address, reply)), (result, "1")])


def session_url(local_address: str, reply: LaunchReply) -> str:
    """The RTSP address of a launch, as the client reached the host (§2.7)."""
    scheme = "rtspenc" if reply.encrypted_rtsp else "rtsp"
    host = f"[{local_address}]" if ipaddress.ip_address(local_address).version == 6 else local_address
    return f"{scheme}://{host}:{reply.rtsp_port}"


def _pair_reply(reply: PairReply) -> HttpResponse:
    return xml_reply(reply.elements, status=reply.status, message="" if reply.status == 200 else reply.message)


def _read_image(path: Path) -> HttpResponse:
    """A PNG or JPEG file of reasonable size; clients draw a placeholder for anything else."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_IMAGE_BYTES + 1)
    except OSError as error:
        _logger.warning("cannot read the picture %s: %s", path, error.strerror)
        return HttpResponse(b"", status=404)
    kind = next((kind for magic, kind in _IMAGE_TYPES.items() if data.startswith(magic)), None)
    if kind is None or len(data) > MAX_IMAGE_BYTES:
        return HttpResponse(b"", status=404)
    return HttpResponse(data, kind)
