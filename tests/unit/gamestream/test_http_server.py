"""The listeners over loopback: TLS with every kind of certificate, deadlines, limits."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator

import pytest
from OpenSSL import SSL
from tests.unit.gamestream import tls_client
from tests.unit.gamestream.pairing_client import host_identity, rsa_key, self_signed, with_oddities
from tests.unit.gamestream.tls_client import Credentials, tls_get

from punktfunk.gamestream import http_server
from punktfunk.gamestream.http import HttpResponse
from punktfunk.gamestream.http_server import Exchange, HttpServer
from punktfunk.gamestream.tls import TlsError, TlsSession, server_context

NOW = datetime.datetime.now(datetime.UTC)
KEY = rsa_key(1)
PLAIN = self_signed(KEY)
CERTIFICATES = {
    "usual": PLAIN,
    "expired": self_signed(KEY, days=1),
    "not yet valid": self_signed(KEY, start=NOW + datetime.timedelta(days=30)),
    "serial 0": with_oddities(PLAIN, KEY, version_1=False, serial=b"\0"),
    "negative serial": with_oddities(PLAIN, KEY, version_1=False, serial=b"\xff"),
    "version 1": with_oddities(PLAIN, KEY, version_1=True, serial=b"\1"),
    "1024 bits": self_signed(rsa_key(9, 1024)),
}


async def echo(exchange: Exchange) -> HttpResponse:
    return HttpResponse((exchange.certificate or b"").hex().encode() + b"|" + exchange.request.path.encode())


@pytest.fixture
async def https() -> AsyncIterator[int]:
    server = HttpServer(echo, tls=server_context(host_identity()), deadline_s=1.0)
    yield await server.start("127.0.0.1", 0)
    await server.close()


@pytest.fixture
async def http() -> AsyncIterator[int]:
    server = HttpServer(echo, deadline_s=0.2)
    yield await server.start("127.0.0.1", 0)
    await server.close()


@pytest.mark.parametrize("kind", CERTIFICATES)
@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
async def test_handshake_takes_any_certificate_and_reports_it_exactly(https: int, kind: str, version: int) -> None:
    certificate = CERTIFICATES[kind]
    key = rsa_key(9, 1024) if kind == "1024 bits" else KEY
    body, chain = await tls_get(https, "/x", Credentials(certificate, key, version))
    assert body == certificate.der.hex().encode() + b"|/x"
    assert chain == [host_identity().certificate.der], "clients compare only a chain of exactly one"


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
async def test_no_certificate_fails_the_handshake(https: int, version: int) -> None:
    with pytest.raises(SSL.Error):
        await tls_get(https, "/x", Credentials(None, None, version))


async def test_old_tls_is_refused(https: int) -> None:
    with pytest.raises(SSL.Error):
        await tls_get(https, "/x", Credentials(PLAIN, KEY, SSL.TLS1_1_VERSION))


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
async def test_sessions_are_never_resumed(https: int, version: int) -> None:
    """A second handshake that offers the first one's session is a full one, with the certificate proved again."""

    def twice() -> bytes:
        context = tls_client.client_context(Credentials(PLAIN, KEY, version))
        first = tls_client.connect(https, context)
        first.sendall(b"GET /x HTTP/1.1\r\n\r\n")
        tls_client.read_all(first)
        session = first.get_session()
        second = tls_client.connect(https, context, session)
        second.sendall(b"GET /x HTTP/1.1\r\n\r\n")
        body = tls_client.read_all(second).partition(b"\r\n\r\n")[2]
        secrets = first.master_key(), second.master_key()
        for connection in (first, second):
            connection.close()
        assert secrets[0] != secrets[1]
        return body

    body = await asyncio.to_thread(twice)
    assert body == PLAIN.der.hex().encode() + b"|/x"


def test_garbage_ends_the_tls_session_with_an_alert() -> None:
    session = TlsSession(server_context(host_identity()))
    with pytest.raises(TlsError):
        session.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert session.peer_certificate is None


async def test_response_ends_the_connection(http: int) -> None:
    reply = await tls_client.raw(http, b"GET /x HTTP/1.1\r\n\r\nGET /y HTTP/1.1\r\n\r\n")
    assert reply.count(b"HTTP/1.1") == 1


async def test_unreadable_request_gets_an_http_error(http: int) -> None:
    assert (await tls_client.raw(http, b"POST /x HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize("start", [b"", b"GET /x HT"])
async def test_slow_request_is_cut_off(http: int, start: bytes) -> None:
    """Slow-loris: silence and dripping bytes both end at the deadline."""
    reader, writer = await asyncio.open_connection("127.0.0.1", http)
    writer.write(start)
    assert await asyncio.wait_for(reader.read(), 3) == b""
    writer.close()


async def test_slow_handshake_is_cut_off(https: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", https)
    writer.write(b"\x16\x03\x01")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_connections_without_data_are_tolerated(http: int) -> None:
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", http)
        writer.close()
        await writer.wait_closed()
    assert (await tls_client.get(http, "/x")).endswith(b"/x")


async def test_connections_of_one_address_are_limited(http: int) -> None:
    held = [await asyncio.open_connection("127.0.0.1", http) for _ in range(http_server.MAX_CONNECTIONS_PER_ADDRESS)]
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", http)
        assert await asyncio.wait_for(reader.read(), 1) == b"", "closed at once, before the deadline of the others"
        writer.close()
    finally:
        for _, writer in held:
            writer.close()


async def test_hanging_up_is_reported_to_the_handler() -> None:
    gone = asyncio.Event()

    async def park(exchange: Exchange) -> HttpResponse:
        await asyncio.wait([exchange.gone])
        gone.set()
        return HttpResponse(b"")

    server = HttpServer(park)
    port = await server.start("127.0.0.1", 0)
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /x HTTP/1.1\r\n\r\n")
    writer.close()
    await asyncio.wait_for(gone.wait(), 3)
    await server.close()
