"""The host's side of one punktfunk/1 connection: from the first message to the close. Sans-IO; times in seconds."""

from __future__ import annotations

import enum

from punktfunk.input import events as e
from punktfunk.native import session_events as ev
from punktfunk.native.arming import PairingWindow
from punktfunk.native.held_watch import HeldWatch, Step
from punktfunk.native.input_decoder import InputDecoder
from punktfunk.native.live_control import LiveControl, SessionParts
from punktfunk.native.modes import Mode
from punktfunk.native.pairing import PairingCeremony
from punktfunk.native.recovery import Remedy
from punktfunk.wire.punktfunk1 import WIRE_VERSION
from punktfunk.wire.punktfunk1 import messages as m
from punktfunk.wire.punktfunk1.audio import MicrophoneFrame
from punktfunk.wire.punktfunk1.caps import ALL_GRANTS, Grants
from punktfunk.wire.punktfunk1.control import decode_control, encode_control
from punktfunk.wire.punktfunk1.datagrams import UnknownDatagram, decode_from_client
from punktfunk.wire.punktfunk1.enums import MAX_CLOSE_REASON_BYTES, CloseCode
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.framing import MAX_FRAME_BYTES, FrameDecoder, encode_frame
from punktfunk.wire.punktfunk1.hello import HANDSHAKE_MAGIC, decode_hello
from punktfunk.wire.punktfunk1.input_event import InputEvent, decode_input
from punktfunk.wire.punktfunk1.reader import cut_text
from punktfunk.wire.punktfunk1.welcome import Welcome, decode_start, encode_welcome

STAGE_TIMEOUT_S = 10.0
"""For the first message, and from the Hello to the Start (parking apart)."""

CLOCK_ROUNDS = 8
HOLD_BACK_S = 1.0
"""Unsolicited messages wait until the client's clock rounds are over, or this long after Start (§6.5)."""

MAX_OPENING_BYTES = 1024
"""Largest Hello, PairRequest or Start; what is longer ends the connection before it is stored."""


class Stage(enum.Enum):
    """How far a connection has come."""

    OPENING = "opening"
    PAIRING = "pairing"
    DECIDING = "deciding"
    PARKED = "parked"
    STARTING = "starting"
    LIVE = "live"
    CLOSED = "closed"


