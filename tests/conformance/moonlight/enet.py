"""The client's end of the ENet connection, without a socket and without a clock (gamestream.md §6.2, §6.3)."""

import secrets
from collections import deque
from dataclasses import dataclass, field

from .enet_delivery import Delivery
from .enet_wire import (
    CHANNELS,
    FRAGMENT_BYTES,
    MAX_COMMANDS,
    MTU,
    SYSTEM_CHANNEL,
    THROTTLE,
    UNKNOWN_PEER,
    UNSEQUENCED,
    WANTS_ACK,
    WINDOW_BYTES,
    Command,
    Connected,
    Disconnected,
    Event,
    Kind,
    command_bytes,
    connect_body,
    fragment_body,
    header,
    parse,
    parse_verify,
)
from .violations import Violations

CONNECT_TIMEOUT_S = 10.0
PEER_TIMEOUT_S = 10.0
DISCONNECT_TIMEOUT_S = 2.0
PING_INTERVAL_S = 0.5
BANDWIDTH_LIMIT_AFTER_S = 1.0
ACK_DEADLINE_S = 1.0
MAX_OUTSTANDING = 8192
MAX_REMEMBERED_ACKS = 512


@dataclass
class _Outstanding:
    command: bytes
    first_sent: float
    last_sent: float
    attempts: int = 1
    sent_times: list[int] = field(default_factory=list)
    late_reported: bool = False


