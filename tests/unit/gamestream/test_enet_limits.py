"""Each bound of the ENet host, flooded."""

import pytest
from tests.unit.gamestream.enet_client import EnetClient, connected_pair, exchange

from punktfunk.gamestream.enet import EnetError, EnetHost, QueueFull, Received, limits
from punktfunk.gamestream.enet.incoming import Budget, IncomingChannel, UnsequencedWindow
from punktfunk.gamestream.enet.wire import SendFragment

HOME = ("192.0.2.1", 5000)


@pytest.fixture
def host():
    return EnetHost(16, accept=lambda *_: True, is_authentic=lambda *_: False)


def knock(host, address, connect_id):
    client = EnetClient(connect_id=connect_id)
    client.connect(0)
    host.receive(client.outbox.pop(), address, 0)


def test_half_open_connections_are_capped_per_source(host):
    for port in range(1000):
        knock(host, ("192.0.2.1", 1024 + port), port.to_bytes(4, "big"))
    assert len(host.datagrams_to_send(0)) == limits.MAX_HALF_OPEN_PER_SOURCE


def test_half_open_connections_are_capped_in_all(host):
    for number in range(1000):
        knock(host, (f"198.51.{number // 250}.{number % 250}", 1024), number.to_bytes(4, "big"))
    assert len(host.datagrams_to_send(0)) == limits.MAX_HALF_OPEN


def test_slots_are_capped():
    host = EnetHost(1, accept=lambda *_: True, is_authentic=lambda *_: False)
    connected_pair(host)
    knock(host, ("192.0.2.2", 1024), b"more")
    assert host.datagrams_to_send(0) == []
    assert host.ignored_datagrams == 1


def test_rejections_not_yet_sent_are_capped():
    host = EnetHost(1, accept=lambda *_: False, is_authentic=lambda *_: False)
    for port in range(1000):
        knock(host, ("192.0.2.1", 1024 + port), port.to_bytes(4, "big"))
    assert len(host.datagrams_to_send(0)) == limits.MAX_QUEUED_REPLIES


def test_events_nobody_takes_are_capped(host):
    client, _ = connected_pair(host)
    for _ in range(limits.MAX_EVENTS + 500):
        client.send_unsequenced(0, b"")
        host.receive(client.outbox.pop(), HOME, 0)
    assert len(host.events()) == limits.MAX_EVENTS
    assert host.ignored_datagrams == 500


def test_acknowledgements_not_yet_sent_are_capped(host):
    client, peer = connected_pair(host)
    for number in range(limits.MAX_PENDING_ACKS + 200):
        client.send(0, bytes([number & 0xFF]), 0)
        host.receive(client.outbox.pop(), HOME, 0)
    datagrams = [datagram for datagram, _ in host.datagrams_to_send(0)]
    assert sum(len(datagram) - 2 for datagram in datagrams) == limits.MAX_PENDING_ACKS * 8
    for datagram in datagrams:
        client.receive(datagram, 0)
    # What was not acknowledged was not delivered either; the client repeats it.
    assert len(host.events()) == limits.MAX_PENDING_ACKS
    client.poll(300)
    exchange(host, client, 300)
    assert [event.peer for event in host.events()] == [peer] * 200


def test_early_messages_are_capped_and_not_acknowledged():
    budget = Budget()
    channel = IncomingChannel(budget)
    results = [channel.reliable(sequence, bytes(800)) for sequence in range(2, 2000)]
    taken = limits.MAX_BUFFERED_BYTES // (800 + limits.BUFFERED_OVERHEAD_BYTES)
    assert results == [[]] * taken + [None] * (len(results) - taken)
    assert len(channel.reliable(1, b"first")) == 1 + taken
    assert budget.used_bytes == 0


def test_empty_early_messages_are_capped():
    channel = IncomingChannel(Budget())
    results = [channel.reliable(sequence, b"") for sequence in range(2, 10_000)]
    assert results.count([]) == limits.MAX_BUFFERED_BYTES // limits.BUFFERED_OVERHEAD_BYTES


def test_held_unreliable_messages_are_capped():
    budget = Budget()
    channel = IncomingChannel(budget)
    for sequence in range(1, 20_000):
        assert channel.unreliable(sequence, 1, bytes(100)) == []
    assert budget.used_bytes <= limits.MAX_BUFFERED_BYTES


