"""The client's end of one QUIC connection: certificates, control frames, datagrams, streams (punktfunk1.md §2)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import NetworkAddress, QuicConnection
from cryptography import x509

from punktfunk.client.errors import (
    ClientError,
    ConnectionLostError,
    FingerprintMismatchError,
    ProtocolError,
    UnreachableError,
    closed,
)
from punktfunk.client.identity import ClientIdentity, fingerprint_of
from punktfunk.wire.punktfunk1 import ALPN_PROTOCOLS
from punktfunk.wire.punktfunk1.enums import CloseCode
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.framing import FrameDecoder, encode_frame

IDLE_TIMEOUT_S = 8.0
KEEP_ALIVE_S = 4.0
DIAL_ATTEMPT_S = 3.0
SERVER_NAME = "punktfunk"
MAX_WAITING_PAYLOADS = 64
"""Control messages held until somebody attaches; a host that sends more breaks the protocol."""
MAX_WAITING_DATAGRAMS = 64
"""Datagrams not yet sent; the oldest gives way."""
MAX_PEER_STREAMS = 8
CLOSE_COPIES = 3
CLOSE_SPACING_S = 0.015
_MAX_DATAGRAM_FRAME_BYTES = 65_536


class StreamHandler(Protocol):
    """Who reads a stream beside the control stream."""

    def data(self, data: bytes, end: bool) -> None:
        """Bytes in order; ``end`` with the last ones."""

    def reset(self) -> None:
        """The host gave the stream up, or the connection ended."""


class Endpoint(QuicConnectionProtocol):
    """One connection to a host. Callbacks run in the event loop; ``closed_error`` says why it ended."""

    def __init__(self, quic: QuicConnection) -> None:
        super().__init__(quic)
        self.closed_error: ClientError | None = None
        self.on_closed: Callable[[ClientError], None] = lambda error: None
        self.on_peer_stream: Callable[[int], StreamHandler | None] = lambda stream_id: None
        self.datagrams_dropped = 0
        self._frames = FrameDecoder()
        self._control_stream: int | None = None
        self._payloads: deque[bytes] = deque()
        self._payload_waiter: asyncio.Future[None] | None = None
        self._on_payload: Callable[[bytes], None] | None = None
        self._on_datagram: Callable[[bytes], None] = lambda data: None
        self._streams: dict[int, StreamHandler] = {}
        self._keep_alive: asyncio.TimerHandle | None = None
        self._settled = asyncio.Event()

    @property
    def host_fingerprint(self) -> bytes:
        """SHA-256 of the certificate that the host showed in TLS; known once the handshake is over."""
        certificate: x509.Certificate | None = self._quic.tls._peer_certificate
        if certificate is None:
            raise ProtocolError("the host showed no certificate")
        return fingerprint_of(certificate)

    @property
    def remote_address(self) -> str:
        """The host's IP address."""
        return str(self._quic._network_paths[0].addr[0])

    async def shake_hands(self) -> None:
        """Wait for the end of the TLS handshake; raises the reason when the connection ended instead."""
        await self._settled.wait()
        if self.closed_error is not None:
            raise self.closed_error

    def send_control(self, payload: bytes) -> None:
        """Frame and send one payload on the control stream, which the first one opens."""
        if self.closed_error is not None:
            return
        if self._control_stream is None:
            self._control_stream = self._quic.get_next_available_stream_id()
        self._quic.send_stream_data(self._control_stream, encode_frame(payload))
        self._transmit_soon()

    def send_datagram(self, data: bytes) -> None:
        """Send unreliably; never waits."""
        if self.closed_error is not None:
            return
        waiting = self._quic._datagrams_pending
        if len(waiting) >= MAX_WAITING_DATAGRAMS:
            waiting.popleft()
            self.datagrams_dropped += 1
        self._quic.send_datagram_frame(data)
        self._transmit_soon()

    async def next_payload(self, timeout_s: float) -> bytes:
        """The next control payload while nobody is attached. Raises the reason of a closed connection, or
        ``ConnectionLostError`` after ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._payloads:
                    if self.closed_error is not None:
                        raise self.closed_error
                    self._payload_waiter = self._loop.create_future()
                    await self._payload_waiter
        except TimeoutError:
            raise ConnectionLostError(f"the host did not answer within {timeout_s:.0f} s") from None
        return self._payloads.popleft()

    def attach(self, on_payload: Callable[[bytes], None], on_datagram: Callable[[bytes], None]) -> None:
        """Hand everything that arrives to callbacks from now on, beginning with what waits."""
        self._on_payload, self._on_datagram = on_payload, on_datagram
        while self._payloads:
            on_payload(self._payloads.popleft())

    def open_stream(self, handler: StreamHandler, data: bytes) -> int:
        """A new bidirectional stream that begins with ``data``; the id for ``send_stream`` and ``cancel_stream``."""
        stream_id = self._quic.get_next_available_stream_id()
        self._streams[stream_id] = handler
        self.send_stream(stream_id, data)
        return stream_id

    def send_stream(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        """More bytes on a stream."""
        if self.closed_error is None:
            # The host may have stopped to read it.
            with contextlib.suppress(RuntimeError, ValueError):
                self._quic.send_stream_data(stream_id, data, end_stream=end)
            self._transmit_soon()

    def cancel_stream(self, stream_id: int, code: int) -> None:
        """Stop reading and writing a stream."""
        self._streams.pop(stream_id, None)
        if self.closed_error is None:
            # A direction that is over already has nothing to cancel.
            with contextlib.suppress(AssertionError, ValueError):
                self._quic.stop_stream(stream_id, code)
            with contextlib.suppress(AssertionError, ValueError):
                self._quic.reset_stream(stream_id, code)
            self._transmit_soon()

    async def shut(self, code: int = CloseCode.DONE, reason: str = "") -> None:
        """Close with an application code and free the socket; safe to repeat."""
        if self.closed_error is None:
            self._quic.close(error_code=code, reason_phrase=reason)
            farewell = self._quic.datagrams_to_send(now=self._loop.time())
            self._end(closed(code, reason))
            await self._send_copies(farewell)
        if self._keep_alive is not None:
            self._keep_alive.cancel()
        if self._transport is not None:
            self._transport.close()

    async def _send_copies(self, datagrams: list[tuple[bytes, NetworkAddress]]) -> None:
        # Nothing repeats a close that is lost on its way; the host would wait until the connection is idle.
        transport = self._transport
        if transport is None:
            return
        for _ in range(CLOSE_COPIES):
            for data, address in datagrams if not transport.is_closing() else ():
                transport.sendto(data, address)
            await asyncio.sleep(CLOSE_SPACING_S)

    def quic_event_received(self, event: events.QuicEvent) -> None:
        """See aioquic."""
        match event:
            case events.HandshakeCompleted():
                self._settled.set()
                self._arm_keep_alive()
            case events.DatagramFrameReceived(data=data):
                self._on_datagram(data)
            case events.StreamDataReceived(stream_id=stream_id, data=data, end_stream=end):
                if stream_id == self._control_stream:
                    self._control_data(data, end)
                else:
                    self._stream_data(stream_id, data, end)
            case events.StreamReset(stream_id=stream_id):
                handler = self._streams.pop(stream_id, None)
                if handler is not None:
                    handler.reset()
            case events.ConnectionTerminated():
                self._end(_why(event))

    def _control_data(self, data: bytes, end: bool) -> None:
        try:
            for payload in self._frames.feed(data):
                if self._on_payload is not None:
                    self._on_payload(payload)
                elif len(self._payloads) >= MAX_WAITING_PAYLOADS:
                    raise MalformedError("control", "more messages than a handshake has")
                else:
                    self._payloads.append(payload)
                    self._wake()
        except MalformedError as error:
            self._fail(ProtocolError(f"the host sent what cannot be understood ({error})"))
        if end:
            self._fail(ProtocolError("the host ended the control stream"))

    def _stream_data(self, stream_id: int, data: bytes, end: bool) -> None:
        handler = self._streams.get(stream_id)
        # Bits of a stream id: 0x1 opened by the host, 0x2 unidirectional (RFC 9000 §2.1).
        if handler is None and stream_id & 3 == 1:
            peers = sum(known & 3 == 1 for known in self._streams)
            handler = self.on_peer_stream(stream_id) if peers < MAX_PEER_STREAMS else None
            if handler is None:
                self.cancel_stream(stream_id, CloseCode.ERROR)
                return
            self._streams[stream_id] = handler
        if handler is not None:
            handler.data(data, end)
            if end:
                self._streams.pop(stream_id, None)

    def _fail(self, error: ClientError) -> None:
        if self.closed_error is None:
            self.close(error_code=CloseCode.ERROR)
            self._end(error)

    def _end(self, error: ClientError) -> None:
        if self.closed_error is not None:
            return
        self.closed_error = error
        if self._keep_alive is not None:
            self._keep_alive.cancel()
        streams, self._streams = self._streams, {}
        for handler in streams.values():
            handler.reset()
        self._settled.set()
        self._wake()
        self.on_closed(error)

    def _wake(self) -> None:
        if self._payload_waiter is not None and not self._payload_waiter.done():
            self._payload_waiter.set_result(None)

    def _arm_keep_alive(self) -> None:
        self._keep_alive = self._loop.call_later(KEEP_ALIVE_S, self._ping)

    def _ping(self) -> None:
        self._quic.send_ping(0)
        self.transmit()
        self._arm_keep_alive()


def _why(event: events.ConnectionTerminated) -> ClientError:
    # aioquic leaves the frame type of an application's close empty.
    if event.frame_type is None:
        return closed(event.error_code, event.reason_phrase)
    text = event.reason_phrase or f"transport error 0x{event.error_code:x}"
    return ConnectionLostError(f"the connection broke: {text[:200]}")


async def dial(
    host: str, port: int, identity: ClientIdentity, *, pin: bytes | None = None, budget_s: float = 10.0
) -> Endpoint:
    """A connection whose TLS handshake is over and whose host shows the certificate ``pin`` (None: any).

    Tries again every ``DIAL_ATTEMPT_S`` until ``budget_s`` is spent. Raises ``UnreachableError``,
    ``FingerprintMismatchError``, or the reason of a host that closes at once.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise UnreachableError(f"{host} is no address of this network: {error.strerror}") from error
    address = cast(tuple[str, int], min(found, key=lambda entry: entry[0] != socket.AF_INET)[4])
    deadline = loop.time() + budget_s
    while (left := deadline - loop.time()) > 0:
        endpoint = await _attempt(address, identity, min(DIAL_ATTEMPT_S, left))
        if endpoint is None:
            continue
        if pin is not None and endpoint.host_fingerprint != pin:
            mismatch = FingerprintMismatchError(pin.hex(), endpoint.host_fingerprint.hex())
            await endpoint.shut(CloseCode.ERROR)
            raise mismatch
        return endpoint
    raise UnreachableError(f"no punktfunk host answers at {host} port {port} (UDP)")


async def _attempt(address: tuple[str, int], identity: ClientIdentity, timeout_s: float) -> Endpoint | None:
    configuration = QuicConfiguration(
        alpn_protocols=list(ALPN_PROTOCOLS),
        certificate=identity.certificate,
        private_key=identity.private_key,
        server_name=SERVER_NAME,
        verify_mode=ssl.CERT_NONE,
        idle_timeout=IDLE_TIMEOUT_S,
        max_datagram_frame_size=_MAX_DATAGRAM_FRAME_BYTES,
    )
    loop = asyncio.get_running_loop()
    any_address = "::" if ":" in address[0] else "0.0.0.0"
    _, endpoint = await loop.create_datagram_endpoint(
        lambda: Endpoint(QuicConnection(configuration=configuration)), local_addr=(any_address, 0)
    )
    try:
        async with asyncio.timeout(timeout_s):
            endpoint.connect(address)
            await endpoint.shake_hands()
        return endpoint
    except TimeoutError:
        await endpoint.shut()
        return None
    except BaseException:
        await endpoint.shut()
        raise
