"""Connection set-up and end, addresses, and who is listened to."""

import struct

import pytest
from tests.unit.gamestream.enet_client import EnetClient, connected_pair, exchange

from punktfunk.gamestream.enet import (
    Connected,
    Disconnected,
    DisconnectReason,
    EnetError,
    EnetHost,
    Received,
)
from punktfunk.gamestream.enet.limits import HALF_OPEN_TIMEOUT_MS

HOME = ("192.0.2.1", 5000)
ELSEWHERE = ("198.51.100.9", 6000)


@pytest.fixture
def host():
    return EnetHost(2, accept=lambda data, _: data == 7, is_authentic=lambda _, message: message == b"proof")


def test_connected_names_data_and_address(host):
    client = EnetClient(connect_data=7)
    client.connect(0)
    exchange(host, client, 0)
    assert host.events() == [Connected(1, 7, HOME)]


def test_nothing_is_delivered_before_verify_connect_is_acknowledged(host):
    client = EnetClient()
    client.connect(0)
    host.receive(client.outbox.pop(), HOME, 0)
    client.receive(host.datagrams_to_send(0)[0][0], 0)
    acknowledgement = client.outbox.pop()
    client.send(0, b"too early", 0)
    host.receive(client.outbox[-1], HOME, 0)
    assert host.events() == []
    assert host.datagrams_to_send(0) == []
    host.receive(acknowledgement, HOME, 1)
    assert host.events() == [Connected(1, 7, HOME)]


def test_stranger_is_refused_at_once_without_a_slot(host):
    stranger = EnetClient(connect_data=8)
    stranger.connect(0)
    exchange(host, stranger, 0)
    assert stranger.disconnected
    assert host.events() == []
    assert host.next_timeout(0) is None


def test_repeated_connect_opens_one_connection(host):
    client = EnetClient()
    client.connect(0)
    (connect,) = client.outbox
    host.receive(connect, HOME, 0)
    host.receive(connect, HOME, 10)
    assert len(host.datagrams_to_send(10)) == 1
    assert host.ignored_datagrams == 1


def test_lost_verify_connect_is_sent_again_after_504_ms(host):
    client = EnetClient()
    client.connect(0)
    host.receive(client.outbox.pop(), HOME, 0)
    (first,) = host.datagrams_to_send(0)
    assert host.datagrams_to_send(503) == []
    assert host.next_timeout(0) == 504
    ((again, _),) = host.datagrams_to_send(504)
    assert again[4:] == first[0][4:]


def test_half_open_connection_is_forgotten(host):
    client = EnetClient()
    client.connect(0)
    host.receive(client.outbox.pop(), HOME, 0)
    host.poll(HALF_OPEN_TIMEOUT_MS)
    assert host.events() == []
    assert host.next_timeout(HALF_OPEN_TIMEOUT_MS) == HALF_OPEN_TIMEOUT_MS
    host.datagrams_to_send(HALF_OPEN_TIMEOUT_MS)
    assert host.next_timeout(HALF_OPEN_TIMEOUT_MS) is None


def test_second_connection_of_a_slot_has_other_session_ids():
    host = EnetHost(1, accept=lambda *_: True, is_authentic=lambda *_: False)
    first, peer = connected_pair(host)
    host.disconnect(peer)
    host.datagrams_to_send(0)
    second, peer = connected_pair(host, client=EnetClient(connect_id=b"next"))
    assert (first.slot, second.slot) == (0, 0)
    assert first.session != second.session
    first.send(0, b"from the past", 0)
    second.send(0, b"now", 0)
    exchange(host, first, 0)
    exchange(host, second, 0)
    assert host.events() == [Received(peer, 0, b"now")]


def test_two_clients_are_kept_apart(host):
    one, first = connected_pair(host)
    other, second = connected_pair(host, client=EnetClient(connect_id=b"else"), address=ELSEWHERE)
    one.send(3, b"one", 0)
    other.send(3, b"other", 0)
    exchange(host, one, 0, HOME)
    exchange(host, other, 0, ELSEWHERE)
    assert host.events() == [Received(first, 3, b"one"), Received(second, 3, b"other")]


def test_client_disconnects(host):
    client, peer = connected_pair(host)
    client.disconnect(5)
    exchange(host, client, 5)
    assert client.is_idle
    assert host.events() == [Disconnected(peer, DisconnectReason.REMOTE)]


def test_client_disconnects_now(host):
    client, peer = connected_pair(host)
    client.disconnect_now()
    exchange(host, client, 5)
    assert host.events() == [Disconnected(peer, DisconnectReason.REMOTE)]


