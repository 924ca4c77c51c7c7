"""TLS for the API: a client certificate is asked for, never demanded, and judged later by its exact bytes.

The standard library cannot accept a self-signed client certificate first and judge it later. Here the bytes of the wire
pass through memory buffers between the socket's transport and an HTTP protocol that thinks it has a plain one. The
handshake proves that the client holds the certificate's key; who that is, the gate decides at every request anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from cryptography.x509 import Certificate as X509Certificate
from cryptography.x509 import load_der_x509_certificate
from OpenSSL import SSL, crypto

from punktfunk.trust.certificate import MAX_CERTIFICATE_BYTES, fingerprint_of
from punktfunk.trust.identity import Identity, PrivateKey

HANDSHAKE_DEADLINE_S = 10.0
_READ_BYTES = 64 << 10
_ALPN = b"http/1.1"

_logger = logging.getLogger(__name__)


def server_context(
    certificate: X509Certificate, key: PrivateKey, chain: tuple[X509Certificate, ...] = ()
) -> SSL.Context:
    """A context for TLS 1.2 and 1.3 that asks for a client certificate and takes any or none.

    Sessions are never resumed: a resumed one would carry the certificate of an earlier connection.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    for issuer in chain:
        context.add_extra_chain_cert(issuer)
    context.set_verify(SSL.VERIFY_PEER, _accept_any_certificate)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    context.set_alpn_select_callback(_choose_http)
    return context


def identity_context(identity: Identity) -> SSL.Context:
    """The context that presents the host's own certificate, which clients have pinned."""
    return server_context(load_der_x509_certificate(identity.certificate.der), identity.private_key)


def _accept_any_certificate(
    _connection: SSL.Connection, _cert: crypto.X509, _error: int, _depth: int, _ok: int
) -> bool:
    return True


def _choose_http(_connection: SSL.Connection, offered: list[bytes]) -> Any:
    return _ALPN if _ALPN in offered else SSL.NO_OVERLAPPING_PROTOCOLS


class TlsTransport(asyncio.Transport):
    """What the HTTP protocol writes to: encrypts, and hands everything else to the socket's transport."""

    def __init__(self, protocol: TlsProtocol, connection: SSL.Connection, below: asyncio.Transport) -> None:
        super().__init__()
        self._protocol = protocol
        self._connection = connection
        self._below = below

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Encrypt and send."""
        if not data or self._below.is_closing():
            return
        try:
            self._connection.sendall(bytes(data))
        except SSL.Error:
            self._below.abort()
            return
        self._protocol.flush()

    def close(self) -> None:
        """Announce the end (close_notify) and close once everything is sent."""
        if self._below.is_closing():
            return
        with contextlib.suppress(SSL.Error):
            self._connection.shutdown()
        self._protocol.flush()
        self._below.close()

    def abort(self) -> None:
        """Close at once."""
        self._below.abort()

    def is_closing(self) -> bool:
        """Whether the connection ends."""
        return self._below.is_closing()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand what arrives from now on to another protocol (WebSocket)."""
        self._protocol.inner = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who gets what arrives."""
        assert self._protocol.inner is not None
        return self._protocol.inner

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Facts of the socket; ``sslcontext`` says that this is TLS."""
        if name in ("sslcontext", "ssl_object"):
            return self._connection
        return self._below.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Let the peer wait."""
        self._below.pause_reading()

    def resume_reading(self) -> None:
        """Go on reading."""
        self._below.resume_reading()

    def is_reading(self) -> bool:
        """Whether reading goes on."""
        return self._below.is_reading()

    def can_write_eof(self) -> bool:
        """A TLS connection ends in both directions."""
        return False

    def get_write_buffer_size(self) -> int:
        """Encrypted bytes that wait."""
        return self._below.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When writers are told to wait."""
        self._below.set_write_buffer_limits(high, low)


class TlsProtocol(asyncio.Protocol):
    """One connection. ``make_inner`` gets the fingerprint of the client's certificate ("" for none) once the handshake
    is complete, and returns the protocol to which the plaintext goes."""

    def __init__(
        self,
        context: SSL.Context,
        make_inner: Callable[[str], asyncio.Protocol],
        on_lost: Callable[[TlsProtocol], None] = lambda _protocol: None,
    ) -> None:
        self._connection = SSL.Connection(context, None)
        self._connection.set_accept_state()
        self._make_inner = make_inner
        self._on_lost = on_lost
        self._below: asyncio.Transport
        self._deadline: asyncio.TimerHandle | None = None
        self.inner: asyncio.BaseProtocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The TCP connection stands; the handshake has to follow soon."""
        assert isinstance(transport, asyncio.Transport)
        self._below = transport
        self._deadline = asyncio.get_running_loop().call_later(HANDSHAKE_DEADLINE_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Bytes of the wire."""
        try:
            self._connection.bio_write(data)
            if self.inner is None and not self._handshake():
                return
            self._hand_on()
        except SSL.Error as error:
            _logger.debug("TLS with %s failed: %s", self._below.get_extra_info("peername"), error)
            self.flush()
            self._below.close()

    def eof_received(self) -> bool:
        """The peer has ended: so do we."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._deadline is not None:
            self._deadline.cancel()
        if self.inner is not None:
            self.inner.connection_lost(exc)
        self._on_lost(self)

    def pause_writing(self) -> None:
        """The peer reads slowly."""
        if self.inner is not None:
            self.inner.pause_writing()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        if self.inner is not None:
            self.inner.resume_writing()

    def abort(self) -> None:
        """Cut the connection."""
        self._below.abort()

    @property
    def write_backlog(self) -> int:
        """Encrypted bytes that the peer has not taken yet."""
        return self._below.get_write_buffer_size()

    def flush(self) -> None:
        """Put what was encrypted onto the wire."""
        data = bytearray()
        try:
            while True:
                data += self._connection.bio_read(_READ_BYTES)
        except SSL.WantReadError:
            pass
        if data and not self._below.is_closing():
            self._below.write(data)

    def _handshake(self) -> bool:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self.flush()
            return False
        self.flush()
        assert self._deadline is not None
        self._deadline.cancel()
        self.inner = self._make_inner(self._fingerprint())
        self.inner.connection_made(TlsTransport(self, self._connection, self._below))
        return True

    def _fingerprint(self) -> str:
        certificate = self._connection.get_peer_certificate()
        if certificate is None:
            return ""
        der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        return fingerprint_of(der) if len(der) <= MAX_CERTIFICATE_BYTES else ""

    def _hand_on(self) -> None:
        try:
            while not self._below.is_closing():
                plaintext = self._connection.recv(_READ_BYTES)
                assert isinstance(self.inner, asyncio.Protocol)
                self.inner.data_received(plaintext)
        except SSL.WantReadError:
            self.flush()
        except SSL.ZeroReturnError:
            self._below.close()
