"""TLS for GameStream: any client certificate passes the handshake and is judged later (gamestream.md §2.5.1).

The standard library cannot do that. Memory buffers only: bytes of the wire go in and come out, no sockets.
"""

from __future__ import annotations

from cryptography.x509 import load_der_x509_certificate
from OpenSSL import SSL, crypto

from punktfunk.trust.identity import Identity

_READ_BYTES = 16 << 10
_MAX_PLAINTEXT_BYTES = 64 << 10


class TlsError(Exception):
    """The handshake or a record failed; ``TlsSession.outgoing`` may hold an alert for the peer."""


def server_context(identity: Identity) -> SSL.Context:
    """A context for TLS 1.2 and 1.3 that sends exactly one certificate and insists on some client certificate.

    Sessions are never resumed: a resumed one would carry the certificate of an earlier connection.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate(load_der_x509_certificate(identity.certificate.der))
    context.use_privatekey(identity.private_key)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _accept_any_certificate)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    return context


def _accept_any_certificate(
    _connection: SSL.Connection, _cert: crypto.X509, _error: int, _depth: int, _ok: int
) -> bool:
    """Accepts what OpenSSL doubts: possession of the key is proved all the same, identity is compared by the API."""
    return True


class TlsSession:
    """The server's end of one TLS connection."""

    def __init__(self, context: SSL.Context) -> None:
        self._connection = SSL.Connection(context, None)
        self._connection.set_accept_state()
        self._peer_certificate: bytes | None = None

    @property
    def peer_certificate(self) -> bytes | None:
        """The client's certificate (DER) once the handshake is complete, else None."""
        return self._peer_certificate

    def receive(self, data: bytes) -> bytes:
        """Take in bytes of the wire; the plaintext they complete, at most 64 KiB. Raises TlsError."""
        plaintext = bytearray()
        try:
            self._connection.bio_write(data)
            if self._peer_certificate is None:
                self._handshake()
            while len(plaintext) < _MAX_PLAINTEXT_BYTES:
                plaintext += self._connection.recv(_READ_BYTES)
        except (SSL.WantReadError, SSL.ZeroReturnError):
            pass
        except SSL.Error as error:
            raise TlsError(f"TLS failed: {error}") from None
        return bytes(plaintext)

    def send(self, plaintext: bytes) -> None:
        """Encrypt ``plaintext``; fetch the result with ``outgoing``. Raises TlsError."""
        try:
            self._connection.sendall(plaintext)
        except SSL.Error as error:
            raise TlsError(f"TLS failed: {error}") from None

    def end(self) -> None:
        """Announce the end of our data (close_notify)."""
        try:
            self._connection.shutdown()
        except SSL.Error as error:
            raise TlsError(f"TLS failed: {error}") from None

    def outgoing(self) -> bytes:
        """The bytes that are to go onto the wire now."""
        data = bytearray()
        try:
            while True:
                data += self._connection.bio_read(_READ_BYTES)
        except SSL.WantReadError:
            return bytes(data)

    def _handshake(self) -> None:
        self._connection.do_handshake()
        certificate = self._connection.get_peer_certificate()
        if certificate is None:
            raise TlsError("the client sent no certificate")
        self._peer_certificate = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