def fragment(start=1, index=0, count=2, total=2, offset=0, data=b"x", sequence=None):
    sequence = start + index if sequence is None else sequence
    return SendFragment(0, sequence, True, start, count, index, total, offset, data)


def test_incomplete_messages_are_capped():
    budget = Budget()
    channel = IncomingChannel(budget)
    size = limits.MAX_MESSAGE_BYTES
    results = [channel.fragment(fragment(start, total=size)) for start in range(1, 1000, 2)]
    assert results.count([]) == limits.MAX_BUFFERED_BYTES // (size + limits.BUFFERED_OVERHEAD_BYTES)


@pytest.mark.parametrize(
    "bad",
    [
        fragment(total=limits.MAX_MESSAGE_BYTES + 1),
        fragment(count=0),
        fragment(count=limits.MAX_FRAGMENTS + 1),
        fragment(index=2),
        fragment(offset=2),
        fragment(offset=0xFFFFFFFF),
        fragment(data=b"xyz"),
        fragment(sequence=5),
    ],
    ids=["too long", "none", "too many", "index", "offset", "far offset", "data", "sequence"],
)
def test_unsound_fragment_is_refused(bad):
    assert IncomingChannel(Budget()).fragment(bad) is None


def test_fragment_must_agree_with_its_message():
    channel = IncomingChannel(Budget())
    assert channel.fragment(fragment()) == []
    assert channel.fragment(fragment(index=1, total=3)) is None
    assert channel.reliable(3, b"whole") == []
    assert channel.fragment(fragment(start=3)) is None


def test_sequence_numbers_far_ahead_are_not_taken():
    channel = IncomingChannel(Budget())
    assert channel.reliable(limits.SEQUENCE_WINDOW, b"") == []
    assert channel.reliable(limits.SEQUENCE_WINDOW + 1, b"") is None


def test_old_unsequenced_groups_are_dropped():
    window = UnsequencedWindow()
    assert window.accept(2000)
    assert window.accept(2000 - limits.UNSEQUENCED_WINDOW + 1)
    assert not window.accept(2000 - limits.UNSEQUENCED_WINDOW)
    assert not window.accept(2000)


def test_unsequenced_groups_wrap():
    window = UnsequencedWindow()
    assert all(window.accept(group & 0xFFFF) for group in range(1, 70_000))
    assert not window.accept(69_999 & 0xFFFF)


def test_outgoing_commands_are_capped(host):
    _, peer = connected_pair(host)
    for _ in range(limits.MAX_OUTGOING_COMMANDS):
        host.send(peer, 0, b"")
    with pytest.raises(QueueFull, match="1024 commands"):
        host.send(peer, 0, b"")


def test_outgoing_bytes_are_capped_and_freed_by_acknowledgements(host):
    client, peer = connected_pair(host)
    message = bytes(limits.MAX_MESSAGE_BYTES)
    for _ in range(limits.MAX_OUTGOING_BYTES // len(message)):
        host.send(peer, 0, message)
    with pytest.raises(QueueFull):
        host.send(peer, 0, b"x")
    exchange(host, client, 0)
    assert client.received == {0: [message] * 4}
    host.send(peer, 0, b"x")


def test_outgoing_message_length_is_capped(host):
    _, peer = connected_pair(host)
    with pytest.raises(EnetError, match="longer"):
        host.send(peer, 0, bytes(limits.MAX_MESSAGE_BYTES + 1))


def test_unacknowledged_data_stays_within_the_window(host):
    _, peer = connected_pair(host)
    for _ in range(3):
        host.send(peer, 0, bytes(60_000))
    sent = sum(len(datagram) - 4 - 24 for datagram, _ in host.datagrams_to_send(0))
    assert limits.MAX_WINDOW_BYTES - 872 < sent <= limits.MAX_WINDOW_BYTES
    assert host.datagrams_to_send(1) == []


def test_messages_on_channels_beyond_those_agreed_are_ignored(host):
    client, peer = connected_pair(host)
    client.send(47, b"last channel", 0)
    client.send(48, b"none", 0)
    exchange(host, client, 0)
    assert host.events() == [Received(peer, 47, b"last channel")]
    assert not client.is_idle
