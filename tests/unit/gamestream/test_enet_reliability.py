"""Whatever the network does, every reliable message arrives once and in order on its channel."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.gamestream.enet_client import connected_pair, exchange

from punktfunk.gamestream.enet import EnetHost, Received
from punktfunk.gamestream.enet.incoming import Budget, IncomingChannel
from punktfunk.gamestream.enet.rtt import RoundTripTime

HOME = ("192.0.2.1", 5000)


class Network:
    """Loses, repeats and delays datagrams, each by its own dice."""

    def __init__(self, seed, loss, duplication, max_delay_ms):
        self._dice = random.Random(seed)
        self._loss, self._duplication, self._max_delay_ms = loss, duplication, max_delay_ms
        self._on_the_way = []

    def carry(self, datagram, to_host, now):
        copies = 0 if self._dice.random() < self._loss else 1 + (self._dice.random() < self._duplication)
        for _ in range(copies):
            arrival = now + self._dice.randint(0, self._max_delay_ms)
            self._on_the_way.append((arrival, self._dice.random(), to_host, datagram))

    def arrivals(self, now):
        due = sorted(item for item in self._on_the_way if item[0] <= now)
        self._on_the_way = [item for item in self._on_the_way if item[0] > now]
        return [(to_host, datagram) for _, _, to_host, datagram in due]


def run(host, client, network, until, now=0, limit_ms=60_000):
    """Let time pass in steps of 20 ms until the condition holds; returns the host's events."""
    events = []
    while not until(events):
        assert now < limit_ms, "the exchange does not end"
        for to_host, datagram in network.arrivals(now):
            if to_host:
                host.receive(datagram, HOME, now)
            else:
                client.receive(datagram, now)
        client.poll(now)
        host.poll(now)
        for datagram, _ in host.datagrams_to_send(now):
            network.carry(datagram, False, now)
        for datagram in client.outbox:
            network.carry(datagram, True, now)
        client.outbox.clear()
        events += host.events()
        now += 20
    return events


messages = st.lists(
    st.tuples(st.sampled_from([0, 1, 3, 0x10]), st.sampled_from([0, 1, 40, 872, 873, 2500])), min_size=1, max_size=25
)


@settings(max_examples=60, deadline=None)
@given(
    to_host=messages,
    to_client=messages,
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.05, 0.15]),  # more, and a peer may rightly be given up after 10 s
    duplication=st.sampled_from([0.0, 0.5]),
    max_delay_ms=st.sampled_from([0, 100, 400]),
)
def test_reliable_messages_arrive_once_and_in_order(to_host, to_client, seed, loss, duplication, max_delay_ms):
    host = EnetHost(1, accept=lambda *_: True, is_authentic=lambda *_: True)
    network = Network(seed, loss, duplication, max_delay_ms)
    client, peer = connected_pair(host, address=HOME)
    dice = random.Random(seed)
    expected_by_host, expected_by_client = {}, {}
    for channel, size in to_host:
        data = dice.randbytes(size)
        client.send(channel, data, 0)
        expected_by_host.setdefault(channel, []).append(data)
    for channel, size in to_client:
        data = dice.randbytes(size)
        host.send(peer, channel, data)
        expected_by_client.setdefault(channel, []).append(data)

    def everything_arrived(events):
        got = sum(isinstance(event, Received) for event in events)
        return got >= len(to_host) and client.received == expected_by_client and client.is_idle

    events = run(host, client, network, until=everything_arrived)
    received = {}
    for event in events:
        assert isinstance(event, Received)
        received.setdefault(event.channel, []).append(event.data)
    assert received == expected_by_host


@given(st.permutations(range(1, 20)), st.lists(st.integers(1, 19), max_size=10))
def test_order_is_restored_from_any_permutation(order, repeats):
    channel, delivered = IncomingChannel(Budget()), []
    for sequence in [*order, *repeats]:
        delivered += channel.reliable(sequence, bytes([sequence])) or []
    assert delivered == [bytes([sequence]) for sequence in range(1, 20)]


def test_sequence_numbers_wrap():
    channel = IncomingChannel(Budget())
    for number in range(1, 140_000):
        assert channel.reliable(number & 0xFFFF, b"x") == [b"x"]
    assert channel.reliable(139_999 & 0xFFFF, b"x") == []


