"""One punktfunk/1 client's connection: its QUIC transport, its session core, and the session that it streams."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Protocol

from punktfunk.discovery.network import plain_address
from punktfunk.input.events import Feedback
from punktfunk.native import session_events as ev
from punktfunk.native.access import Access
from punktfunk.native.agreement import Agreement
from punktfunk.native.arming import PairingWindow
from punktfunk.native.clipboard_bridge import ClipboardBridge
from punktfunk.native.data_socket import DataSocket
from punktfunk.native.live_stream import LiveStream
from punktfunk.native.modes import Mode
from punktfunk.native.pad_output import PadOutput
from punktfunk.native.session import HostSession, Stage
from punktfunk.native.transport import CONTROL_STREAM, QuicTransport
from punktfunk.session.lifecycle import EndReason, State
from punktfunk.session.microphone_feed import MicrophoneFeed
from punktfunk.session.microphone_player import MicrophonePlayer
from punktfunk.session.session import Session
from punktfunk.session.stream import StreamError
from punktfunk.trust.devices import clean_name
from punktfunk.wire.punktfunk1.audio import MicrophoneFrame
from punktfunk.wire.punktfunk1.enums import CLOSE_SENTENCES, STREAM_CANCELLED, CloseCode
from punktfunk.wire.punktfunk1.hello import Hello
from punktfunk.wire.punktfunk1.messages import ControlMessage, ProbeResult

log = logging.getLogger(__name__)

_UNIDIRECTIONAL = 2
"""Bit of a stream's number (RFC 9000 §2.1)."""
_ORDINARY = (CloseCode.DONE, CloseCode.ERROR, CloseCode.USER_QUIT)
"""Codes that say nothing by themselves."""
_GONE: dict[int, str] = {
    CloseCode.DONE: "it closed the connection",
    # The transport's own number for an error is the same.
    CloseCode.ERROR: "it fell silent or failed",
    CloseCode.USER_QUIT: "its user quit",
}
_CLOSE_CODES = {
    EndReason.CANCELLED: CloseCode.DONE,
    EndReason.APP_EXITED: CloseCode.APP_EXITED,
    EndReason.REVOKED: CloseCode.DENIED,
    EndReason.START_FAILED: CloseCode.SETUP_FAILED,
    EndReason.CRASHED: CloseCode.SETUP_FAILED,
}


class ConnectionOwner(Protocol):
    """What a connection asks of the plane."""

    window: PairingWindow
    host_fingerprint: bytes
    wall_offset_ns: int

    def hello(self, connection: NativeConnection, hello: Hello) -> None:
        """Decide about a Hello: ``set_up``, ``park`` or ``close`` the connection."""
        ...

    def paired(self, connection: NativeConnection, name: str) -> bool:
        """Store a device that knew the PIN; False when that failed."""
        ...

    def gone(self, connection: NativeConnection) -> None:
        """The connection is over."""
        ...

    def has_successor(self, connection: NativeConnection) -> bool:
        """Whether another connection of the same client has said Hello."""
        ...

    def background(self, work: Coroutine[None, None, None]) -> None:
        """Run something to its end, whatever becomes of the connection."""
        ...