class HostSession:
    """One connection. Feed it bytes, datagrams and the time; carry out ``events()`` after each call, in order.

    ``wall_ns`` is the clock of the frames' time stamps, which ClockEcho answers with.
    """

    def __init__(
        self, window: PairingWindow, client_fingerprint: bytes | None, host_fingerprint: bytes, now: float
    ) -> None:
        self.stage = Stage.OPENING
        self.malformed = 0
        """Messages and datagrams dropped because they broke the format."""
        self._ceremony = PairingCeremony(window, client_fingerprint, host_fingerprint)
        self._frames = FrameDecoder(MAX_OPENING_BYTES)
        self._deadline: float | None = now + STAGE_TIMEOUT_S
        self._events: list[ev.SessionEvent] = []
        self._parts: SessionParts | None = None
        self._control: LiveControl | None = None
        self._input: InputDecoder | None = None
        self._watch = HeldWatch(now)
        self._held: dict[type[m.ControlMessage], m.ControlMessage] | None = {}
        self._clock_rounds = 0

    @property
    def closed(self) -> bool:
        """Whether the connection is over."""
        return self.stage is Stage.CLOSED

    def events(self) -> list[ev.SessionEvent]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    def next_deadline(self, now: float) -> float | None:
        """When ``tick`` has something to do."""
        deadlines = [self._deadline]
        if self.stage is Stage.LIVE and self._parts and self._input:
            deadlines += [self._parts.access.next_deadline(now), self._input.deadline]
            if self._input.holding:
                deadlines.append(self._watch.deadline())
        return min((d for d in deadlines if d is not None), default=None)

    def heard(self, now: float) -> None:
        """The client sent something that only it can have sent, be it only an acknowledgement."""
        self._watch.heard(now)

    def receive(self, data: bytes, now: float, wall_ns: int) -> None:
        """Bytes of the control stream."""
        if self.closed:
            return
        try:
            for payload in self._frames.feed(data):
                self._payload(payload, now, wall_ns)
                if self.closed:
                    return
        except MalformedError as error:
            self.close(CloseCode.ERROR, str(error))

    def datagram(self, data: bytes, now: float) -> None:
        """One QUIC datagram; ignored before the session runs."""
        if self.stage is not Stage.LIVE or self._input is None or self._parts is None:
            return
        try:
            value = decode_from_client(data)
        except MalformedError:
            self.malformed += 1
            return
        if isinstance(value, MicrophoneFrame):
            if self._parts.access.allows(Grants.MICROPHONE):
                self._events.append(ev.MicrophoneReceived(value))
        elif isinstance(value, InputEvent):
            self._deliver(self._input.event(value))
        elif not isinstance(value, UnknownDatagram):
            self._deliver(self._input.rich(value, now))

    def tick(self, now: float) -> None:
        """Let time pass."""
        if self._deadline is not None and now >= self._deadline:
            self._expire(now)
        if self.stage is not Stage.LIVE or self._parts is None or self._input is None:
            return
        if self._parts.access.expired(now):
            self.close(CloseCode.ACCESS_EXPIRED)
            return
        warning = self._parts.access.warn(now)
        if warning:
            self.send(warning)
        self._deliver(self._input.expire(now))
        if self._input.holding:
            self._ask_or_release(self._input, now)

    def park(self) -> None:
        """The Hello waits for the operator; its owner watches the time. Nothing happens if the session is over."""
        if not self._answers(Stage.DECIDING):
            return
        self.stage, self._deadline = Stage.PARKED, None

    def admit(self, welcome: Welcome, parts: SessionParts, now: float) -> None:
        """Answer the Hello; the data socket must be bound by now. Nothing happens if the session is over."""
        if not self._answers(Stage.DECIDING, Stage.PARKED):
            return
        self.stage, self._deadline = Stage.STARTING, now + STAGE_TIMEOUT_S
        self._parts = parts
        self._control = LiveControl(parts)
        self._input = InputDecoder(parts.access, welcome.gamepad)
        self._events.append(ev.Transmit(encode_frame(encode_welcome(welcome))))

    def close(self, code: CloseCode, reason: str = "") -> None:
        """End the connection; everything held is released first."""
        if self.stage is Stage.CLOSED:
            return
        self.disconnected()
        text = cut_text(reason, MAX_CLOSE_REASON_BYTES).decode()
        self._events.append(ev.Close(code, text))

    def disconnected(self) -> None:
        """The connection is gone: release everything held."""
        if self._input:
            self._deliver(self._input.release(ALL_GRANTS))
        self.stage, self._deadline, self._held = Stage.CLOSED, None, None

    def send(self, message: m.ControlMessage) -> None:
        """Send a control message, held back while the client listens for clock echoes only: of each kind the newest."""
        if self.stage is not Stage.LIVE:
            return
        if self._held is not None:
            self._held.pop(type(message), None)
            self._held[type(message)] = message
        else:
            self._transmit(message)

    def change_access(self, grants: Grants, expires: float | None, now: float) -> None:
        """The operator changed what this device may do; takes effect at once."""
        if self._parts is None or self._input is None:
            return
        lost = self._parts.access.grants & ~grants
        update = self._parts.access.change(grants, expires, now)
        self._deliver(self._input.release(lost))
        self.send(update)
        state = self._parts.clipboard.permit(Grants.CLIPBOARD in grants)
        if state:
            self.send(state)
            self._events.append(ev.ClipboardSwitched(state.enabled))

    def mode_became(self, mode: Mode) -> None:
        """The rebuild after ``ModeRequested`` ended in this mode."""
        message = self._parts.modes.became(mode) if self._parts else None
        if message:
            self.send(message)

    def bitrate_became(self, kbps: int) -> None:
        """The encoder runs at this rate, asked for or not."""
        self.send(m.BitrateChanged(kbps))

    def probe_finished(self, result: m.ProbeResult) -> None:
        """The burst after ``ProbeStarted`` is over."""
        self.send(result)

    def pipeline_gap(self, gap_ms: int) -> None:
        """Capture or encoder stood still and goes on now."""
        self.send(m.PipelineGap(gap_ms))

    def path_mtu(self, mtu: int, now: float) -> None:
        """The path carries IP packets of ``mtu`` bytes."""
        if self._parts is None:
            return
        before = self._parts.shards.shard_bytes
        message = self._parts.shards.path_mtu(mtu)
        if message:
            self.send(message)
        if self._parts.shards.shard_bytes != before:
            self._events.append(ev.ShardSizeChanged(self._parts.shards.shard_bytes))
            if self._parts.shards.shard_bytes < before:
                self._parts.recovery.swallowed(now)
                self._events.append(ev.KeyframeWanted())

    def frame_sent(self, frame_index: int, now: float, *, keyframe: bool, anchor: bool) -> None:
        """A frame left from which the client can go on."""
        if self._parts:
            self._parts.recovery.frame_sent(frame_index, now, keyframe=keyframe, anchor=anchor)

    def invalidation_failed(self, now: float) -> None:
        """The encoder could not do what ``InvalidationWanted`` asked."""
        if self._parts and self._parts.recovery.invalidation_failed(now) is Remedy.KEYFRAME:
            self._events.append(ev.KeyframeWanted())

    def _payload(self, payload: bytes, now: float, wall_ns: int) -> None:
        match self.stage:
            case Stage.OPENING:
                self._open(payload, now)
            case Stage.PAIRING:
                self._pair(decode_control(payload), now)
            case Stage.STARTING:
                self._start(payload, now)
            case Stage.LIVE:
                self._message(payload, now, wall_ns)
            case _:
                self.close(CloseCode.ERROR, "unexpected message")

    def _open(self, payload: bytes, now: float) -> None:
        if payload.startswith(HANDSHAKE_MAGIC):
            hello = decode_hello(payload)
            if hello.abi_version != WIRE_VERSION:
                self.close(CloseCode.WIRE_VERSION)
                return
            self.stage, self._deadline = Stage.DECIDING, now + STAGE_TIMEOUT_S
            self._events.append(ev.HelloReceived(hello))
        else:
            self._pair(decode_control(payload), now)

    def _pair(self, message: m.ControlMessage, now: float) -> None:
        self.stage = Stage.PAIRING
        outcome = self._ceremony.receive(message, now)
        if isinstance(outcome, CloseCode):
            self.close(outcome)
            return
        self._deadline = self._ceremony.deadline
        if outcome.paired_name is not None:
            self._events.append(ev.Paired(outcome.paired_name))
        self._transmit(outcome.message)

    def _start(self, payload: bytes, now: float) -> None:
        start = decode_start(payload)
        self.stage, self._deadline = Stage.LIVE, now + HOLD_BACK_S
        self._frames.limit = MAX_FRAME_BYTES
        self._events.append(ev.Started(start))

    def _message(self, payload: bytes, now: float, wall_ns: int) -> None:
        try:
            message = decode_control(payload)
            edge = decode_input(message.event) if isinstance(message, m.InputEdge) else None
        except MalformedError:
            self.malformed += 1
            return
        if isinstance(message, m.ClockProbe):
            self._transmit(m.ClockEcho(message.t1_ns, wall_ns, wall_ns))
            self._clock_rounds += 1
            if self._clock_rounds == CLOCK_ROUNDS:
                self._release_held()
        elif edge and self._input:
            self._deliver(self._input.event(edge))
        elif self._control:
            for outcome in self._control.handle(message, now):
                self._carry_out(outcome)

    def _carry_out(self, outcome: m.ControlMessage | ev.SessionEvent) -> None:
        if isinstance(outcome, ev.SessionEvent):
            self._events.append(outcome)
        else:
            self.send(outcome)

    def _expire(self, now: float) -> None:
        if self.stage is Stage.LIVE:
            self._deadline = None
            self._release_held()
        elif self.stage is Stage.PAIRING and self._ceremony.over:
            self.close(CloseCode.DONE)
        else:
            self.close(CloseCode.ERROR, "timed out")

    def _release_held(self) -> None:
        held, self._held = self._held, None
        for message in (held or {}).values():
            self._transmit(message)

    def _transmit(self, message: m.ControlMessage) -> None:
        self._events.append(ev.Transmit(encode_frame(encode_control(message))))

    def _deliver(self, events: list[e.InputEvent]) -> None:
        if events:
            self._events.append(ev.InputReceived(tuple(events)))

    def _ask_or_release(self, inputs: InputDecoder, now: float) -> None:
        match self._watch.step(now):
            case Step.ASK:
                self._events.append(ev.LifeWanted())
            case Step.RELEASE:
                self._deliver(inputs.let_go())

    def _answers(self, *stages: Stage) -> bool:
        if self.stage not in (*stages, Stage.CLOSED):
            raise RuntimeError(f"not possible while {self.stage.value}")
        return not self.closed
