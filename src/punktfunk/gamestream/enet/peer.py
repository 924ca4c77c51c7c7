"""One ENet connection: what its commands mean, and what goes into its datagrams (gamestream.md §6.1, §6.3)."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from punktfunk.gamestream.enet.events import Address, DisconnectReason
from punktfunk.gamestream.enet.incoming import Budget, IncomingChannel, UnsequencedWindow
from punktfunk.gamestream.enet.limits import (
    CLOSE_TIMEOUT_MS,
    HALF_OPEN_TIMEOUT_MS,
    MAX_COMMANDS_PER_DATAGRAM,
    MAX_PENDING_ACKS,
    PEER_TIMEOUT_MS,
    PING_INTERVAL_MS,
)
from punktfunk.gamestream.enet.outgoing import Outgoing
from punktfunk.gamestream.enet.wire import (
    CONNECTION_CHANNEL,
    Acknowledge,
    BandwidthLimit,
    Command,
    Connect,
    Disconnect,
    Header,
    Ping,
    SendFragment,
    SendReliable,
    SendUnreliable,
    SendUnsequenced,
    ThrottleConfigure,
    VerifyConnect,
)


class PeerState(enum.Enum):
    """How far a connection is."""

    HALF_OPEN = enum.auto()
    """VERIFY_CONNECT is not yet acknowledged."""
    OPEN = enum.auto()
    CLOSING = enum.auto()
    """Sending what is queued, then DISCONNECT."""


class Peer:
    """A connection in one slot of the host.

    ``ended`` says why it is over, once it is; ``ends_ms`` is when a half-open or closing one is to be cut.
    """

    def __init__(self, handle: int, connect: Connect, answer: VerifyConnect, address: Address, now_ms: int) -> None:
        self.handle = handle
        self.slot = answer.outgoing_peer_id
        self.address = address
        self.connect_id = connect.connect_id
        self.connect_data = connect.data
        self.state = PeerState.HALF_OPEN
        self.ended: DisconnectReason | None = None
        self.ends_ms: int | None = now_ms + HALF_OPEN_TIMEOUT_MS
        self.disconnect_data = 0
        self._outgoing_peer_id = connect.outgoing_peer_id
        self._outgoing_session_id = answer.incoming_session_id
        self._mtu = answer.mtu
        self._channel_count = answer.channel_count
        self._channels: dict[int, IncomingChannel] = {}
        self._budget = Budget()
        self._unsequenced = UnsequencedWindow()
        self._acks: list[Acknowledge] = []
        self._outgoing = Outgoing(answer.mtu, answer.window_bytes, PEER_TIMEOUT_MS)
        self._last_answer_ms = now_ms
        self._close_data: int | None = None
        self._outgoing.next_sequence(CONNECTION_CHANNEL)
        self._outgoing.queue(answer)

    @property
    def round_trip_ms(self) -> int:
        """Estimated round-trip time."""
        return self._outgoing.rtt.mean_ms

    def receive(self, header: Header, commands: Iterable[Command], now_ms: int) -> list[tuple[int, bytes]]:
        """Take the commands of one datagram; return the messages they complete, each with its channel.

        Stops at the first command that has no place here, as ENet does.
        """
        messages: list[tuple[int, bytes]] = []
        for command in commands:
            if command.wants_ack and (header.sent_time is None or len(self._acks) >= MAX_PENDING_ACKS):
                break
            if isinstance(command, Acknowledge):
                if not self._acknowledged(command, now_ms):
                    break
                continue
            if self.state is PeerState.HALF_OPEN:
                break
            delivered = self._handle(command)
            if delivered is None:
                break
            messages += [(command.channel, data) for data in delivered]
            if command.wants_ack and header.sent_time is not None:
                ack = Acknowledge(command.channel, command.sequence, False, command.sequence, header.sent_time)
                self._acks.append(ack)
            if self.ended is not None:
                break
        return messages

    def send(self, channel: int, data: bytes) -> None:
        """Queue a reliable message."""
        self._outgoing.send(channel, data)

    def close(self, data: int, now_ms: int) -> None:
        """Disconnect once everything queued was acknowledged, or after `CLOSE_TIMEOUT_MS`."""
        if self.state is PeerState.OPEN:
            self.state = PeerState.CLOSING
            self.ends_ms = now_ms + CLOSE_TIMEOUT_MS
            self._close_data = data

    def poll(self, now_ms: int) -> None:
        """Queue the PING of a quiet connection."""
        if self.state is PeerState.OPEN and self._outgoing.is_idle and now_ms >= self._ping_ms:
            self._outgoing.queue(Ping(CONNECTION_CHANNEL, self._outgoing.next_sequence(CONNECTION_CHANNEL), True))

    def has_timed_out(self, now_ms: int) -> bool:
        """Whether the peer left something unanswered for too long."""
        return self._outgoing.has_timed_out(now_ms)

    def next_timeout_ms(self, now_ms: int) -> int | None:
        """When :meth:`poll` or :meth:`datagrams` next has something to do."""
        times = [self._outgoing.next_timeout_ms(now_ms), self.ends_ms]
        if self.state is PeerState.OPEN and self._outgoing.is_idle:
            times.append(self._ping_ms)
        if self._acks:
            times.append(now_ms)
        return min((time for time in times if time is not None), default=None)

    def datagrams(self, now_ms: int) -> list[bytes]:
        """Acknowledgements and due commands, packed into as few datagrams as the MTU allows."""
        if self._close_data is not None and self._outgoing.is_idle:
            sequence = self._outgoing.next_sequence(CONNECTION_CHANNEL)
            self._outgoing.queue(Disconnect(CONNECTION_CHANNEL, sequence, True, self._close_data))
            self._close_data = None
        acks = [ack.encode() for ack in self._acks]
        self._acks.clear()
        return self._pack(acks, list(self._outgoing.commands_to_send(now_ms)), now_ms)

    def disconnect_now(self, data: int) -> bytes:
        """The one datagram that ends the connection without waiting for anything."""
        sequence = self._outgoing.next_sequence(CONNECTION_CHANNEL)
        header = Header(self._outgoing_peer_id, self._outgoing_session_id)
        return header.encode() + Disconnect(CONNECTION_CHANNEL, sequence, False, data).encode()

    def _acknowledged(self, ack: Acknowledge, now_ms: int) -> bool:
        """Take an acknowledgement; False when it cannot come from the peer that was sent VERIFY_CONNECT."""
        if not self._outgoing.acknowledged(ack, now_ms):
            return self.state is not PeerState.HALF_OPEN
        self._last_answer_ms = now_ms
        if self.state is PeerState.HALF_OPEN:
            self.state = PeerState.OPEN
            self.ends_ms = None
        elif self.state is PeerState.CLOSING and self._close_data is None and self._outgoing.is_idle:
            self.ended = DisconnectReason.CLOSED
        return True

    def _handle(self, command: Command) -> list[bytes] | None:
        """Act on a command; the messages now deliverable, or None when it has no place here."""
        if isinstance(command, Ping | BandwidthLimit | ThrottleConfigure):
            return []
        if isinstance(command, Disconnect):
            self.ended = DisconnectReason.REMOTE
            self.disconnect_data = command.data
            return []
        if command.channel >= self._channel_count:
            return None
        channel = self._channels.get(command.channel)
        if channel is None:
            channel = self._channels[command.channel] = IncomingChannel(self._budget)
        match command:
            case SendReliable(sequence=sequence, data=data):
                return channel.reliable(sequence, data)
            case SendFragment():
                return channel.fragment(command)
            case SendUnreliable(sequence=sequence, unreliable_sequence=unreliable_sequence, data=data):
                return channel.unreliable(sequence, unreliable_sequence, data)
            case SendUnsequenced(group=group, data=data):
                return [data] if self._unsequenced.accept(group) else []
        return None

    @property
    def _ping_ms(self) -> int:
        return self._last_answer_ms + PING_INTERVAL_MS

    def _pack(self, acks: list[bytes], reliable: list[bytes], now_ms: int) -> list[bytes]:
        """Fill datagrams with acknowledgements, then with commands that want one; only the latter need a sent time."""
        short = Header(self._outgoing_peer_id, self._outgoing_session_id).encode()
        long = Header(self._outgoing_peer_id, self._outgoing_session_id, now_ms & 0xFFFF).encode()
        datagrams: list[bytes] = []
        batch: list[bytes] = []
        header, room = short, self._mtu - len(long)
        for index, command in enumerate(acks + reliable):
            if batch and (len(command) > room or len(batch) == MAX_COMMANDS_PER_DATAGRAM):
                datagrams.append(header + b"".join(batch))
                batch, header, room = [], short, self._mtu - len(long)
            batch.append(command)
            room -= len(command)
            if index >= len(acks):
                header = long
        if batch:
            datagrams.append(header + b"".join(batch))
        return datagrams
