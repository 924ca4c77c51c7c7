"""The ENet host under datagrams nobody meant to send."""

import json
import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.gamestream.enet_client import connected_pair, exchange

from punktfunk.gamestream.enet import EnetHost
from punktfunk.gamestream.enet.wire import parse_commands, parse_header

VECTORS = Path(__file__).parents[1] / "wire" / "vectors" / "gamestream.json"
CAPTURED = json.loads(VECTORS.read_text())["enet_captured"]["datagrams"]
SEEDS = [bytes.fromhex(entry["datagram"]) for entry in CAPTURED]
HOME = ("192.0.2.1", 5000)


def mutated(dice):
    """A recorded datagram with a few bytes changed, cut, or glued to another."""
    datagram = bytearray(dice.choice(SEEDS)[:200])
    for _ in range(dice.randint(0, 4)):
        datagram[dice.randrange(len(datagram))] = dice.choice([0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)])
    if dice.random() < 0.3:
        datagram += dice.choice(SEEDS)[4:100]
    if dice.random() < 0.3:
        del datagram[dice.randrange(len(datagram)) :]
    return bytes(datagram)


def test_mutated_datagrams_leave_the_host_working():
    dice = random.Random(1)
    host = EnetHost(4, accept=lambda *_: dice.random() < 0.5, is_authentic=lambda *_: dice.random() < 0.1)
    now = 0
    for _ in range(20_000):
        now += dice.randint(0, 5)
        host.receive(mutated(dice), (f"192.0.2.{dice.randrange(4)}", 5000), now)
        host.poll(now)
        host.events()
        assert all(len(datagram) <= 900 for datagram, _ in host.datagrams_to_send(now))
        deadline = host.next_timeout(now)
        assert deadline is None or isinstance(deadline, int)
    for later in (now + 20_000, now + 40_000):
        host.poll(later)
        host.datagrams_to_send(later)
    assert host.next_timeout(now + 40_000) is None


def test_mutations_of_its_own_datagrams_do_not_stop_a_client():
    dice = random.Random(2)
    host = EnetHost(1, accept=lambda *_: True, is_authentic=lambda *_: False)
    client, peer = connected_pair(host)
    delivered = 0
    for number in range(3000):
        client.send(number % 48, number.to_bytes(4, "big"), number)
        noise = bytearray(client.outbox[-1])
        for _ in range(3):
            noise[dice.randrange(len(noise))] = dice.randrange(256)
        host.receive(bytes(noise), ("198.51.100.1", 9), number)
        exchange(host, client, number)
        delivered += sum(event.peer == peer for event in host.events())
    assert delivered == 3000


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_whatever_parses_encodes_to_the_same_bytes(datagram):
    header = parse_header(datagram)
    if header is None:
        return
    encoded = header.encode()
    for command in parse_commands(datagram, header):
        again = command.encode()
        start = len(encoded)
        # Only flags that mean nothing on the command may differ.
        assert datagram[start + 1 : start + len(again)] == again[1:]
        assert datagram[start] & 0x8F == again[0] & 0x8F
        encoded += again
