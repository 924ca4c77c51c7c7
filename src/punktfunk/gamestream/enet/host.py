"""The ENet host: slots, connection set-up, and whose datagram is whose (gamestream.md §6.1, §6.2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from punktfunk.gamestream.enet.events import (
    Address,
    Connected,
    Disconnected,
    DisconnectReason,
    EnetError,
    EnetEvent,
    Received,
)
from punktfunk.gamestream.enet.limits import (
    MAX_CHANNELS,
    MAX_DATAGRAM_BYTES,
    MAX_EVENTS,
    MAX_HALF_OPEN,
    MAX_HALF_OPEN_PER_SOURCE,
    MAX_MTU,
    MAX_PEERS,
    MAX_QUEUED_REPLIES,
    MAX_WINDOW_BYTES,
    MIN_MTU,
    MIN_WINDOW_BYTES,
)
from punktfunk.gamestream.enet.peer import Peer, PeerState
from punktfunk.gamestream.enet.wire import (
    CONNECTION_CHANNEL,
    FRESH_SESSION,
    NO_PEER,
    Connect,
    Disconnect,
    Header,
    SendReliable,
    SendUnreliable,
    SendUnsequenced,
    VerifyConnect,
    parse_commands,
    parse_header,
)

_CONNECT_SEQUENCE = 1


class _SessionIds(NamedTuple):
    """The ids that a slot's latest connection has in its headers."""

    incoming: int
    outgoing: int


