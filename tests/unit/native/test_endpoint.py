"""The QUIC endpoint on the loopback: certificates, closes, datagrams, junk, and strangers in numbers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import pytest
from tests.impair.path import Impairments
from tests.impair.relay import UdpRelay

from punktfunk.client.endpoint import Endpoint, dial
from punktfunk.client.errors import ClientError
from punktfunk.client.identity import ClientIdentity, new_identity
from punktfunk.native import endpoint as endpoint_module
from punktfunk.native import transport as transport_module
from punktfunk.native.admission import MAX_STRANGERS_PER_ADDRESS, RETRY_FROM
from punktfunk.native.endpoint import QuicEndpoint
from punktfunk.native.transport import MAX_DATAGRAM_BYTES, QuicTransport
from punktfunk.trust.identity import Identity, load_native_identity
from punktfunk.wire.udp import bind_udp

ADDRESS = "127.0.0.1"
DIAL_S = 1.0


@dataclass(eq=False)
class Guest:
    """A handler that writes down what it is told."""

    transport: QuicTransport
    fingerprint: bytes | None = None
    is_open: bool = False
    data: list[tuple[int, bytes]] = field(default_factory=list)
    datagrams: list[bytes] = field(default_factory=list)
    lost_with: list[int] = field(default_factory=list)
    resets: list[int] = field(default_factory=list)
    mtus: list[int] = field(default_factory=list)

    def opened(self, fingerprint: bytes | None) -> None:
        self.is_open, self.fingerprint = True, fingerprint

    def stream_data(self, stream: int, data: bytes, end: bool) -> None:
        self.data.append((stream, data))

    def stream_reset(self, stream: int) -> None:
        self.resets.append(stream)

    def datagram(self, data: bytes) -> None:
        self.datagrams.append(data)

    def lost(self, code: int) -> None:
        self.lost_with.append(code)

    def path_changed(self, mtu: int) -> None:
        self.mtus.append(mtu)


class Door:
    """An endpoint and everybody who came through it."""

    def __init__(self, identity: Identity) -> None:
        self.guests: list[Guest] = []
        sock = bind_udp(ADDRESS, 0)
        self.port: int = sock.getsockname()[1]
        self.endpoint = QuicEndpoint(sock, identity, self._accept)

    def _accept(self, transport: QuicTransport) -> Guest:
        self.guests.append(Guest(transport))
        return self.guests[-1]

    async def enter(self, identity: ClientIdentity | None = None) -> tuple[Endpoint, Guest]:
        client = await dial(ADDRESS, self.port, identity or new_identity(), budget_s=DIAL_S)
        await until(lambda: self.guests[-1].is_open)
        return client, self.guests[-1]


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return load_native_identity(tmp_path_factory.mktemp("identity"))


@pytest.fixture
async def door(identity: Identity) -> AsyncIterator[Door]:
    made = Door(identity)
    yield made
    await made.endpoint.close()
    await asyncio.sleep(0)  # closed client sockets go with the next turn of the loop


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - it is the endpoint that makes it true
            await asyncio.sleep(0.005)


async def test_both_sides_see_each_other_s_certificate(door: Door, identity: Identity) -> None:
    mine = new_identity()
    client, guest = await door.enter(mine)
    assert guest.fingerprint == mine.fingerprint
    assert client.host_fingerprint.hex() == identity.fingerprint
    assert len(door.endpoint.admission._by_address) == 1
    door.endpoint.known(guest.transport)
    door.endpoint.known(guest.transport)
    assert door.endpoint.admission.strangers == 0
    await client.shut(0x51)
    await until(lambda: guest.lost_with == [0x51])
    await until(lambda: door.endpoint.connections == 0)


@pytest.mark.parametrize(
    ("network", "mtu"),
    [
        (Impairments(), 1500),
        (Impairments(delay_s=0.02, loss=0.1), 1500),
        (Impairments(delay_s=0.005, mtu=1280), 1280),
        (Impairments(delay_s=0.005, mtu=1430), 1420),
        (Impairments(mtu=1240), 1228),
    ],
    ids=str,
)
async def test_the_path_s_mtu_is_found(door: Door, network: Impairments, mtu: int) -> None:
    async with UdpRelay((ADDRESS, door.port), network, network) as relay:
        client = await dial(*relay.address, new_identity(), budget_s=DIAL_S)
        await until(lambda: bool(door.guests and door.guests[-1].is_open))
        guest = door.guests[-1]
        assert await guest.transport.path_known(10.0) == mtu
        assert guest.mtus == [mtu]
        client.send_control(b"still here")
        await until(lambda: bool(guest.data))
        await client.shut()
        if not network.loss:
            await until(lambda: door.endpoint.connections == 0)
            assert door.endpoint.paths[ADDRESS] == mtu


async def test_a_client_needs_no_certificate(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = new_identity()
    client, guest = await door.enter(replace(mine, certificate=None, private_key=None))
    assert guest.fingerprint is None
    await client.shut()


async def test_somebody_else_s_certificate_is_not_believed(door: Door) -> None:
    stolen = replace(new_identity(), private_key=new_identity().private_key)
    client: Endpoint | None = None
    with contextlib.suppress(ClientError):
        client = await dial(ADDRESS, door.port, stolen, budget_s=DIAL_S)
    await until(lambda: bool(door.guests))
    await asyncio.sleep(0.05)
    assert not any(guest.is_open for guest in door.guests)
    if client is not None:
        await client.shut()
    await until(lambda: door.endpoint.connections == 0)
    assert door.endpoint.admission.strangers == 0


async def test_streams_datagrams_and_the_reason_of_a_close(door: Door) -> None:
    client, guest = await door.enter()
    heard: list[bytes] = []
    client.attach(lambda payload: None, heard.append)
    client.send_control(b"hello")
    client.send_datagram(b"input")
    await until(lambda: bool(guest.data and guest.datagrams))
    assert guest.data == [(0, b"\x05\x00hello")]
    guest.transport.send_datagram(bytes(MAX_DATAGRAM_BYTES + 1))
    guest.transport.send_datagram(bytes(MAX_DATAGRAM_BYTES))
    await until(lambda: bool(heard))
    assert list(map(len, heard)) == [MAX_DATAGRAM_BYTES]
    guest.transport.close(0x68, "no picture")
    await until(lambda: client.closed_error is not None)
    assert "no picture" in str(client.closed_error)
    await until(lambda: guest.lost_with == [0x68])
    await client.shut()


async def test_a_client_that_stops_reading_a_stream_hears_no_more_of_it_and_goes_on(door: Door) -> None:
    """What punktfunk-probe 0.7.0 does with the control stream once it has what it needs."""
    client, guest = await door.enter()
    heard: list[bytes] = []
    client.attach(lambda payload: None, heard.append)
    client.send_control(b"hello")
    await until(lambda: len(guest.data) == 1)
    client._quic.stop_stream(transport_module.CONTROL_STREAM, 0)
    client.transmit()
    await until(lambda: bool(guest.resets))
    guest.transport.write(transport_module.CONTROL_STREAM, b"to nobody")
    client._quic.send_stream_data(transport_module.CONTROL_STREAM, b"", end_stream=True)
    client.transmit()
    await until(lambda: transport_module.CONTROL_STREAM not in guest.transport._quic._streams)
    guest.transport.write(transport_module.CONTROL_STREAM, b"to nobody")
    guest.transport.send_datagram(b"still here")
    await until(lambda: heard == [b"still here"])
    assert not guest.lost_with
    await client.shut()


async def test_datagrams_that_cannot_leave_give_way_to_newer_ones(door: Door) -> None:
    client, guest = await door.enter()
    guest.transport._transmit = lambda: None  # type: ignore[method-assign]
    for number in range(1000):
        guest.transport.send_datagram(number.to_bytes(2, "big") * 50)
    waiting = guest.transport._quic._datagrams_pending
    assert sum(map(len, waiting)) <= transport_module.MAX_QUEUED_DATAGRAM_BYTES
    assert waiting[-1][:2] == (999).to_bytes(2, "big")
    del guest.transport._transmit
    await client.shut()


async def test_another_protocol_is_refused(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("punktfunk.client.endpoint.ALPN_PROTOCOLS", ("h3",))
    with pytest.raises(ClientError):
        await dial(ADDRESS, door.port, new_identity(), budget_s=0.5)
    assert not any(guest.is_open for guest in door.guests)


async def test_junk_opens_nothing(door: Door) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for size in (0, 1, 20, 1199, 1200, 1500):
            for first in (0x00, 0x40, 0xC0, 0xFF):
                sender.sendto((bytes([first]) + os.urandom(1500))[:size], (ADDRESS, door.port))
    client, _ = await door.enter()
    assert len(door.guests) == 1
    await client.shut()


async def test_strangers_of_one_address_are_counted_until_they_are_known(door: Door) -> None:
    clients = [await door.enter() for _ in range(MAX_STRANGERS_PER_ADDRESS)]
    with pytest.raises(ClientError):
        await dial(ADDRESS, door.port, new_identity(), budget_s=0.3)
    door.endpoint.known(clients[0][1].transport)
    clients.append(await door.enter())
    for client, _ in clients:
        await client.shut()


async def test_under_load_a_client_proves_its_address_first(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[int] = []
    send_retry = QuicEndpoint._send_retry

    def counted(self: QuicEndpoint, *arguments: object) -> None:
        answers.append(1)
        send_retry(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(QuicEndpoint, "_send_retry", counted)
    for _ in range(RETRY_FROM):
        door.endpoint.admission.enter("10.9.9.9")
    client, guest = await door.enter()
    assert guest.is_open
    assert answers
    await client.shut()


async def test_a_handshake_that_stops_half_way_is_given_up(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "HANDSHAKE_TIMEOUT_S", 0.05)
    captured: list[bytes] = []
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as catcher,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        catcher.bind((ADDRESS, 0))
        catcher.settimeout(2)
        with contextlib.suppress(ClientError):
            await dial(ADDRESS, catcher.getsockname()[1], new_identity(), budget_s=0.1)
        captured.append(catcher.recv(2048))
        sender.sendto(captured[0], (ADDRESS, door.port))
    await until(lambda: bool(door.guests))
    await until(lambda: door.endpoint.connections == 0)
    assert door.endpoint.admission.strangers == 0
    assert not door.guests[0].lost_with


def test_the_module_quiets_the_library() -> None:
    assert endpoint_module.logging.getLogger("quic").level == endpoint_module.logging.ERROR
