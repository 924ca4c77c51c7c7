"""The listening port over loopback: certificates of every kind, limits, patience, events that flow and end."""

from __future__ import annotations

import asyncio
import datetime
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL
from tests.unit.gamestream.pairing_client import rsa_key, self_signed, with_oddities
from tests.unit.gamestream.tls_client import Credentials, client_context, connect, read_all
from tests.unit.mgmt.api_client import MACHINE_TOKEN, NATIVE_DEVICE, Bench

from punktfunk.mgmt import http_protocol, server, shield
from punktfunk.mgmt.access import Scope
from punktfunk.mgmt.own_certificate import OwnCertificateError, add_own_certificate
from punktfunk.mgmt.server import ApiServer
from punktfunk.mgmt.tls import identity_context
from punktfunk.trust.certificate import Certificate
from punktfunk.trust.devices import PairedDevice, Plane
from punktfunk.trust.identity import load_native_identity

API = "/api/v1"
NOW = datetime.datetime.now(datetime.UTC)
KEY = rsa_key(1)
PAIRED = self_signed(KEY)
STRANGERS = {
    "self-signed stranger": Credentials(self_signed(rsa_key(2)), rsa_key(2)),
    "same key in another certificate": Credentials(with_oddities(PAIRED, KEY, version_1=False, serial=b"\x55"), KEY),
    "expired": Credentials(self_signed(KEY, days=1), KEY),
    "not yet valid": Credentials(self_signed(KEY, start=NOW + datetime.timedelta(days=30)), KEY),
    "version 1": Credentials(with_oddities(PAIRED, KEY, version_1=True, serial=b"\1"), KEY),
    "none": Credentials(None, None),
}


@pytest.fixture
async def port(bench: Bench, tmp_path) -> AsyncIterator[int]:
    bench.store.add(PairedDevice(Plane.NATIVE, "Phone", PAIRED.fingerprint))
    api = ApiServer(bench.app, identity_context(load_native_identity(tmp_path / "identity")))
    running = asyncio.create_task(bench.management.run())
    yield await api.start("127.0.0.1", 0)
    running.cancel()
    await api.close()
    assert len(api) == 0


async def fetch(port: int, path: str, credentials: Credentials, headers: str = "") -> tuple[int, bytes]:
    def blocking() -> tuple[int, bytes]:
        connection = connect(port, client_context(credentials))
        try:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}\r\n".encode())
            head, _, body = read_all(connection).partition(b"\r\n\r\n")
            return int(head.split()[1]), body
        finally:
            connection.close()

    return await asyncio.to_thread(blocking)


@asynccontextmanager
async def plain_client(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
async def test_the_exact_certificate_is_a_paired_device(port: int, version: int):
    status, body = await fetch(port, f"{API}/library", Credentials(PAIRED, KEY, version))
    assert status == 200
    assert [entry["title"] for entry in json.loads(body)] == ["Desktop", "Game"]
    status, _ = await fetch(port, f"{API}/devices", Credentials(PAIRED, KEY, version))
    assert status == 403


@pytest.mark.parametrize("kind", STRANGERS)
async def test_every_other_certificate_is_nobody(port: int, kind: str):
    status, _ = await fetch(port, f"{API}/library", STRANGERS[kind])
    assert status == 401
    status, _ = await fetch(port, f"{API}/health", STRANGERS[kind])
    assert status == 200


async def test_unpairing_counts_on_a_connection_that_is_kept(port: int, bench: Bench):
    def request(connection: SSL.Connection) -> bytes:
        connection.sendall(f"GET {API}/library HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        data = b""
        while not data.endswith((b"]", b"}")):
            data += connection.recv(65536)
        return data

    connection = await asyncio.to_thread(connect, port, client_context(Credentials(PAIRED, KEY)))
    assert b" 200 " in await asyncio.to_thread(request, connection)
    bench.store.remove(PAIRED.fingerprint)
    assert b" 401 " in await asyncio.to_thread(request, connection)
    connection.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_no_tls_session_is_resumed(port: int, version: ssl.TLSVersion):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = version

    def visit(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool | None]:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, session=session) as secure,
        ):
            secure.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            secure.recv(1)
            return secure.session, secure.session_reused

    session, _ = await asyncio.to_thread(visit, None)
    _, reused = await asyncio.to_thread(visit, session)
    assert not reused