class EnetClient:
    """One connection. Feed datagrams and time, send what :meth:`take_datagrams` gives, act on :meth:`take_events`.

    ``judge_acks`` turns the one-second rule for acknowledgements on; off where packets are lost on purpose.
    """

    def __init__(
        self,
        connect_data: int,
        violations: Violations,
        connect_id: bytes | None = None,
        judge_acks: bool = True,
    ) -> None:
        self.state = "idle"
        self.rtt_ms, self._rtt_variance_ms = 500.0, 0.0
        self.violations = violations
        self._judge_acks = judge_acks
        self._connect_data, self._connect_id = connect_data, connect_id or secrets.token_bytes(4)
        self._peer, self._session, self._host_session = UNKNOWN_PEER, 0, 0
        self._sequences: dict[int, int] = {}
        self._unreliable: dict[int, int] = {}
        self._group = 0
        self._outstanding: dict[tuple[int, int], _Outstanding] = {}
        self._acked: dict[tuple[int, int], None] = {}
        self._acks: list[bytes] = []
        self._queue: list[tuple[bytes, tuple[int, int] | None]] = []
        self._out: deque[bytes] = deque()
        self._events: deque[Event] = deque()
        self._delivery = Delivery(violations)
        self._started = self._last_ack = self._connected_at = self._disconnect_at = 0.0
        self._limit_sent = False
        self._rtt_measured = False

    def connect(self, now: float) -> None:
        self.state, self._started, self._last_ack = "connecting", now, now
        self._queue_reliable(Kind.CONNECT, SYSTEM_CHANNEL, connect_body(self._connect_id, self._connect_data))
        self._flush(now)

    def send_reliable(self, channel: int, data: bytes, now: float) -> None:
        if len(data) + 4 + 6 <= MTU:
            self._queue_reliable(Kind.SEND_RELIABLE, channel, len(data).to_bytes(2) + data)
        else:
            self._queue_fragments(channel, data)
        self._flush(now)

    def send_unreliable(self, channel: int, data: bytes, now: float) -> None:
        self._unreliable[channel] = counter = (self._unreliable.get(channel, 0) + 1) & 0xFFFF
        body = counter.to_bytes(2) + len(data).to_bytes(2) + data
        self._queue.append(
            (command_bytes(Kind.SEND_UNRELIABLE, 0, channel, self._sequences.get(channel, 0), body), None)
        )
        self._flush(now)

    def send_unsequenced(self, channel: int, data: bytes, now: float) -> None:
        self._group = (self._group + 1) & 0xFFFF
        body = self._group.to_bytes(2) + len(data).to_bytes(2) + data
        self._queue.append((command_bytes(Kind.SEND_UNSEQUENCED, UNSEQUENCED, channel, 0, body), None))
        self._flush(now)

    def disconnect(self, now: float) -> None:
        """Begin the orderly end: DISCONNECT goes out once everything reliable is acknowledged."""
        if self.state == "connected":
            self.state, self._disconnect_at = "draining", now
            self.poll(now)

    def disconnect_now(self, now: float) -> None:
        """The unacknowledged farewell that a client sends after a termination message."""
        if self._peer != UNKNOWN_PEER and self.state != "closed":
            sequence = self._next_sequence(SYSTEM_CHANNEL)
            self._queue.append((command_bytes(Kind.DISCONNECT, UNSEQUENCED, SYSTEM_CHANNEL, sequence, bytes(4)), None))
            self._flush(now)
        self.state = "closed"

    def take_datagrams(self) -> list[bytes]:
        out = list(self._out)
        self._out.clear()
        return out

    def take_events(self) -> list[Event]:
        events = list(self._events)
        self._events.clear()
        return events

    @property
    def unacknowledged(self) -> int:
        return len(self._outstanding)

    def receive(self, raw: bytes, now: float) -> None:
        if self.state in ("idle", "closed"):
            return
        datagram = parse(raw)
        if len(raw) > MTU:
            self.violations.add("enet.mtu", f"{len(raw)} bytes")
        if datagram.malformed:
            self.violations.add("enet.malformed", datagram.malformed)
        if datagram.compressed:
            self.violations.add("enet.compressed")
            return
        if datagram.peer != 0:
            self.violations.add("enet.peer-id", datagram.peer)
            return
        wants_ack = any(command.wants_ack for command in datagram.commands)
        if wants_ack != (datagram.sent_time is not None):
            self.violations.add("enet.sent-time", f"present {datagram.sent_time is not None}, wanted {wants_ack}")
        if len(datagram.commands) > MAX_COMMANDS:
            self.violations.add("enet.commands", len(datagram.commands))
        for command in datagram.commands:
            if not self._on_command(command, datagram.session, datagram.sent_time, now):
                break
        self._flush(now)

    def poll(self, now: float) -> None:
        """Retransmit, ping and time out. Call every few milliseconds."""
        if self.state in ("idle", "closed"):
            return
        if self.state == "connecting" and now - self._started > CONNECT_TIMEOUT_S:
            self._end(False, "no connection within 10 s")
            return
        self._retransmit(now)
        if self.state == "connected":
            self._keep_alive(now)
        elif self.state == "draining" and (not self._outstanding or now - self._disconnect_at > DISCONNECT_TIMEOUT_S):
            self.state, self._disconnect_at = "disconnecting", now
            self._queue_reliable(Kind.DISCONNECT, SYSTEM_CHANNEL, bytes(4))
        elif self.state == "disconnecting" and now - self._disconnect_at > DISCONNECT_TIMEOUT_S:
            self.violations.add("enet.disconnect-not-acknowledged")
            self._end(False, "DISCONNECT was not acknowledged")
            return
        self._flush(now)

    def _keep_alive(self, now: float) -> None:
        if not self._limit_sent and now - self._connected_at >= BANDWIDTH_LIMIT_AFTER_S:
            self._limit_sent = True
            self._queue_reliable(Kind.BANDWIDTH_LIMIT, SYSTEM_CHANNEL, bytes(8))
        if not self._outstanding and now - self._last_ack >= PING_INTERVAL_S:
            self._last_ack = now
            self._queue_reliable(Kind.PING, SYSTEM_CHANNEL, b"")

    def _retransmit(self, now: float) -> None:
        timeout_s = (self.rtt_ms + min(self.rtt_ms, 4 * max(1.0, self._rtt_variance_ms))) / 1000
        timeout_s = min(timeout_s, PEER_TIMEOUT_S / 5)
        for key, waiting in list(self._outstanding.items()):
            if now - waiting.first_sent > PEER_TIMEOUT_S:
                self._end(False, f"nothing acknowledged on channel {key[0]} for 10 s")
                return
            if self._judge_acks and not waiting.late_reported and now - waiting.first_sent > ACK_DEADLINE_S:
                waiting.late_reported = True
                self.violations.add("enet.ack-late", f"channel {key[0]} sequence {key[1]}")
            if now - waiting.last_sent > timeout_s * waiting.attempts:
                waiting.attempts += 1
                self._queue.append((waiting.command, key))

    def _on_command(self, command: Command, session: int, sent_time: int | None, now: float) -> bool:
        if self.state == "connecting":
            if command.kind is Kind.DISCONNECT:
                self._end(True, "refused")
            elif command.kind is not Kind.VERIFY_CONNECT:
                self.violations.add("enet.before-verify", command.kind.name)
            else:
                return self._on_verify(command, session, sent_time, now)
            return False
        if session != self._host_session:
            self.violations.add("enet.session-bits", f"{session}, agreed {self._host_session}")
            return False
        if command.wants_ack:
            self._acknowledge(command, sent_time)
        match command.kind:
            case Kind.ACKNOWLEDGE:
                self._on_ack(command, now)
            case Kind.SEND_RELIABLE | Kind.SEND_UNRELIABLE | Kind.SEND_FRAGMENT | Kind.SEND_UNSEQUENCED:
                if command.channel >= CHANNELS:
                    self.violations.add("enet.channel", command.channel)
                reliable = command.kind in (Kind.SEND_RELIABLE, Kind.SEND_FRAGMENT)
                if reliable != command.wants_ack:
                    self.violations.add("enet.command-flags", f"{command.kind.name} {command.flags:#x}")
                self._events.extend(self._delivery.on_command(command))
            case Kind.DISCONNECT:
                self._end(True, "DISCONNECT from the host")
                return False
            case Kind.PING | Kind.BANDWIDTH_LIMIT | Kind.THROTTLE_CONFIGURE | Kind.VERIFY_CONNECT:
                pass
            case _:
                self.violations.add("enet.unexpected", command.kind.name)
        return True

    def _on_verify(self, command: Command, session: int, sent_time: int | None, now: float) -> bool:
        verify = parse_verify(command.body)
        expected = {
            "enet.verify-connect-id": (verify.connect_id, self._connect_id),
            "enet.verify-throttle": (verify[8:11], THROTTLE),
            "enet.verify-mtu": (verify.mtu, MTU),
            "enet.verify-window": (verify.window, WINDOW_BYTES),
            "enet.verify-channels": (verify.channels, CHANNELS),
            "enet.verify-bandwidth": (verify[6:8], (0, 0)),
            "enet.verify-sequence": (command.sequence, 1),
            "enet.verify-flags": (command.flags, WANTS_ACK),
            "enet.verify-session": (session, verify.incoming_session),
        }
        for rule, (seen, wanted) in expected.items():
            if seen != wanted:
                self.violations.add(rule, f"{seen!r}, expected {wanted!r}")
        if verify.incoming_session > 3 or verify.outgoing_session > 3:
            self.violations.add("enet.verify-session", verify[1:3])
        if verify.connect_id != self._connect_id or verify[8:11] != THROTTLE:
            self._end(False, "VERIFY_CONNECT does not echo the request")
            return False
        self._peer, self._session = verify.peer, verify.outgoing_session & 3
        self._host_session = verify.incoming_session & 3
        self._outstanding.pop((SYSTEM_CHANNEL, 1), None)
        self._acked[SYSTEM_CHANNEL, 1] = None
        self.state, self._connected_at, self._last_ack = "connected", now, now
        self._acknowledge(command, sent_time)
        self._events.append(Connected())
        return True

    def _acknowledge(self, command: Command, sent_time: int | None) -> None:
        body = command.sequence.to_bytes(2) + (sent_time or 0).to_bytes(2)
        self._acks.append(command_bytes(Kind.ACKNOWLEDGE, 0, command.channel, command.sequence, body))

    def _on_ack(self, command: Command, now: float) -> None:
        sequence, sent_time = int.from_bytes(command.body[:2]), int.from_bytes(command.body[2:])
        if sequence != command.sequence:
            self.violations.add("enet.ack-sequence", f"{command.sequence} and {sequence}")
        if command.flags:
            self.violations.add("enet.ack-flags", command.flags)
        key = (command.channel, sequence)
        waiting = self._outstanding.pop(key, None)
        if waiting is None:
            if key not in self._acked:
                self.violations.add("enet.ack-unknown", f"channel {key[0]} sequence {key[1]}")
            return
        if sent_time not in waiting.sent_times:
            self.violations.add("enet.ack-sent-time", f"{sent_time}, sent at {waiting.sent_times}")
        else:
            self._measure(max(1, (_milliseconds(now) - sent_time) & 0xFFFF))
        self._last_ack = now
        self._acked[key] = None
        if len(self._acked) > MAX_REMEMBERED_ACKS:
            del self._acked[next(iter(self._acked))]
        if self.state == "disconnecting" and waiting.command[0] & 0xF == Kind.DISCONNECT:
            self._end(False, "closed in order")

    def _measure(self, sample_ms: float) -> None:
        if not self._rtt_measured:
            self._rtt_measured = True
            self.rtt_ms, self._rtt_variance_ms = sample_ms, (sample_ms + 1) / 2
            return
        difference = abs(sample_ms - self.rtt_ms)
        self._rtt_variance_ms += (difference + 3) / 4 - (self._rtt_variance_ms + 3) / 4
        self.rtt_ms += (difference + 7) / 8 * (1 if sample_ms >= self.rtt_ms else -1)
        self.rtt_ms = max(1.0, self.rtt_ms)

    def _next_sequence(self, channel: int) -> int:
        self._sequences[channel] = sequence = (self._sequences.get(channel, 0) + 1) & 0xFFFF
        self._unreliable.pop(channel, None)
        return sequence

    def _queue_reliable(self, kind: Kind, channel: int, body: bytes) -> None:
        if len(self._outstanding) + len(self._queue) >= MAX_OUTSTANDING:
            raise BufferError("too many unacknowledged ENet commands")
        sequence = self._next_sequence(channel)
        self._queue.append((command_bytes(kind, WANTS_ACK, channel, sequence, body), (channel, sequence)))

    def _queue_fragments(self, channel: int, data: bytes) -> None:
        pieces = [data[at : at + FRAGMENT_BYTES] for at in range(0, len(data), FRAGMENT_BYTES)]
        start = (self._sequences.get(channel, 0) + 1) & 0xFFFF
        for number, piece in enumerate(pieces):
            body = fragment_body(start, len(pieces), number, len(data), number * FRAGMENT_BYTES, piece)
            self._queue_reliable(Kind.SEND_FRAGMENT, channel, body)

    def _flush(self, now: float) -> None:
        sent_time = _milliseconds(now)
        pending: list[tuple[bytes, tuple[int, int] | None]] = [(ack, None) for ack in self._acks] + self._queue
        self._acks, self._queue = [], []
        while pending:
            batch: list[tuple[bytes, tuple[int, int] | None]] = []
            size = 4
            while pending and len(batch) < MAX_COMMANDS and size + len(pending[0][0]) <= MTU:
                size += len(pending[0][0])
                batch.append(pending.pop(0))
            if not batch:
                batch.append(pending.pop(0))
            keys = [(command, key) for command, key in batch if key is not None]
            for command, key in keys:
                waiting = self._outstanding.setdefault(key, _Outstanding(command, now, now))
                waiting.last_sent = now
                waiting.sent_times.append(sent_time)
            head = header(self._peer, self._session, sent_time if keys else None)
            self._out.append(head + b"".join(command for command, _ in batch))

    def _end(self, by_host: bool, why: str) -> None:
        if self.state != "closed":
            self.state = "closed"
            self._outstanding.clear()
            self._queue.clear()
            self._events.append(Disconnected(by_host, why))


def _milliseconds(now: float) -> int:
    return int(now * 1000) & 0xFFFF
