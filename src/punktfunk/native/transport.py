"""One client's QUIC connection: aioquic's core with the client's certificate, timers and bounds (punktfunk1.md §2)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from typing import Any, Protocol

from aioquic.quic import events
from aioquic.quic.connection import NetworkAddress, QuicConnection, QuicConnectionState
from aioquic.quic.packet import QuicFrameType, QuicPacketType
from aioquic.quic.packet_builder import QuicDeliveryHandler, QuicDeliveryState, QuicPacketBuilder
from aioquic.tls import Epoch
from cryptography.hazmat.primitives.serialization import Encoding

from punktfunk.native.path_search import PathProbe, PathSearch
from punktfunk.wire.punktfunk1.enums import CloseCode
from punktfunk.wire.udp import Address

IDLE_TIMEOUT_S = 8.0
KEEP_ALIVE_S = min(IDLE_TIMEOUT_S / 2, 4.0)
HANDSHAKE_TIMEOUT_S = 5.0
MAX_QUEUED_DATAGRAM_BYTES = 4096
"""What may wait for the congestion window; the oldest gives way (§2.2)."""
MAX_DATAGRAM_BYTES = 1150
"""Fits every packet that is sent here; a larger frame would block all behind it for ever."""

CONTROL_STREAM = 0


class ConnectionHandler(Protocol):
    """What a connection tells its owner. Everything that is written in a call leaves when the call returns."""

    def opened(self, fingerprint: bytes | None) -> None:
        """The handshake is done; SHA-256 of the client's certificate, None without one."""
        ...

    def stream_data(self, stream: int, data: bytes, end: bool) -> None:
        """Bytes of a stream that the client opened or that was opened here."""
        ...

    def stream_reset(self, stream: int) -> None:
        """The client gave a stream up, in either direction."""
        ...

    def datagram(self, data: bytes) -> None:
        """One QUIC datagram."""
        ...

    def lost(self, code: int) -> None:
        """The connection is over, by whomever; once, and only after ``opened``."""
        ...

    def path_changed(self, mtu: int) -> None:
        """The path carries IP packets of ``mtu`` bytes; at first, and whenever it becomes another size."""
        ...


class HostQuic(QuicConnection):
    """A server's connection that asks for a certificate, takes any or none, and bounds what waits to be sent.

    aioquic has no public switch for client certificates, no bound on datagrams, and does not tell when a packet came
    that carries nothing but acknowledgements: hence a subclass.
    """

    heard_at = 0.0
    """When the last packet came that could be decrypted."""

    def _payload_received(self, context: Any, *arguments: Any, **options: Any) -> tuple[bool, bool]:
        self.heard_at = context.time
        known: tuple[bool, bool] = super()._payload_received(context, *arguments, **options)
        return known

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        self.tls._request_client_certificate = True

    @property
    def client_fingerprint(self) -> bytes | None:
        """SHA-256 of the certificate that the client proved to own."""
        certificate = self.tls._peer_certificate
        return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest() if certificate is not None else None

    @property
    def close_received(self) -> int | None:
        """The code of the client's close; aioquic itself tells only when the connection has drained."""
        if self._state is QuicConnectionState.DRAINING and self._close_event is not None:
            return int(self._close_event.error_code)
        return None

    def queue_datagram(self, data: bytes) -> int:
        """Queue a datagram; returns how many older ones gave way."""
        self.send_datagram_frame(data)
        pending, dropped = self._datagrams_pending, 0
        while sum(map(len, pending)) > MAX_QUEUED_DATAGRAM_BYTES:
            pending.popleft()
            dropped += 1
        return dropped

    def wanted(self, stream: int) -> bool:
        """Whether the client still reads a stream. Those of 0.7 stop reading the control stream and go on."""
        known = self._streams.get(stream)
        if known is None:
            return not self._stream_is_discarded(stream)
        return known.sender._reset_error_code is None

    @property
    def rtt_s(self) -> float:
        """The path's round trip, smoothed."""
        return float(self._loss._rtt_smoothed) if self._loss._rtt_initialized else float(self._loss._rtt_initial)

    @property
    def next_packet(self) -> int:
        """The number of the next packet."""
        return int(self._packet_number)

    def acknowledged_since(self, packet: int) -> bool:
        """Whether a packet has been acknowledged that has this number or a later one."""
        return bool(self._spaces[Epoch.ONE_RTT].largest_acked_packet >= packet)

    def padded_ping(
        self, payload_bytes: int, handler: QuicDeliveryHandler, number: int, now: float
    ) -> list[tuple[bytes, NetworkAddress]]:
        """A packet that only asks for its acknowledgement, of the given size; ``handler`` gets its fate and ``number``.

        It stands outside of congestion control and loss detection (RFC 9000 §14.4): most of these are sent to be lost.
        """
        assert self._version is not None
        builder = QuicPacketBuilder(
            host_cid=self.host_cid,
            is_client=False,
            max_datagram_size=payload_bytes,
            packet_number=self._packet_number,
            peer_cid=self._peer_cid.cid,
            version=self._version,
        )
        builder.start_packet(QuicPacketType.ONE_RTT, self._cryptos[Epoch.ONE_RTT])
        frame = builder.start_frame(QuicFrameType.PING, handler=handler, handler_args=(number,))
        frame.push_bytes(bytes(builder.remaining_buffer_space))
        datagrams, packets = builder.flush()
        self._packet_number = builder.packet_number
        for packet in packets:
            packet.sent_time, packet.in_flight, packet.is_ack_eliciting = now, False, False
            self._spaces[packet.epoch].sent_packets[packet.packet_number] = packet
        return [(data, self._network_paths[0].addr) for data in datagrams]

    def discard_stream(self, stream: int, code: int) -> None:
        """Want nothing more of a stream, and say so in both directions."""
        known = self._streams.get(stream)
        if known is None:
            return
        if not known.receiver.is_finished:
            self.stop_stream(stream, code)
        if self._stream_can_send(stream) and not known.sender.is_finished:
            self.reset_stream(stream, code)