async def test_events_flow_and_end_with_their_token(port: int, bench: Bench, monkeypatch):
    monkeypatch.setattr("punktfunk.mgmt.routes.events.CHECK_INTERVAL_S", 0.05)
    text, token = bench.management.account.create_token("script", [Scope.READ], bench.clock(), None)
    async with plain_client(port) as (reader, writer):
        writer.write(f"GET {API}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {text}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"text/event-stream" in head
        assert b"no-store" in head
        await reader.readuntil(b"retry: 2000\n\n")
        bench.store.rename(NATIVE_DEVICE, "Telephone")
        event = await reader.readuntil(b"\n\n\r\n")
        assert b'"name":"Telephone"' in event
        assert bench.management.events.listeners == 1
        bench.management.account.revoke_token(token.id)
        async with asyncio.timeout(2):
            await reader.readuntil(b"0\r\n\r\n")
    assert bench.management.events.listeners == 0


async def test_a_listener_that_hangs_up_is_forgotten(port: int, bench: Bench, monkeypatch):
    monkeypatch.setattr("punktfunk.mgmt.routes.events.CHECK_INTERVAL_S", 0.02)
    async with plain_client(port) as (reader, writer):
        writer.write(
            f"GET {API}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {MACHINE_TOKEN}\r\n\r\n".encode()
        )
        await reader.readuntil(b"retry: 2000\n\n")
    for _ in range(100):
        if not bench.management.events.listeners:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it still listens")


@pytest.mark.parametrize(
    "nonsense",
    [b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
)
async def test_what_is_no_http_is_answered_like_any_error(port: int, nonsense: bytes):
    async with plain_client(port) as (reader, writer):
        writer.write(nonsense)
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"frame-ancestors 'none'" in answer
    assert b'{"error": ' in answer


async def test_smuggling_forms_are_refused(port: int):
    head = f"POST {API}/auth/logout HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    for fields in (
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: -1\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    ):
        async with plain_client(port) as (reader, writer):
            writer.write(f"{head}{fields}\r\n".encode())
            status = (await reader.readuntil(b"\r\n")).split()[1]
            assert status in (b"400", b"411", b"413", b"501"), fields


async def test_a_chunked_request_is_refused_and_nothing_after_it_is_answered(port: int):
    async with plain_client(port) as (reader, writer):
        writer.write(
            f"POST {API}/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        )
        async with asyncio.timeout(3):
            answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 411 ")
    assert answer.count(b"HTTP/1.1") == 1


async def test_a_head_that_comes_slowly_ends_the_connection(port: int, monkeypatch):
    monkeypatch.setattr(http_protocol, "HEAD_DEADLINE_S", 0.2)
    async with asyncio.timeout(3):
        async with plain_client(port) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: 127")
            assert await reader.read() == b""
        async with plain_client(port) as (reader, _):
            assert await reader.read() == b""


async def test_a_head_that_is_too_long_is_refused(port: int):
    async with plain_client(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * (server.MAX_HEAD_BYTES + 1000))
        assert b" 400 " in await reader.readline()


async def test_a_body_that_does_not_come_is_given_up(port: int, monkeypatch):
    monkeypatch.setattr(shield, "BODY_DEADLINE_S", 0.2)
    async with plain_client(port) as (reader, writer):
        writer.write(
            f"POST {API}/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            "Content-Length: 20\r\n\r\n{".encode()
        )
        async with asyncio.timeout(3):
            assert b" 408 " in await reader.readline()


async def test_connections_are_bounded(port: int, monkeypatch):
    monkeypatch.setattr(server, "MAX_CONNECTIONS_PER_ADDRESS", 2)
    async with plain_client(port), plain_client(port):
        with pytest.raises((OSError, ssl.SSLError)):
            async with plain_client(port):
                pass
    async with asyncio.timeout(3):
        while True:
            try:
                async with plain_client(port):
                    break
            except OSError:
                await asyncio.sleep(0.02)


async def test_what_is_no_tls_and_half_a_handshake_end_quietly(port: int, caplog, monkeypatch):
    monkeypatch.setattr("punktfunk.mgmt.tls.HANDSHAKE_DEADLINE_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(3):
        await reader.read()
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01\x02\x00\x01")
        assert await reader.read() == b""
        writer.close()
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


def test_an_own_certificate_is_for_its_names_only(tmp_path):
    identity = load_native_identity(tmp_path)
    own = load_native_identity(tmp_path / "own")
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    certificate.write_text(own.certificate.pem)
    key.write_bytes(
        own.private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = identity_context(identity)
    with pytest.raises(OwnCertificateError, match="names no host"):
        add_own_certificate(context, certificate, key)
    key.write_bytes(identity.private_key_pem)
    with pytest.raises(OwnCertificateError, match="is not the key of"):
        add_own_certificate(context, certificate, key)
    certificate.write_bytes(_named(own.private_key, "console.example", "*.home.example"))
    key.write_bytes(own.private_key_pem)
    assert add_own_certificate(context, certificate, key) == ("console.example", "*.home.example")
    expected = Certificate.from_pem(certificate.read_text()).fingerprint
    assert _presented(context, "console.example") == expected
    assert _presented(context, "a.home.example") == expected
    for name in ("", "other.example", "home.example", "a.b.home.example"):
        assert _presented(context, name) == identity.fingerprint, name


def _named(key, *names: str) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    subject = x509.Name([])
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + datetime.timedelta(days=9))
    signed = builder.add_extension(alternative, critical=True).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def _presented(context: SSL.Context, name: str) -> str:
    """Which certificate a client that asks for ``name`` gets, by a handshake in memory."""
    host, client = SSL.Connection(context, None), SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    host.set_accept_state()
    client.set_connect_state()
    if name:
        client.set_tlsext_host_name(name.encode())
    for _ in range(4):
        for one, other in ((client, host), (host, client)):
            with suppress(SSL.WantReadError):
                one.do_handshake()
            with suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65536))
    certificate = client.get_peer_certificate(as_cryptography=True)
    assert certificate is not None
    return Certificate.from_der(certificate.public_bytes(serialization.Encoding.DER)).fingerprint
