"""The punktfunk/1 plane: its endpoint, who is let in, and how connections become sessions and streams."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass

from punktfunk.native.access import Access
from punktfunk.native.agreement import SessionFacts, agree, display_mode
from punktfunk.native.approval import Knock, KnockQueue, Verdict
from punktfunk.native.arming import ArmedWindow, PairingWindow
from punktfunk.native.connection import NativeConnection
from punktfunk.native.data_socket import DataSocket, NoDataPort, route_mtu
from punktfunk.native.endpoint import QuicEndpoint
from punktfunk.native.modes import Mode
from punktfunk.native.negotiation import HostOffer, Refusal, negotiate
from punktfunk.native.path_search import STANDARD_MTU
from punktfunk.native.session import Stage
from punktfunk.native.transport import QuicTransport
from punktfunk.session.lifecycle import EndReason, State
from punktfunk.session.manager import SessionManager, SessionRefused
from punktfunk.session.plan import App
from punktfunk.session.session import Session
from punktfunk.session.stream import StreamError
from punktfunk.trust.devices import Grants as DeviceGrants
from punktfunk.trust.devices import PairedDevice, Plane, clean_name
from punktfunk.trust.errors import TrustError
from punktfunk.trust.identity import Identity
from punktfunk.trust.store import ChangeKind, DeviceChange, DeviceStore
from punktfunk.wire.punktfunk1.caps import Grants
from punktfunk.wire.punktfunk1.enums import ClipReason, CloseCode, FecScheme
from punktfunk.wire.punktfunk1.hello import Hello
from punktfunk.wire.punktfunk1.welcome import Welcome
from punktfunk.wire.udp import bind_udp

log = logging.getLogger(__name__)

PLANE = Plane.NATIVE.value
LAST_WORDS_S = 0.1
PATH_WAIT_S = 0.3
"""How long a Welcome waits for the path's MTU, which is known after one round trip where nothing is in the way."""
FIXED_PATH_WAIT_S = 2.0
"""The same toward a client whose packet size cannot be changed later."""


@dataclass(frozen=True, slots=True)
class PlaneSettings:
    """``open_access`` lets every device in and remembers it; ``data_ports`` None: any port for video. ``frames``: end
    each session after so many, for tests."""

    address: str
    port: int
    open_access: bool = False
    data_ports: range | None = None
    fec_scheme: FecScheme = FecScheme.GF16
    pinned_fec: int | None = None
    reference_invalidation: bool = False
    clipboard: ClipReason = ClipReason.UNAVAILABLE
    frames: int = 0
    max_mtu: int = STANDARD_MTU


