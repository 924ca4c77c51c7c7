"""ENet datagrams of a recorded session (gamestream.md §6.1–6.3)."""

import json
from pathlib import Path

import pytest

from punktfunk.gamestream.enet import Connected, Disconnected, DisconnectReason, EnetHost, Received
from punktfunk.gamestream.enet.host import next_session_id
from punktfunk.gamestream.enet.wire import parse_commands, parse_header

VECTORS = json.loads((Path(__file__).parent / "vectors" / "gamestream.json").read_text())
CAPTURED = VECTORS["enet_captured"]
DATAGRAMS = [bytes.fromhex(entry["datagram"]) for entry in CAPTURED["datagrams"]]
CLIENT = ("192.0.2.7", 40000)
(
    CONNECT,
    VERIFY_CONNECT,
    ACK_AND_PING,
    ACK_OF_PING,
    FIRST_MESSAGE,
    ACK_OF_MESSAGE,
    WITH_BANDWIDTH_LIMIT,
    UNRELIABLE,
    _FRAGMENT,
    HOST_PING,
    DISCONNECT,
    ACK_OF_DISCONNECT,
) = DATAGRAMS


@pytest.mark.parametrize("vector", VECTORS["enet_session_ids"], ids=str)
def test_session_ids(vector):
    assert next_session_id(vector["previous"], vector["received"]) == vector["result"]


@pytest.mark.parametrize("datagram", DATAGRAMS, ids=[entry["meaning"][:40] for entry in CAPTURED["datagrams"]])
def test_datagrams_survive_parsing_and_encoding(datagram):
    header = parse_header(datagram)
    commands = list(parse_commands(datagram, header))
    assert header.encode() + b"".join(command.encode() for command in commands) == datagram


def test_host_answers_as_recorded():
    host = EnetHost(1, accept=lambda data, _: data == 1211972403, is_authentic=lambda *_: False)

    def answer(datagram, now_ms):
        host.receive(datagram, CLIENT, now_ms)
        return [reply for reply, address in host.datagrams_to_send(now_ms) if address == CLIENT]

    assert answer(CONNECT, 0x3C) == [VERIFY_CONNECT]
    assert answer(ACK_AND_PING, 0x3C) == [ACK_OF_PING]
    assert answer(FIRST_MESSAGE, 0x3D) == [ACK_OF_MESSAGE]
    host.poll(0x22F)
    assert host.datagrams_to_send(0x22F) == []
    host.poll(0x232)
    assert host.datagrams_to_send(0x232)[0][0] == HOST_PING
    assert host.events() == [Connected(1, 1211972403, CLIENT), Received(1, 0, FIRST_MESSAGE[10:])]


def test_disconnect_is_acknowledged_as_recorded():
    host = EnetHost(1, accept=lambda *_: True, is_authentic=lambda *_: False)
    for datagram in (CONNECT, ACK_AND_PING):
        host.receive(datagram, CLIENT, 0x3C)
        host.datagrams_to_send(0x3C)
    host.events()
    host.receive(DISCONNECT, CLIENT, 0x40)
    assert host.datagrams_to_send(0x40) == [(ACK_OF_DISCONNECT, CLIENT)]
    assert host.events() == [Disconnected(1, DisconnectReason.REMOTE)]