class NativeConnection:
    """Handles one connection's transport; every method runs on the event loop. Times are the loop's."""

    def __init__(self, owner: ConnectionOwner, transport: QuicTransport) -> None:
        self._owner = owner
        self.transport = transport
        self.fingerprint: bytes | None = None
        self.hello: Hello | None = None
        self.session: Session | None = None
        self._core: HostSession | None = None
        self._live: LiveStream | None = None
        self._agreement: Agreement | None = None
        self._data: DataSocket | None = None
        self._clipboard: ClipboardBridge | None = None
        self._feed: MicrophoneFeed | None = None
        self._player: MicrophonePlayer | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._pads = PadOutput()
        self._pads_timer: asyncio.TimerHandle | None = None
        self._starting: asyncio.Future[None] = self._loop.create_future()
        self._carrying = False
        self.over = False

    @property
    def client_id(self) -> str:
        """Fingerprint in hex; a client without a certificate is nobody but this connection."""
        return self.fingerprint.hex() if self.fingerprint is not None else f"anonymous-{id(self):x}"

    @property
    def address(self) -> str:
        """The client's IP address."""
        return plain_address(self.transport.peer[0])

    @property
    def label(self) -> str:
        """What to call the client before it has a stored name."""
        fallback = f"device {self.client_id[:8]}"
        return clean_name(self.hello.name or "", fallback) if self.hello is not None else fallback

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        return self._core.stage if self._core is not None else Stage.OPENING

    def opened(self, fingerprint: bytes | None) -> None:
        """The handshake is done."""
        self.fingerprint = fingerprint
        self._core = HostSession(self._owner.window, fingerprint, self._owner.host_fingerprint, self._loop.time())
        self._carry_out()

    def stream_data(self, stream: int, data: bytes, end: bool) -> None:
        """Bytes of the control stream, or of a clipboard transfer."""
        if self._core is None or self.over:
            return
        if stream == CONTROL_STREAM:
            self._core.receive(data, self._loop.time(), self.wall_ns())
            self._carry_out()
        elif self._clipboard is not None and not stream & _UNIDIRECTIONAL:
            self._clipboard.stream_data(stream, data, end)
        else:
            self.transport.discard_stream(stream, STREAM_CANCELLED)

    def stream_reset(self, stream: int) -> None:
        """A transfer was given up."""
        if self._clipboard is not None:
            self._clipboard.stream_reset(stream)

    def datagram(self, data: bytes) -> None:
        """Input or microphone."""
        if self._core is not None:
            self._core.datagram(data, self._loop.time())
            self._carry_out()

    def lost(self, code: int) -> None:
        """The connection ended by itself."""
        if self.hello is not None and not self.over:
            log.info("%s (%s) is gone: %s", self.label, self.address, _GONE.get(code, f"closed with 0x{code:02x}"))
        if self._core is not None and not self._core.closed:
            self._core.disconnected()
            self._carry_out()
        self._finish(EndReason.CANCELLED if code == CloseCode.USER_QUIT else None)

    def close(self, code: CloseCode, reason: str = "") -> None:
        """End it from this side; what is held is released."""
        if self._core is not None:
            self._core.close(code, reason)
            self._carry_out()
        else:
            self.transport.close(code, reason)

    def park(self) -> None:
        """The operator has to decide; nothing is written meanwhile."""
        if self._core is not None:
            self._core.park()
            self._carry_out()

    def admit(self, session: Session, agreement: Agreement, data: DataSocket) -> None:
        """Answer the Hello and stream this session once the client is ready."""
        assert self._core is not None
        self.session, self._agreement, self._data = session, agreement, data
        session.on_ending = self._session_ending
        session.on_stream_failed = self._stream_failed
        self._core.admit(agreement.welcome, agreement.parts, self._loop.time())
        self._carry_out()

    def change_access(self, access: Access) -> None:
        """The operator changed what the device may do."""
        if self._core is not None:
            self._core.change_access(access.grants, access.expires, self._loop.time())
            self._carry_out()

    def path_changed(self, mtu: int) -> None:
        """Probes have found how large the path's packets may be."""
        self.poll_path()

    def poll_path(self) -> None:
        """Once a second: follow the path's MTU, of which probes and the kernel know."""
        known = (self.transport.path_mtu, self._live.path_mtu() if self._live is not None else None)
        mtu = min((mtu for mtu in known if mtu is not None), default=None)
        if mtu is not None and self._core is not None and self._live is not None:
            self._core.path_mtu(mtu, self._loop.time())
            self._carry_out()

    def wall_ns(self) -> int:
        """The clock of time stamps (§6.5)."""
        return time.monotonic_ns() + self._owner.wall_offset_ns

    # What the stream tells.

    def datagram_ready(self, data: bytes) -> None:
        """Audio or a frame's timing."""
        self.transport.send_datagram(data)

    def pads_told(self, feedback: tuple[Feedback, ...]) -> None:
        """What games send to controllers."""
        self._send_all(self._pads.take(feedback, self._loop.time()))

    def pad_changed(self, pad: int) -> None:
        """What its lights show is not known any more."""
        self._pads.forget(pad)

    def frame_sent(self, frame_index: int, *, keyframe: bool) -> None:
        """A frame left from which the client can go on."""
        if self._core is not None:
            self._core.frame_sent(frame_index, self._loop.time(), keyframe=keyframe, anchor=not keyframe)

    def frames_over(self) -> None:
        """The test stream is over, and its session with it."""
        if self.session is not None:
            self._owner.background(self.session.end(EndReason.ENDED_BY_OPERATOR))

    def probe_finished(self, result: ProbeResult) -> None:
        """The burst is over."""
        if self._core is not None:
            self._core.probe_finished(result)
            self._carry_out()

    def mode_became(self, mode: Mode) -> None:
        """The mode that pictures have."""
        if self._core is not None:
            self._core.mode_became(mode)
            self._carry_out()

    def bitrate_became(self, kbps: int) -> None:
        """The rate that was applied."""
        if self._core is not None:
            self._core.bitrate_became(kbps)
            self._carry_out()

    def pipeline_gap(self, gap_ms: int) -> None:
        """Pictures go on."""
        if self._core is not None:
            self._core.pipeline_gap(gap_ms)
            self._carry_out()

    def _carry_out(self) -> None:
        """Do what the core decided, in order; what comes up meanwhile is done by the outermost call."""
        core = self._core
        if core is None or self._carrying:
            return
        self._carrying = True
        try:
            while events := core.events():
                for event in events:
                    self._do(event)
        finally:
            self._carrying = False
        self._arm(core)

    def _do(self, event: ev.SessionEvent) -> None:
        match event:
            case ev.Transmit(data=data):
                self.transport.write(CONTROL_STREAM, data)
            case ev.Close(code=code, reason=reason):
                # Clients of 0.7 know few codes: they show the words, or nothing but a number.
                reason = reason or ("" if code in _ORDINARY else CLOSE_SENTENCES[code])
                log.info("%s (%s): closed with 0x%02x %s", self.label, self.address, code, reason)
                self.transport.close(code, reason)
                self._finish(EndReason.EXPIRED if code is CloseCode.ACCESS_EXPIRED else None)
            case ev.HelloReceived(hello=hello):
                self.hello = hello
                self._owner.hello(self, hello)
            case ev.Paired(name=name):
                if not self._owner.paired(self, name):
                    self.close(CloseCode.ERROR, "the device could not be stored")
            case ev.Started(start=start):
                self._begin(start.udp_port)
            case ev.MicrophoneReceived(frame=frame):
                self._voice(frame)
            case ev.LifeWanted():
                self.transport.ask_for_life()
            case ev.ClipboardSwitched(enabled=enabled):
                self._switch_clipboard(enabled)
            case ev.ClipboardOffered(offer=offer):
                if self._clipboard is not None:
                    self._clipboard.client_offers(offer)
            case _:
                if self._live is not None:
                    self._live.carry_out(event)

    def _begin(self, client_port: int) -> None:
        """Have a stream at once, so that nothing that the client says next is lost while it comes up."""
        assert self.session is not None
        assert self._agreement is not None
        assert self._data is not None
        data, self._data = self._data, None
        self._live = LiveStream(self.session, self._agreement, data, self)
        self._owner.background(self._start(self._live, client_port))

    async def _start(self, live: LiveStream, client_port: int) -> None:
        try:
            await live.start(client_port)
        except StreamError as error:
            self.close(CloseCode.SETUP_FAILED, str(error))
        finally:
            self._starting.set_result(None)

    def _voice(self, frame: MicrophoneFrame) -> None:
        """Play the client's voice into the session's microphone, which is there once it is needed."""
        if self._player is None and self._feed is None and self.session is not None:
            self._feed = self.session.open_microphone()
            if self._feed is not None:
                self._player = MicrophonePlayer(self._feed.write)
        if self._player is not None:
            self._player.receive(frame.seq, frame.payload)

    def _switch_clipboard(self, enabled: bool) -> None:
        if self._clipboard is None and enabled and self.session is not None and self._agreement is not None:
            desktop = self.session.open_clipboard()
            if desktop is not None:
                state, background = self._agreement.parts.clipboard, self._owner.background
                self._clipboard = ClipboardBridge(desktop, state, self.transport, self._send, background)
        if self._clipboard is not None:
            self._clipboard.switched(enabled)

    def _send(self, message: ControlMessage) -> None:
        if self._core is not None:
            self._core.send(message)
            self._carry_out()

    def _send_all(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            self.transport.send_datagram(datagram)
        if self._pads_timer is not None:
            self._pads_timer.cancel()
        due = None if self.over else self._pads.deadline
        self._pads_timer = self._loop.call_at(due, self._renew_rumble) if due is not None else None

    def _renew_rumble(self) -> None:
        self._send_all(self._pads.poll(self._loop.time()))

    def _session_ending(self, session: Session, reason: EndReason) -> None:
        if session is self.session:
            self.close(_CLOSE_CODES.get(reason, CloseCode.DONE), reason.value)

    def _stream_failed(self, session: Session, reason: str) -> None:
        if session is self.session:
            self.close(CloseCode.SETUP_FAILED, reason)

    def _finish(self, end: EndReason | None) -> None:
        """Let go of everything; the session lingers unless it is to end, was never streamed, or nobody can return."""
        if self.over:
            return
        self.over = True
        for timer in (self._timer, self._pads_timer):
            if timer is not None:
                timer.cancel()
        if self._data is not None:
            self._data.close()
        self._owner.gone(self)
        if end is None and self.session is not None:
            unused = self.session.state is State.ADMITTED and not self._owner.has_successor(self)
            useless = self.fingerprint is None or unused
            end = EndReason.CLIENT_LOST if useless else None
        if self.session is not None and end is not None:
            # At once: a client that comes back in the same moment must not find a session that is about to end.
            self._owner.background(self.session.end(end))
        if self._player is not None:
            self._player.close()
        for guest in (self._feed, self._clipboard):
            if guest is not None:
                self._owner.background(guest.close())
        if self._live is not None:
            self._live.give_up()
            self._owner.background(self._close_stream(self._live))

    async def _close_stream(self, live: LiveStream) -> None:
        await self._starting
        await live.close()

    def _arm(self, core: HostSession) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        core.heard(self.transport.heard_at)
        deadline = core.next_deadline(self._loop.time())
        if deadline is not None and not self.over:
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        assert self._core is not None
        self._core.heard(self.transport.heard_at)
        self._core.tick(self._loop.time())
        self._carry_out()