class EnetHost:
    """An ENet server for up to ``max_peers`` clients. It owns no socket and no clock.

    After every :meth:`receive` and :meth:`poll`, take :meth:`events` and send :meth:`datagrams_to_send`; call
    :meth:`poll` at :meth:`next_timeout` at the latest. All times are milliseconds of one monotonic clock.

    ``accept(connect_data, address)`` decides whether a CONNECT belongs to a session; a refused one is answered with
    DISCONNECT and costs no memory. ``is_authentic(peer, message)`` decides whether a datagram that names a connected
    peer but comes from another address really is that peer's: ENet itself proves nothing, so the peer's address
    follows only a datagram that carries a message which is.
    """

    def __init__(
        self,
        max_peers: int,
        *,
        accept: Callable[[int, Address], bool],
        is_authentic: Callable[[int, bytes], bool],
    ) -> None:
        if not 0 < max_peers <= MAX_PEERS:
            raise ValueError(f"max_peers must be 1 to {MAX_PEERS}")
        self._accept = accept
        self._is_authentic = is_authentic
        self._slots: list[Peer | None] = [None] * max_peers
        self._session_ids = [_SessionIds(FRESH_SESSION, FRESH_SESSION)] * max_peers
        self._peers: dict[int, Peer] = {}
        self._last_handle = 0
        self._replies: deque[tuple[bytes, Address]] = deque()
        self._events: deque[EnetEvent] = deque()
        self.ignored_datagrams = 0

    def receive(self, datagram: bytes, address: Address, now_ms: int) -> None:
        """Take one datagram. Whatever is wrong with it only adds to ``ignored_datagrams``."""
        header = parse_header(datagram) if len(datagram) <= MAX_DATAGRAM_BYTES else None
        if header is None or len(self._events) >= MAX_EVENTS:
            self.ignored_datagrams += 1
        elif header.peer_id == NO_PEER:
            self._receive_connect(datagram, header, address, now_ms)
        elif (peer := self._addressed_peer(header)) is None or not self._follow(peer, datagram, header, address):
            self.ignored_datagrams += 1
        else:
            self._receive_commands(peer, datagram, header, now_ms)

    def poll(self, now_ms: int) -> None:
        """Let time pass: pings, time-outs, connections to cut."""
        for peer in list(self._peers.values()):
            peer.poll(now_ms)
            if peer.ends_ms is not None and now_ms >= peer.ends_ms:
                self._reply(peer.disconnect_now(0), peer.address)
                self._end(peer, DisconnectReason.CLOSED)
            elif peer.has_timed_out(now_ms):
                self._end(peer, DisconnectReason.TIMED_OUT)

    def next_timeout(self, now_ms: int) -> int | None:
        """When to call :meth:`poll` next (not after ``now_ms`` if something waits to be sent), None without peers."""
        if self._replies:
            return now_ms
        times = (peer.next_timeout_ms(now_ms) for peer in self._peers.values())
        return min((time for time in times if time is not None), default=None)

    def events(self) -> list[EnetEvent]:
        """Take what happened since the last call, oldest first."""
        events = list(self._events)
        self._events.clear()
        return events

    def datagrams_to_send(self, now_ms: int) -> list[tuple[bytes, Address]]:
        """Take the datagrams that are due, with their destinations. They count as sent at ``now_ms``."""
        datagrams = list(self._replies)
        self._replies.clear()
        for peer in self._peers.values():
            datagrams += [(datagram, peer.address) for datagram in peer.datagrams(now_ms)]
        return datagrams

    def send(self, peer: int, channel: int, data: bytes) -> None:
        """Queue a reliable message.

        Raises :class:`QueueFull` when the peer lags too far behind, :class:`EnetError` when it is not connected.
        """
        self._connected(peer).send(channel, data)

    def disconnect(self, peer: int, data: int = 0) -> None:
        """End the connection at once ("disconnect now"); what is queued is lost, and no event follows."""
        connection = self._connected(peer)
        self._reply(connection.disconnect_now(data), connection.address)
        self._free(connection)

    def close(self, peer: int, now_ms: int, data: int = 0) -> None:
        """End the connection once the client has everything queued; `Disconnected` follows, after 2 s at the latest."""
        self._connected(peer).close(data, now_ms)

    def round_trip_ms(self, peer: int) -> int:
        """Estimated round-trip time to a connected peer."""
        return self._connected(peer).round_trip_ms

    def address(self, peer: int) -> Address:
        """Where a connected peer's datagrams come from now."""
        return self._connected(peer).address

    def _connected(self, handle: int) -> Peer:
        peer = self._peers.get(handle)
        if peer is None or peer.state is PeerState.HALF_OPEN:
            raise EnetError(f"peer {handle} is not connected")
        return peer

    def _addressed_peer(self, header: Header) -> Peer | None:
        if header.peer_id >= len(self._slots) or header.session_id != self._session_ids[header.peer_id].incoming:
            return None
        return self._slots[header.peer_id]

    def _follow(self, peer: Peer, datagram: bytes, header: Header, address: Address) -> bool:
        """Whether the datagram may be this peer's; a proven one from elsewhere moves the peer there."""
        if address == peer.address:
            return True
        if peer.state is PeerState.HALF_OPEN:
            return False
        for command in parse_commands(datagram, header):
            if isinstance(command, SendReliable | SendUnreliable | SendUnsequenced):
                if not self._is_authentic(peer.handle, command.data):
                    return False
                peer.address = address
                return True
        return False

    def _receive_commands(self, peer: Peer, datagram: bytes, header: Header, now_ms: int) -> None:
        was_half_open = peer.state is PeerState.HALF_OPEN
        messages = peer.receive(header, parse_commands(datagram, header), now_ms)
        if was_half_open and peer.state is PeerState.OPEN:
            self._events.append(Connected(peer.handle, peer.connect_data, peer.address))
        self._events.extend(Received(peer.handle, channel, data) for channel, data in messages)
        if peer.ended is not None:
            for last in peer.datagrams(now_ms):
                self._reply(last, peer.address)
            self._end(peer, peer.ended)

    def _receive_connect(self, datagram: bytes, header: Header, address: Address, now_ms: int) -> None:
        connect = next(parse_commands(datagram, header), None)
        if (
            not isinstance(connect, Connect)
            or header.sent_time is None
            or not connect.wants_ack
            or len(datagram) != header.size + len(connect.encode())
            or connect.outgoing_peer_id >= NO_PEER
            or connect.channel_count == 0
            or self._is_repeated(connect, address)
        ):
            self.ignored_datagrams += 1
        elif not self._accept(connect.data, address):
            refusal = Disconnect(CONNECTION_CHANNEL, _CONNECT_SEQUENCE, False, 0)
            self._reply(Header(connect.outgoing_peer_id, 0).encode() + refusal.encode(), address)
        elif (index := self._free_slot(address)) is None:
            self.ignored_datagrams += 1
        else:
            self._open(index, connect, address, now_ms)

    def _is_repeated(self, connect: Connect, address: Address) -> bool:
        return any(peer.connect_id == connect.connect_id and peer.address == address for peer in self._peers.values())

    def _free_slot(self, address: Address) -> int | None:
        """A slot for a new connection, unless too many wait already for the end of their set-up."""
        half_open = [peer.address[0] for peer in self._peers.values() if peer.state is PeerState.HALF_OPEN]
        if len(half_open) >= MAX_HALF_OPEN or half_open.count(address[0]) >= MAX_HALF_OPEN_PER_SOURCE:
            return None
        return next((index for index, peer in enumerate(self._slots) if peer is None), None)

    def _open(self, index: int, connect: Connect, address: Address, now_ms: int) -> None:
        previous = self._session_ids[index]
        session_ids = self._session_ids[index] = _SessionIds(
            incoming=next_session_id(previous.incoming, connect.outgoing_session_id),
            outgoing=next_session_id(previous.outgoing, connect.incoming_session_id),
        )
        answer = VerifyConnect(
            channel=CONNECTION_CHANNEL,
            sequence=_CONNECT_SEQUENCE,
            wants_ack=True,
            outgoing_peer_id=index,
            incoming_session_id=session_ids.outgoing,
            outgoing_session_id=session_ids.incoming,
            mtu=min(max(connect.mtu, MIN_MTU), MAX_MTU),
            window_bytes=min(max(connect.window_bytes, MIN_WINDOW_BYTES), MAX_WINDOW_BYTES),
            channel_count=min(connect.channel_count, MAX_CHANNELS),
            incoming_bandwidth=0,
            outgoing_bandwidth=0,
            throttle_interval=connect.throttle_interval,
            throttle_acceleration=connect.throttle_acceleration,
            throttle_deceleration=connect.throttle_deceleration,
            connect_id=connect.connect_id,
        )
        self._last_handle += 1
        peer = Peer(self._last_handle, connect, answer, address, now_ms)
        self._peers[peer.handle] = self._slots[index] = peer

    def _end(self, peer: Peer, reason: DisconnectReason) -> None:
        if peer.state is not PeerState.HALF_OPEN:
            self._events.append(Disconnected(peer.handle, reason, peer.disconnect_data))
        self._free(peer)

    def _free(self, peer: Peer) -> None:
        del self._peers[peer.handle]
        self._slots[peer.slot] = None

    def _reply(self, datagram: bytes, address: Address) -> None:
        if len(self._replies) < MAX_QUEUED_REPLIES:
            self._replies.append((datagram, address))


def next_session_id(previous: int, received: int) -> int:
    """The session id of a slot's new connection, never equal to the previous one (gamestream.md §6.2)."""
    session_id = ((previous if received == FRESH_SESSION else received) + 1) & 3
    return (session_id + 1) & 3 if session_id == previous else session_id