class QuicTransport:
    """Drives one ``HostQuic`` on the event loop. ``send`` puts a datagram on the wire; ``over`` is called once, when
    nothing of the connection is left."""

    def __init__(
        self,
        quic: HostQuic,
        accept: Callable[[QuicTransport], ConnectionHandler],
        *,
        send: Callable[[bytes, Address], None],
        over: Callable[[QuicTransport], None],
        cid_changed: Callable[[QuicTransport, bytes, bool], None],
        handshake_over: Callable[[], None],
        search: PathSearch,
    ) -> None:
        self._quic = quic
        self._search = search
        self._search_timer: asyncio.Handle | None = None
        self._first_probe_packet = 0
        self._mtu_known = asyncio.Event()
        self._mtu: int | None = None
        self._handler = accept(self)
        self._send = send
        self._over = over
        self._cid_changed = cid_changed
        self._handshake_over: Callable[[], None] | None = handshake_over
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._keep_alive = self._loop.call_later(HANDSHAKE_TIMEOUT_S, self._handshake_late)
        self._busy = False
        self._opened = False
        self._lost = False
        self.datagrams_dropped = 0

    @property
    def peer(self) -> Address:
        """Where the client is now."""
        address: Address | None = self._quic.get_peer_address()
        assert address is not None
        return address

    @property
    def heard_at(self) -> float:
        """When the client's last authentic packet came."""
        return self._quic.heard_at

    def ask_for_life(self) -> None:
        """Send something that the client's QUIC answers at once."""
        if not self._lost:
            self._quic.send_ping(0)
            self._flush()

    @property
    def path_mtu(self) -> int | None:
        """The path's MTU, as probes have found it; None while it is not known."""
        return self._mtu

    async def path_known(self, timeout_s: float) -> int | None:
        """Wait for ``path_mtu``, but not for long: then the best guess."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._mtu_known.wait()
        return self._search.likely_mtu

    def receive(self, data: bytes, address: Address) -> None:
        """One UDP datagram of this connection."""
        self._quic.receive_datagram(data, address, now=self._loop.time())
        self._turn()

    def write(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Bytes for a stream; dropped where the client does not want them."""
        if not self._lost and self._quic.wanted(stream):
            self._quic.send_stream_data(stream, data, end_stream=end)
            self._flush()

    def open_stream(self) -> int:
        """The number of a new bidirectional stream; it exists once something is written to it."""
        return self._quic.get_next_available_stream_id()

    def discard_stream(self, stream: int, code: int) -> None:
        """Stop and reset a stream with an error code."""
        if not self._lost:
            self._quic.discard_stream(stream, code)
            self._flush()

    def send_datagram(self, data: bytes) -> None:
        """A QUIC datagram, best effort; dropped when it is too large."""
        if self._lost or len(data) > MAX_DATAGRAM_BYTES:
            self.datagrams_dropped += 1
            return
        self.datagrams_dropped += self._quic.queue_datagram(data)
        self._flush()

    def close(self, code: int, reason: str = "") -> None:
        """Close with an application code, after everything written so far."""
        self._transmit()
        self._quic.close(error_code=code, reason_phrase=reason)
        self._flush()

    def abandon(self) -> None:
        """Forget the connection without a word; nothing of it runs any more."""
        self._keep_alive.cancel()
        for timer in (self._timer, self._search_timer):
            if timer is not None:
                timer.cancel()

    def _turn(self) -> None:
        self._busy = True
        try:
            while (event := self._quic.next_event()) is not None:
                self._handle(event)
            code = self._quic.close_received
            if code is not None:
                self._tell_lost(code)
        finally:
            self._busy = False
        self._transmit()

    def _handle(self, event: events.QuicEvent) -> None:
        match event:
            case events.StreamDataReceived(data=data, end_stream=end, stream_id=stream):
                if self._opened:
                    self._handler.stream_data(stream, data, end)
            case events.DatagramFrameReceived(data=data):
                if self._opened:
                    self._handler.datagram(data)
            case events.HandshakeCompleted():
                self._open()
            case events.StreamReset(stream_id=stream) | events.StopSendingReceived(stream_id=stream):
                self._handler.stream_reset(stream)
            case events.ConnectionIdIssued(connection_id=cid):
                self._cid_changed(self, cid, True)
            case events.ConnectionIdRetired(connection_id=cid):
                self._cid_changed(self, cid, False)
            case events.ConnectionTerminated(error_code=code):
                self._end(code)

    def _open(self) -> None:
        self._opened = True
        self._end_handshake()
        self._keep_alive.cancel()
        self._keep_alive = self._loop.call_later(KEEP_ALIVE_S, self._ping)
        self._handler.opened(self._quic.client_fingerprint)
        self._search_timer = self._loop.call_soon(self._search_path)

    def _end(self, code: int) -> None:
        self._tell_lost(code)
        self._end_handshake()
        self.abandon()
        self._over(self)

    def _tell_lost(self, code: int) -> None:
        if not self._lost:
            self._lost = True
            if self._opened:
                self._handler.lost(code)

    def _end_handshake(self) -> None:
        over, self._handshake_over = self._handshake_over, None
        if over is not None:
            over()

    def _handshake_late(self) -> None:
        self.close(CloseCode.ERROR, "the handshake took too long")

    def _ping(self) -> None:
        self._quic.send_ping(0)
        self._keep_alive = self._loop.call_later(KEEP_ALIVE_S, self._ping)
        self._flush()

    def _search_path(self) -> None:
        if self._lost:
            return
        now, search = self._loop.time(), self._search
        probe = search.poll(now, self._quic.rtt_s, alive=self._quic.acknowledged_since(self._first_probe_packet))
        if probe is not None:
            self._send_probe(probe, now)
        self._tell_path()
        self._search_timer = self._loop.call_at(max(search.due, now + 0.001), self._search_path)

    def _send_probe(self, probe: PathProbe, now: float) -> None:
        if probe.number == self._search.first_number:
            self._first_probe_packet = self._quic.next_packet
        for data, address in self._quic.padded_ping(probe.payload_bytes, self._probe_over, probe.number, now):
            self._send(data, address)
        # A small packet beside it shows that the path is alive, and its acknowledgement names the probe too.
        self._quic.send_ping(1)
        self._flush()

    def _probe_over(self, fate: QuicDeliveryState, number: int) -> None:
        if fate is QuicDeliveryState.ACKED and not self._lost:
            self._search.acknowledged(number, self._loop.time())
            if self._search_timer is not None:
                self._search_timer.cancel()
            self._search_timer = self._loop.call_soon(self._search_path)

    def _tell_path(self) -> None:
        mtu = self._search.mtu
        if mtu is not None and mtu != self._mtu:
            self._mtu = mtu
            self._mtu_known.set()
            self._handler.path_changed(mtu)

    def _flush(self) -> None:
        if not self._busy:
            self._transmit()

    def _transmit(self) -> None:
        for data, address in self._quic.datagrams_to_send(now=self._loop.time()):
            self._send(data, address)
        self._arm()

    def _arm(self) -> None:
        at = self._quic.get_timer()
        if at == self._timer_at and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._time_is_up) if at is not None else None

    def _time_is_up(self) -> None:
        at, self._timer, self._timer_at = self._timer_at, None, None
        assert at is not None
        self._quic.handle_timer(now=max(at, self._loop.time()))
        self._turn()


def server_configuration(certificate: Any, private_key: Any, protocols: tuple[str, ...]) -> Any:
    """aioquic's configuration of the listener (§2.1, §2.2): version 1 only, no session tickets, so that every handshake
    carries the client's certificate."""
    from aioquic.quic.configuration import QuicConfiguration
    from aioquic.quic.packet import QuicProtocolVersion

    return QuicConfiguration(
        is_client=False,
        alpn_protocols=list(protocols),
        idle_timeout=IDLE_TIMEOUT_S,
        max_datagram_frame_size=65_536,
        supported_versions=[QuicProtocolVersion.VERSION_1],
        certificate=certificate,
        private_key=private_key,
    )
