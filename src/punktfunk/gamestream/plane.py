"""The GameStream plane: all of its listeners, and how a Moonlight client's requests become sessions and streams."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from punktfunk.discovery.network import mac_for
from punktfunk.gamestream.connection import Connection
from punktfunk.gamestream.control_port import ControlPort
from punktfunk.gamestream.enet.events import Address, Connected, Disconnected, EnetEvent, Received
from punktfunk.gamestream.http_api import Caller, GameStreamApi, LaunchReply
from punktfunk.gamestream.http_server import HttpServer
from punktfunk.gamestream.launch import LaunchRequest, StreamRefused
from punktfunk.gamestream.media_ports import MediaPorts, normal_ip
from punktfunk.gamestream.rtsp.crypto import Envelope
from punktfunk.gamestream.rtsp.handshake import MediaPorts as MediaPortNumbers
from punktfunk.gamestream.rtsp.handshake import RtspHandshake
from punktfunk.gamestream.rtsp.pending import PendingLaunch
from punktfunk.gamestream.rtsp.server import RtspServer
from punktfunk.gamestream.serverinfo import NO_MAC, HostFacts
from punktfunk.gamestream.stream_plan import Encryption, StreamOffer, StreamPlan
from punktfunk.gamestream.tls import server_context
from punktfunk.media.plan import Mode
from punktfunk.session.lifecycle import EndReason, State
from punktfunk.session.manager import SessionManager, SessionRefused
from punktfunk.session.plan import App
from punktfunk.session.session import Session
from punktfunk.session.stream import StreamError
from punktfunk.trust.devices import PairedDevice
from punktfunk.trust.identity import Identity
from punktfunk.trust.store import DeviceStore

log = logging.getLogger(__name__)

PLANE = "gamestream"
DEFAULT_MODE = Mode(1920, 1080, 60_000)
LAST_WORDS_S = 0.5
SILENCE_WATCH_S = 0.2


@dataclass(frozen=True, slots=True)
class Ports:
    """Every port relative to the base port (gamestream.md §1.1)."""

    base: int

    @property
    def https(self) -> int:
        """TCP, TLS."""
        return self.base - 5

    @property
    def video(self) -> int:
        """UDP."""
        return self.base + 9

    @property
    def control(self) -> int:
        """UDP, ENet."""
        return self.base + 10

    @property
    def audio(self) -> int:
        """UDP."""
        return self.base + 11

    @property
    def rtsp(self) -> int:
        """TCP."""
        return self.base + 21


class GameStreamPlane:
    """Serves Moonlight clients; implements ``http_api.StreamHost``."""

    def __init__(
        self,
        *,
        name: str,
        unique_id: str,
        address: str,
        base_port: int,
        identity: Identity,
        store: DeviceStore,
        sessions: SessionManager,
        apps: Sequence[App],
        offer: StreamOffer,
        max_sessions: int,
    ) -> None:
        self._name = name
        self._unique_id = unique_id
        self._address = address
        self.ports = Ports(base_port)
        self._sessions = sessions
        self._apps = tuple(apps)
        self._offer = offer
        self._max_sessions = max_sessions
        self._connections: list[Connection] = []
        self._pending: dict[Connection, PendingLaunch] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._exits = contextlib.AsyncExitStack()
        self._api = GameStreamApi(self, identity, store)
        self._http = HttpServer(self._api.handle)
        self._https = HttpServer(self._api.handle, tls=server_context(identity))
        self._rtsp = RtspServer()
        self._media: MediaPorts
        self._control: ControlPort

    @property
    def pairing_api(self) -> GameStreamApi:
        """Where PINs are entered."""
        return self._api

    async def start(self) -> None:
        """Bind every port and serve; raises OSError, and then nothing stays bound."""
        async with contextlib.AsyncExitStack() as stack:
            self._media = MediaPorts(self._address, self.ports.video, self.ports.audio)
            stack.callback(self._media.close)
            self._control = ControlPort(
                self._address,
                self.ports.control,
                2 * self._max_sessions,
                accept=self._accepts,
                is_authentic=self._is_authentic,
                on_event=self._enet_event,
            )
            stack.push_async_callback(self._control.close, LAST_WORDS_S)
            for server, port in (
                (self._rtsp, self.ports.rtsp),
                (self._https, self.ports.https),
                (self._http, self.ports.base),
            ):
                await server.start(self._address, port)
                stack.push_async_callback(server.close)
            for watch in (self._tick(), self._watch_silence()):
                stack.callback(asyncio.create_task(watch).cancel)
            self._exits = stack.pop_all()

    async def close(self) -> None:
        """End every connection with a termination message and close the ports."""
        for connection in tuple(self._connections):
            connection.end(tell=True)
        await self._exits.aclose()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def facts(self, local_address: str) -> HostFacts:
        """The host as a client sees it."""
        return HostFacts(
            self._name,
            self._unique_id,
            self.ports.base,
            self.ports.https,
            self.ports.rtsp,
            self._offer.codecs,
            mac_for(local_address) or NO_MAC,
        )

    def apps(self) -> Sequence[App]:
        """What can be launched."""
        return self._apps

    def set_apps(self, apps: Sequence[App]) -> None:
        """Offer these from now on; what runs goes on."""
        self._apps = tuple(apps)

    def running_app(self, device: PairedDevice) -> int:
        """The app of the device's session, 0 when it has none."""
        session = self._sessions.of_client(device.fingerprint, PLANE)
        return session.request.app.id if session is not None else 0

    async def launch(self, caller: Caller, request: LaunchRequest) -> LaunchReply:
        """Bring up a desktop with the app and expect the client's RTSP handshake."""
        app = next((app for app in self._apps if app.id == request.app_id), None)
        if app is None:
            raise StreamRefused(404, "Failed to start the specified application")
        self._check_encryption(request)
        if self.running_app(caller.device):
            raise StreamRefused(400, "An app is already running on this host")
        served = [s for s in self._sessions.sessions if s.request.plane == PLANE and s.state is not State.LINGERING]
        if len(served) >= self._max_sessions:
            raise StreamRefused(503, "All places for Moonlight clients on this host are taken")
        try:
            session = await self._sessions.launch(
                client_id=caller.device.fingerprint,
                client_name=caller.device.name,
                plane=PLANE,
                app=app,
                mode=request.mode or DEFAULT_MODE,
                channels=request.audio_channels,
            )
        except SessionRefused as error:
            raise StreamRefused(503, str(error)) from error
        except StreamError as error:
            raise StreamRefused(503, f"Failed to start the desktop: {error}") from error
        session.on_ending = self._session_ending
        return self._expect(caller, request, session)

    async def resume(self, caller: Caller, request: LaunchRequest) -> LaunchReply:
        """Expect the handshake of another stream of the client's session."""
        session = self._sessions.of_client(caller.device.fingerprint, PLANE)
        if session is None:
            raise StreamRefused(503, "No running app to resume")
        try:
            self._sessions.check_return(session)
        except SessionRefused as error:
            raise StreamRefused(503, str(error)) from error
        self._check_encryption(request)
        return self._expect(caller, request, session)

    async def cancel(self, device: PairedDevice) -> None:
        """End the client's session with all of its programs."""
        session = self._sessions.of_client(device.fingerprint, PLANE)
        if session is not None:
            await session.end(EndReason.CANCELLED)

    def _check_encryption(self, request: LaunchRequest) -> None:
        if self._offer.required and not request.encrypted_rtsp:
            raise StreamRefused(403, "Encryption is mandatory for this host but unsupported by the client")

    def _expect(self, caller: Caller, request: LaunchRequest, session: Session) -> LaunchReply:
        for older in [c for c in self._pending if c.session is session]:
            older.end(tell=False)
        connection = Connection(
            caller=caller,
            launch=request,
            session=session,
            sockets=(self._media.video, self._media.audio),
            send=self._control.send,
            disconnect=self._control.disconnect,
            ended=self._connection_ended,
        )
        handshake = RtspHandshake(
            request,
            self._offer if request.encrypted_rtsp else replace(self._offer, supported=Encryption.AUDIO),
            MediaPortNumbers(self.ports.video, self.ports.control, self.ports.audio),
            ping_payload=connection.ping_payload,
            connect_data=connection.connect_data,
        )

        async def start(plan: StreamPlan) -> None:
            await self._start(connection, plan)

        pending = PendingLaunch(
            caller.address,
            handshake,
            Envelope(request.key) if request.encrypted_rtsp else None,
            start,
            lambda: connection.end(tell=False),
        )
        self._rtsp.expect(pending)
        self._pending[connection] = pending
        self._connections.append(connection)
        self._media.expect(connection.waiter)
        return LaunchReply(self.ports.rtsp, request.encrypted_rtsp)

    async def _start(self, connection: Connection, plan: StreamPlan) -> None:
        self._pending.pop(connection, None)
        for older in [c for c in self._connections if c.session is connection.session and c is not connection]:
            older.end(tell=True)
        try:
            await connection.start(plan)
        except StreamRefused:
            connection.end(tell=False)
            raise

    def _connection_ended(self, connection: Connection) -> None:
        pending = self._pending.pop(connection, None)
        if pending is not None:
            self._rtsp.forget(pending)
        self._media.forget(connection.waiter)
        if connection in self._connections:
            self._connections.remove(connection)
        if connection.stream is not None:
            task = asyncio.create_task(connection.session.stop_stream(connection.stream))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _session_ending(self, session: Session, _reason: EndReason) -> None:
        for connection in [c for c in self._connections if c.session is session]:
            connection.end(tell=True)

    def _accepts(self, connect_data: int, address: Address) -> bool:
        ip = normal_ip(address[0])
        return any(
            c.connect_data == connect_data and c.caller.address == ip and c.stream is not None and c.peer is None
            for c in self._connections
        )

    def _is_authentic(self, peer: int, message: bytes) -> bool:
        connection = self._of_peer(peer)
        return connection is not None and connection.is_authentic(message)

    def _of_peer(self, peer: int) -> Connection | None:
        return next((c for c in self._connections if c.peer == peer), None)

    def _enet_event(self, event: EnetEvent) -> None:
        match event:
            case Connected(peer=peer, connect_data=connect_data):
                connection = next(
                    (c for c in self._connections if c.connect_data == connect_data and c.peer is None), None
                )
                if connection is None:
                    self._control.disconnect(peer)
                else:
                    connection.connected(peer)
            case Received(peer=peer, data=data):
                if (connection := self._of_peer(peer)) is not None:
                    connection.received(data)
            case Disconnected(peer=peer, reason=reason):
                if (connection := self._of_peer(peer)) is not None:
                    log.info("%s: %s", connection.caller.device.name, reason.value)
                    connection.peer = None
                    connection.end(tell=False)

    async def _watch_silence(self) -> None:
        while True:
            await asyncio.sleep(SILENCE_WATCH_S)
            for connection in tuple(self._connections):
                connection.release_when_silent()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for connection in tuple(self._connections):
                connection.tick(now)
                if (why := connection.expired(now)) is not None:
                    log.warning("%s is given up: %s", connection.caller.device.name, why)
                    connection.end(tell=True)