def test_host_disconnects_now(host):
    client, peer = connected_pair(host)
    host.send(peer, 0, b"never sent")
    host.disconnect(peer)
    ((datagram, _),) = host.datagrams_to_send(0)
    assert datagram == struct.pack(">HBBHI", 0, 0x44, 0xFF, 2, 0)
    client.receive(datagram, 0)
    assert client.disconnected
    with pytest.raises(EnetError, match="not connected"):
        host.send(peer, 0, b"")
    assert host.events() == []


def test_host_closes_after_its_last_words(host):
    client, peer = connected_pair(host)
    host.send(peer, 0, b"goodbye")
    host.close(peer, now_ms=0)
    exchange(host, client, 0)
    assert client.received == {0: [b"goodbye"]}
    assert client.disconnected
    assert host.events() == [Disconnected(peer, DisconnectReason.CLOSED)]


def test_close_cuts_a_silent_client_after_two_seconds(host):
    _, peer = connected_pair(host)
    host.send(peer, 0, b"goodbye")
    host.close(peer, now_ms=0)
    host.datagrams_to_send(0)
    host.poll(1999)
    assert host.events() == []
    host.poll(2000)
    assert host.events() == [Disconnected(peer, DisconnectReason.CLOSED)]
    assert host.datagrams_to_send(2000)[-1][0][2] == 0x44


def test_silent_client_is_given_up_after_ten_seconds(host):
    _, peer = connected_pair(host)
    now, events = 0, []
    while not events:
        now = max(now + 1, host.next_timeout(now))
        host.poll(now)
        host.datagrams_to_send(now)
        events = host.events()
    assert events == [Disconnected(peer, DisconnectReason.TIMED_OUT)]
    assert 10_000 <= now <= 10_600


def test_quiet_connection_is_pinged_every_half_second(host):
    client, _ = connected_pair(host)
    pinged = []
    for now in range(1, 2001):
        host.poll(now)
        for datagram, _ in host.datagrams_to_send(now):
            pinged.append(now)
            client.receive(datagram, now)
        exchange(host, client, now)
    assert pinged == [500, 1000, 1500, 2000]


def test_address_follows_a_proven_datagram(host):
    client, peer = connected_pair(host)
    client.send(0, b"proof", 1)
    exchange(host, client, 1, ELSEWHERE)
    assert host.address(peer) == ELSEWHERE
    assert host.events() == [Received(peer, 0, b"proof")]


@pytest.mark.parametrize("forge", ["message", "ping", "disconnect", "disconnect_now"])
def test_forged_datagram_from_elsewhere_changes_nothing(host, forge):
    client, peer = connected_pair(host)
    match forge:
        case "message":
            client.send(0, b"forged", 1)
        case "ping":
            client.ping(1)
        case "disconnect":
            client.disconnect(1)
        case "disconnect_now":
            client.disconnect_now()
    exchange(host, client, 1, ELSEWHERE)
    assert host.address(peer) == HOME
    assert host.events() == []
    assert host.ignored_datagrams == 1


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x00",
        bytes(5),
        b"moonlight-ctest" + bytes(1025),
        bytes.fromhex("4000850000020000"),
        bytes.fromhex("00058500000200000000"),
        bytes.fromhex("30008500000200000000"),
        bytes(4097),
    ],
    ids=["empty", "one byte", "short", "probe", "compressed", "no such slot", "other session", "too long"],
)
def test_junk_is_only_counted(host, datagram):
    connected_pair(host)
    host.receive(datagram, HOME, 1)
    assert (host.ignored_datagrams, host.events(), host.datagrams_to_send(1)) == (1, [], [])


@pytest.mark.parametrize(
    ("offset", "value"), [(4, b"\x0f\xff"), (16, bytes(4))], ids=["peer id out of range", "no channels"]
)
def test_connect_with_absurd_fields_is_ignored(host, offset, value):
    client = EnetClient()
    client.connect(0)
    connect = bytearray(client.outbox.pop())
    connect[4 + offset : 4 + offset + len(value)] = value
    host.receive(bytes(connect), HOME, 0)
    assert (host.ignored_datagrams, host.datagrams_to_send(0)) == (1, [])


def test_connect_fields_are_clamped(host):
    client = EnetClient()
    client.connect(0)
    connect = bytearray(client.outbox.pop())
    connect[12:24] = struct.pack(">III", 1, 0xFFFFFFFF, 0xFFFFFFFF)
    host.receive(bytes(connect), HOME, 0)
    ((answer, _),) = host.datagrams_to_send(0)
    assert struct.unpack_from(">III", answer, 12) == (576, 65536, 64)