def test_fragments_across_the_wrap():
    host = EnetHost(1, accept=lambda *_: True, is_authentic=lambda *_: True)
    client, peer = connected_pair(host)
    for _ in range(0xFFFE):
        client.send(0, b"", 0)
        host.receive(client.outbox.pop(), HOME, 0)
        for datagram, _ in host.datagrams_to_send(0):
            client.receive(datagram, 0)
        host.events()
    message = bytes(range(256)) * 10
    client.send(0, message, 0)
    client.send(0, b"after", 0)
    exchange(host, client, 0)
    assert host.events() == [Received(peer, 0, message), Received(peer, 0, b"after")]


def test_duplicates_are_acknowledged_again_but_delivered_once():
    host = EnetHost(1, accept=lambda *_: True, is_authentic=lambda *_: True)
    client, peer = connected_pair(host)
    client.send(2, b"key", 9)
    (datagram,) = client.outbox
    for now in (10, 11):
        host.receive(datagram, HOME, now)
        assert host.datagrams_to_send(now) == [(bytes.fromhex("0000 01 02 0001 0001 0009"), HOME)]
    assert host.events() == [Received(peer, 2, b"key")]


def test_bandwidth_limit_and_ping_are_acknowledged():
    host = EnetHost(1, accept=lambda *_: True, is_authentic=lambda *_: True)
    client, _ = connected_pair(host)
    client.limit_bandwidth(0)
    client.ping(0)
    exchange(host, client, 0)
    assert client.is_idle
    assert client.acknowledged == [(0xFF, 2), (0xFF, 3)]


class TestUnreliable:
    """Delivered at most once, after the reliable message they follow, never after a later one."""

    def test_newer_overtakes_older(self):
        channel = IncomingChannel(Budget())
        assert channel.unreliable(0, 2, b"new") == [b"new"]
        assert channel.unreliable(0, 1, b"old") == []
        assert channel.unreliable(0, 2, b"new") == []

    def test_waits_for_its_reliable_message(self):
        channel = IncomingChannel(Budget())
        assert channel.unreliable(1, 2, b"move 2") == []
        assert channel.unreliable(1, 1, b"move 1") == []
        assert channel.reliable(1, b"down") == [b"down", b"move 1", b"move 2"]
        assert channel.unreliable(1, 2, b"move 2") == []

    def test_is_dropped_once_a_later_reliable_message_was_delivered(self):
        channel = IncomingChannel(Budget())
        channel.reliable(1, b"down")
        channel.reliable(2, b"up")
        assert channel.unreliable(1, 5, b"late move") == []

    def test_counter_restarts_with_each_reliable_message(self):
        channel = IncomingChannel(Budget())
        channel.unreliable(0, 9, b"")
        channel.reliable(1, b"down")
        assert channel.unreliable(1, 1, b"move") == [b"move"]

    def test_through_the_host(self):
        host = EnetHost(1, accept=lambda *_: True, is_authentic=lambda *_: True)
        client, peer = connected_pair(host)
        client.send_unreliable(5, b"hover")
        client.send_unsequenced(0, b"status")
        exchange(host, client, 0)
        assert host.events() == [Received(peer, 5, b"hover"), Received(peer, 0, b"status")]


class TestRoundTripTime:
    """ENet's integer arithmetic, by hand."""

    def test_starts_at_half_a_second(self):
        assert RoundTripTime().timeout_ms == 504

    def test_samples(self):
        rtt = RoundTripTime()
        rtt.add(20)
        assert (rtt.mean_ms, rtt.variance_ms, rtt.timeout_ms) == (20, 10, 40)
        rtt.add(36)
        assert (rtt.mean_ms, rtt.variance_ms) == (22, 11)
        rtt.add(0)
        assert (rtt.mean_ms, rtt.variance_ms) == (19, 14)


def test_retransmissions_back_off_linearly():
    host = EnetHost(1, accept=lambda *_: True, is_authentic=lambda *_: True)
    _, peer = connected_pair(host)
    assert host.round_trip_ms(peer) == 1
    host.send(peer, 0, b"rumble")
    times = [now for now in range(40) if host.datagrams_to_send(now)]
    # A round trip of 1 ms waits 2 ms, then 4, 6, 8, ...
    assert times == [0, 2, 6, 12, 20, 30]