class NativePlane:
    """Serves punktfunk clients; implements ``connection.ConnectionOwner``."""

    def __init__(
        self,
        *,
        settings: PlaneSettings,
        identity: Identity,
        store: DeviceStore,
        sessions: SessionManager,
        apps: Sequence[App],
        offer: HostOffer,
    ) -> None:
        self.settings = settings
        self.window = PairingWindow()
        self.knocks = KnockQueue()
        self.host_fingerprint = bytes.fromhex(identity.fingerprint)
        self.wall_offset_ns = time.time_ns() - time.monotonic_ns()
        self._identity = identity
        self._store = store
        self._sessions = sessions
        self._apps = tuple(apps)
        self._offer = offer
        self._connections: list[NativeConnection] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._exits = contextlib.AsyncExitStack()
        self._endpoint: QuicEndpoint

    @property
    def connections(self) -> Sequence[NativeConnection]:
        """Every connection that is not over."""
        return tuple(self._connections)

    def set_apps(self, apps: Sequence[App]) -> None:
        """Offer these from now on; what runs goes on."""
        self._apps = tuple(apps)

    async def start(self) -> None:
        """Bind the port and serve; raises OSError."""
        sock = bind_udp(self.settings.address, self.settings.port)
        self._endpoint = QuicEndpoint(sock, self._identity, self._accept, max_mtu=self.settings.max_mtu)
        self._exits.push_async_callback(self._endpoint.close)
        self._exits.callback(self._store.subscribe(self._device_changed))
        ticker = asyncio.create_task(self._tick())
        self._exits.callback(ticker.cancel)

    async def close(self) -> None:
        """Close every connection and the port."""
        for connection in self.connections:
            connection.close(CloseCode.DONE, "the host is stopping")
        await asyncio.sleep(LAST_WORDS_S)
        await self._exits.aclose()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def arm(self, window_s: float | None, pin: str | None = None) -> ArmedWindow:
        """Open the pairing window; raises ValueError for an absurd length."""
        return self.window.arm(time.monotonic(), window_s, pin=pin)

    def approve(self, knock_id: int, name: str, grants: DeviceGrants, expires_unix: int) -> Knock | None:
        """Pair a device that knocked; its connection, if it still waits, goes on. None: no such knock.

        Raises TrustError when it cannot be stored, and then it keeps waiting.
        """
        knock = next((k for k in self.knocks.waiting(time.monotonic()) if k.id == knock_id), None)
        if knock is None:
            return None
        device = _new_device(knock.fingerprint, name or knock.label, grants, expires_unix)
        self._store.add(device)
        settled = self.knocks.approve(knock_id, time.monotonic())
        if settled is not None and settled[1] is not None:
            self._verdict(settled[1])
        return knock

    def deny(self, knock_id: int) -> Knock | None:
        """Turn a device away; None: no such knock."""
        settled = self.knocks.deny(knock_id, time.monotonic())
        if settled is None:
            return None
        if settled[1] is not None:
            self._verdict(settled[1])
        return settled[0]

    def hello(self, connection: NativeConnection, hello: Hello) -> None:
        """Decide about a Hello (§3.1, §3.4)."""
        if connection.fingerprint is None:
            if self.settings.open_access:
                self._admit(connection, hello, None)
            else:
                connection.close(CloseCode.IDENTITY_REQUIRED)
            return
        device = self._store.find(Plane.NATIVE, connection.client_id)
        if device is not None and not device.enabled:
            connection.close(CloseCode.DENIED, "this device is switched off on the host")
        elif device is not None and device.admitted(time.time()):
            self._admit(connection, hello, device)
        elif self.settings.open_access and device is None:
            self._trust_on_first_use(connection, hello)
        else:
            self._park(connection)

    def paired(self, connection: NativeConnection, name: str) -> bool:
        """Store a device that knew the PIN."""
        assert connection.fingerprint is not None
        try:
            self._store.add(_new_device(connection.fingerprint, name, DeviceGrants.ALL, 0))
        except TrustError as error:
            log.error("a device could not be paired: %s", error)
            return False
        log.info("paired: %s", clean_name(name, connection.client_id[:8]))
        return True

    def gone(self, connection: NativeConnection) -> None:
        """A connection is over."""
        if connection in self._connections:
            self._connections.remove(connection)
        if connection.fingerprint is not None:
            self.knocks.disconnected(connection.fingerprint, connection)

    def has_successor(self, connection: NativeConnection) -> bool:
        """Whether another connection of the same client has said Hello."""
        return bool(self._others(connection))

    def background(self, work: Coroutine[None, None, None]) -> None:
        """Run something to its end, whatever becomes of the connection."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a connection's task failed", exc_info=error)

    def _others(self, connection: NativeConnection) -> list[NativeConnection]:
        """Connections of the same client that are past their Hello, and not for pairing."""
        return [
            other
            for other in self._connections
            if other is not connection and other.client_id == connection.client_id and other.hello is not None
        ]

    def _accept(self, transport: QuicTransport) -> NativeConnection:
        connection = NativeConnection(self, transport)
        self._connections.append(connection)
        return connection

    def _trust_on_first_use(self, connection: NativeConnection, hello: Hello) -> None:
        if self.paired(connection, connection.label):
            self._admit(connection, hello, self._store.find(Plane.NATIVE, connection.client_id))
        else:
            connection.close(CloseCode.ERROR, "the device could not be stored")

    def _park(self, connection: NativeConnection) -> None:
        assert connection.fingerprint is not None
        outcome = self.knocks.knock(
            connection.fingerprint, connection.label, connection.address, connection, time.monotonic()
        )
        if isinstance(outcome, CloseCode):
            connection.close(outcome)
            return
        connection.park()
        self._endpoint.known(connection.transport)
        log.info("%s (%s) asks to be let in: punktfunk-host approve", connection.label, connection.address)
        for verdict in outcome:
            self._verdict(verdict)

    def _verdict(self, verdict: Verdict) -> None:
        connection = verdict.connection
        assert isinstance(connection, NativeConnection)
        if verdict.code is not None:
            connection.close(verdict.code)
        elif connection.hello is not None and connection.stage is Stage.PARKED:
            self._admit(connection, connection.hello, self._store.find(Plane.NATIVE, connection.client_id))

    def _admit(self, connection: NativeConnection, hello: Hello, device: PairedDevice | None) -> None:
        access = _access_of(device)
        try:
            welcome = negotiate(hello, self._offer, access, time.monotonic())
        except Refusal as refusal:
            connection.close(refusal.code, refusal.reason)
            return
        self._endpoint.known(connection.transport)
        for older in self._others(connection):
            older.close(CloseCode.SUPERSEDED)
        name = device.name if device is not None else connection.label
        self.background(self._set_up(connection, hello, welcome, access, name))

    async def _set_up(
        self, connection: NativeConnection, hello: Hello, welcome: Welcome, access: Access, name: str
    ) -> None:
        """Have the session of this client ready, and answer with Welcome."""
        try:
            session = await self._session_for(connection, hello, welcome, name)
            mtu = await self._mtu_of(connection, hello)
            if connection.over:
                if session.state is State.ADMITTED and not self.has_successor(connection):
                    await session.end(EndReason.CLIENT_LOST)
                return
            data = DataSocket(self.settings.address, connection.address, self.settings.data_ports)
        except SessionRefused as error:
            connection.close(CloseCode.BUSY, str(error))
            return
        except (StreamError, NoDataPort) as error:
            connection.close(CloseCode.SETUP_FAILED, str(error))
            return
        facts = SessionFacts(
            data.port,
            data.ipv6,
            mtu,
            self.wall_offset_ns,
            self.settings.fec_scheme,
            self.settings.pinned_fec,
            self.settings.reference_invalidation,
            self.settings.clipboard,
            self._offer.max_bitrate_kbps,
            self.settings.frames,
            self.settings.max_mtu,
        )
        connection.admit(session, agree(welcome, hello, access, facts), data)

    async def _mtu_of(self, connection: NativeConnection, hello: Hello) -> int | None:
        """What is known of the path before anything large is sent on it."""
        address = connection.address
        found = await connection.transport.path_known(PATH_WAIT_S if hello.max_shard_payload else FIXED_PATH_WAIT_S)
        known = (route_mtu(address), found or self._endpoint.paths[address])
        return min((mtu for mtu in known if mtu is not None), default=None)

    async def _session_for(self, connection: NativeConnection, hello: Hello, welcome: Welcome, name: str) -> Session:
        """The client's session, as it left it; another app is started in a new one."""
        app = self._app(hello.launch_id)
        session = self._sessions.of_client(connection.client_id, PLANE)
        other_app = session is not None and app is not None and session.request.app.id != app.id
        if session is not None and (other_app or session.state is State.ENDED):
            await session.end(EndReason.CANCELLED)
            session = None
        if session is not None:
            self._sessions.check_return(session)
            return session
        return await self._sessions.launch(
            client_id=connection.client_id,
            client_name=name,
            plane=PLANE,
            app=app or self._apps[0],
            mode=display_mode(Mode(welcome.width, welcome.height, welcome.refresh_hz)),
            channels=welcome.audio_channels,
        )

    def _app(self, launch_id: str | None) -> App | None:
        """The app that a launch id means; unknown ones are ignored (§4.2)."""
        if not launch_id:
            return None
        return next((app for app in self._apps if launch_id in (str(app.id), app.name)), None)

    def _device_changed(self, change: DeviceChange) -> None:
        if change.device.plane is not Plane.NATIVE:
            return
        gone = change.kind is ChangeKind.REMOVED or not change.device.enabled
        for connection in self.connections:
            if connection.client_id != change.device.fingerprint or connection.stage is Stage.PAIRING:
                continue
            if gone:
                connection.close(CloseCode.DENIED, "the pairing was removed")
            elif change.kind is ChangeKind.CHANGED:
                connection.change_access(_access_of(change.device))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            for verdict in self.knocks.expire(time.monotonic()):
                self._verdict(verdict)
            for connection in self.connections:
                connection.poll_path()


def _new_device(fingerprint: bytes, name: str, grants: DeviceGrants, expires_unix: int) -> PairedDevice:
    return PairedDevice(
        Plane.NATIVE,
        clean_name(name, f"device {fingerprint.hex()[:8]}"),
        fingerprint.hex(),
        grants=grants,
        expires_unix=expires_unix,
        added_unix=int(time.time()),
    )


def _access_of(device: PairedDevice | None) -> Access:
    """What a device may do, on the monotonic clock; everything for a client that an open host does not know."""
    if device is None:
        return Access()
    expires = time.monotonic() + device.expires_unix - time.time() if device.expires_unix else None
    return Access(Grants(device.grants), expires)
