"""Blocking test clients, run in threads: raw bytes, HTTP, and TLS with any certificate."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL, crypto

from punktfunk.trust.certificate import Certificate

TIMEOUT_S = 5.0


@dataclass
class Credentials:
    """What a client presents; ``certificate`` None presents nothing."""

    certificate: Certificate | None
    key: rsa.RSAPrivateKey | None
    max_version: int = SSL.TLS1_3_VERSION


async def raw(port: int, data: bytes) -> bytes:
    """Everything the server answers to ``data``."""
    return await asyncio.to_thread(_raw, port, data)


async def get(port: int, target: str) -> bytes:
    """The body of a plain HTTP request."""
    return (await raw(port, _request(target))).partition(b"\r\n\r\n")[2]


async def tls_get(port: int, target: str, credentials: Credentials) -> tuple[bytes, list[bytes]]:
    """The body of an HTTPS request and the server's certificate chain (DER). Raises SSL.Error."""
    return await asyncio.to_thread(_tls_get, port, target, credentials)


def client_context(credentials: Credentials) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    context.set_max_proto_version(credentials.max_version)
    if credentials.certificate is not None and credentials.key is not None:
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(credentials.certificate.pem.encode())
            file.flush()
            context.use_certificate_file(file.name)
        context.use_privatekey(credentials.key)
    return context


def read_all(connection: SSL.Connection) -> bytes:
    data = b""
    try:
        while True:
            data += connection.recv(65536)
    except SSL.ZeroReturnError:
        return data


def connect(port: int, context: SSL.Context, session: SSL.Session | None = None) -> SSL.Connection:
    plain = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    plain.setblocking(True)
    connection = SSL.Connection(context, plain)
    if session is not None:
        connection.set_session(session)
    connection.set_connect_state()
    try:
        connection.do_handshake()
    except SSL.Error:
        plain.close()
        raise
    return connection


def _request(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: test\r\n\r\n".encode()


def _raw(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as client:
        client.sendall(data)
        received = b""
        while more := client.recv(65536):
            received += more
        return received


def _tls_get(port: int, target: str, credentials: Credentials) -> tuple[bytes, list[bytes]]:
    connection = connect(port, client_context(credentials))
    try:
        connection.sendall(_request(target))
        reply = read_all(connection)
        chain = [crypto.dump_certificate(crypto.FILETYPE_ASN1, c) for c in connection.get_peer_cert_chain() or []]
        return reply.partition(b"\r\n\r\n")[2], chain
    finally:
        connection.close()
