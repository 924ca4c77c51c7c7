import pytest
from tests.conformance.moonlight.enet import EnetClient
from tests.conformance.moonlight.enet_wire import Connected, Disconnected, Kind, Message, command_bytes, parse

CONNECT_ID = bytes.fromhex("218ee7d0")
VERIFY = bytes.fromhex(
    "8000003c83ff0001000000000000038400010000000000300000000000000000000013880000000200000002218ee7d0"
)
T0 = 0xE665 / 1000


def client(violations, connected=True):
    enet = EnetClient(1211972403, violations, CONNECT_ID)
    enet.connect(T0)
    if connected:
        enet.take_datagrams()
        enet.receive(VERIFY, T0)
        enet.take_datagrams()
        enet.take_events()
    return enet


def from_host(*commands, sent_time=None):
    head = b"\0\0" if sent_time is None else b"\x80\0" + sent_time.to_bytes(2)
    return head + b"".join(commands)


def reliable(sequence, data, channel=0):
    return command_bytes(Kind.SEND_RELIABLE, 0x80, channel, sequence, len(data).to_bytes(2) + data)


def ack(channel, sequence, sent_time):
    return command_bytes(Kind.ACKNOWLEDGE, 0, channel, sequence, sequence.to_bytes(2) + sent_time.to_bytes(2))


def test_captured_connection(vectors, violations):
    captured = [bytes.fromhex(entry["datagram"]) for entry in vectors["enet_captured"]["datagrams"]]
    enet = client(violations, connected=False)
    assert enet.take_datagrams() == [captured[0]]
    enet.receive(captured[1], T0)
    assert enet.take_events() == [Connected()]
    (answer,) = enet.take_datagrams()
    # The capture carries a first PING in the same datagram.
    assert answer[2:] == captured[2][4:12]
    assert not violations


def test_all_captured_datagrams_parse(vectors):
    for entry in vectors["enet_captured"]["datagrams"]:
        datagram = parse(bytes.fromhex(entry["datagram"]))
        assert not datagram.malformed
        assert datagram.commands


def test_captured_fragment_is_acknowledged(vectors, violations):
    enet = client(violations)
    fragment = next(e for e in vectors["enet_captured"]["datagrams"] if "FRAGMENT" in e["meaning"])
    enet.receive(bytes.fromhex(fragment["datagram"]), T0)
    (answer,) = enet.take_datagrams()
    assert parse(answer).commands[0].kind is Kind.ACKNOWLEDGE
    # It is number 8 of its channel: buffered, nothing delivered.
    assert enet.take_events() == []


def test_messages_are_acknowledged_and_put_in_order(violations):
    enet = client(violations)
    enet.receive(from_host(reliable(2, b"b"), sent_time=7), T0)
    enet.receive(from_host(reliable(1, b"a"), sent_time=9), T0)
    enet.receive(from_host(reliable(1, b"a"), sent_time=11), T0)
    assert enet.take_events() == [Message(0, b"a", True), Message(0, b"b", True)]
    acks = [parse(raw).commands[0].body for raw in enet.take_datagrams()]
    assert acks == [bytes.fromhex("00020007"), bytes.fromhex("00010009"), bytes.fromhex("0001000b")]
    assert not violations


def test_retransmission_grows_linearly(violations):
    enet = client(violations)
    enet.send_reliable(3, b"x", T0)
    enet.take_datagrams()
    sent = [step / 100 for step in range(300) if (enet.poll(T0 + step / 100), enet.take_datagrams())[1]]
    assert sent[0] == pytest.approx(0.51, abs=0.011)
    assert sent[2] - sent[1] > sent[1] - sent[0] > 0.4
    assert violations.counts["enet.ack-late"] >= 1


def test_acknowledged_data_is_not_repeated(violations):
    enet = client(violations)
    enet.send_reliable(3, b"x", T0)
    sent_time = parse(enet.take_datagrams()[0]).sent_time
    enet.receive(from_host(ack(3, 1, sent_time)), T0 + 0.002)
    assert enet.unacknowledged == 0
    assert enet.rtt_ms == pytest.approx(2, abs=1.1)
    assert not violations


@pytest.mark.parametrize(
    ("datagram", "rule"),
    [
        (from_host(ack(3, 1, 0x1234)), "enet.ack-sent-time"),
        (from_host(ack(9, 1, 0)), "enet.ack-unknown"),
        (from_host(reliable(1, b"a")), "enet.sent-time"),
        (b"\x10\0" + ack(3, 1, 0), "enet.session-bits"),
        (b"\0\1" + ack(3, 1, 0), "enet.peer-id"),
        (b"\x40\0" + ack(3, 1, 0), "enet.compressed"),
        (from_host(b"\x0f\0\0\0"), "enet.malformed"),
        (from_host(reliable(1, b"a")[:-1], sent_time=1), "enet.malformed"),
        (from_host(reliable(1, b"a", channel=48), sent_time=1), "enet.channel"),
        (from_host(command_bytes(Kind.SEND_RELIABLE, 0, 0, 1, b"\0\1a")), "enet.command-flags"),
        (from_host(reliable(30000, b"a"), sent_time=1), "enet.window"),
    ],
)
def test_breaches(violations, datagram, rule):
    enet = client(violations)
    enet.send_reliable(3, b"x", T0)
    enet.receive(datagram, T0 + 0.01)
    assert rule in violations.counts


@pytest.mark.parametrize(
    ("at", "value", "rule"),
    [
        (47, 0, "enet.verify-connect-id"),
        (43, 9, "enet.verify-throttle"),
        (23, 8, "enet.verify-channels"),
        (15, 0x83, "enet.verify-mtu"),
        (10, 1, "enet.verify-session"),
        (27, 1, "enet.verify-bandwidth"),
    ],
)
def test_bad_verify_connect(violations, at, value, rule):
    enet = client(violations, connected=False)
    enet.receive(VERIFY[:at] + bytes([value]) + VERIFY[at + 1 :], T0)
    assert set(violations.counts) == {rule}


def test_commands_before_verify(violations):
    enet = client(violations, connected=False)
    enet.receive(from_host(reliable(1, b"a"), sent_time=1), T0)
    assert set(violations.counts) == {"enet.before-verify"}
    assert enet.take_events() == []


def test_orderly_disconnect(violations):
    enet = client(violations)
    enet.send_reliable(0, b"x", T0)
    enet.disconnect(T0)
    sent = parse(enet.take_datagrams()[-1])
    assert sent.commands[0].kind is Kind.SEND_RELIABLE
    enet.receive(from_host(ack(0, 1, sent.sent_time)), T0 + 0.001)
    enet.poll(T0 + 0.005)
    farewell = parse(enet.take_datagrams()[-1])
    assert farewell.commands[0].kind is Kind.DISCONNECT
    enet.receive(from_host(ack(0xFF, farewell.commands[0].sequence, farewell.sent_time)), T0 + 0.006)
    assert enet.take_events() == [Disconnected(False, "closed in order")]
    assert not violations


def test_host_disconnect_and_timeouts(violations):
    enet = client(violations)
    enet.receive(from_host(command_bytes(Kind.DISCONNECT, 0x40, 0xFF, 2, bytes(4))), T0)
    assert enet.take_events() == [Disconnected(True, "DISCONNECT from the host")]
    silent = client(violations)
    silent.send_reliable(0, b"x", T0)
    silent.poll(T0 + 10.1)
    assert isinstance(silent.take_events()[-1], Disconnected)
    lonely = client(violations, connected=False)
    lonely.poll(T0 + 10.1)
    assert lonely.take_events() == [Disconnected(False, "no connection within 10 s")]


def test_keep_alive(violations):
    enet = client(violations)
    enet.poll(T0 + 0.6)
    assert parse(enet.take_datagrams()[0]).commands[0].kind is Kind.PING
    enet.poll(T0 + 1.0)
    assert Kind.BANDWIDTH_LIMIT in [command.kind for raw in enet.take_datagrams() for command in parse(raw).commands]


def test_long_messages_travel_in_fragments(violations):
    data = bytes(range(256)) * 8
    sender = client(violations)
    sender.send_reliable(0, data, T0)
    fragments = [command for raw in sender.take_datagrams() for command in parse(raw).commands]
    assert [len(command.body) - 20 for command in fragments] == [872, 872, 304]
    receiver = client(violations)
    for command in reversed(fragments):
        raw = command_bytes(command.kind, 0x80, 0, command.sequence, command.body)
        receiver.receive(from_host(raw, sent_time=1), T0)
    assert receiver.take_events() == [Message(0, data, True)]
    assert not violations


def test_unreliable_and_unsequenced_delivery(violations):
    enet = client(violations)

    def unreliable(after, counter, data):
        body = counter.to_bytes(2) + len(data).to_bytes(2) + data
        return from_host(command_bytes(Kind.SEND_UNRELIABLE, 0, 0, after, body))

    enet.receive(unreliable(0, 2, b"b"), T0)
    enet.receive(unreliable(0, 1, b"a"), T0)
    enet.receive(unreliable(1, 1, b"held"), T0)
    enet.receive(from_host(reliable(1, b"r"), sent_time=1), T0)
    unsequenced = command_bytes(Kind.SEND_UNSEQUENCED, 0x40, 0, 0, b"\0\1\0\1u")
    enet.receive(from_host(unsequenced), T0)
    enet.receive(from_host(unsequenced), T0)
    assert [event.data for event in enet.take_events()] == [b"b", b"r", b"held", b"u"]
    assert not violations


def test_flood_of_buffered_commands_is_bounded(violations):
    enet = client(violations)
    for sequence in range(2, 3000):
        enet.receive(from_host(reliable(sequence, b"x"), sent_time=1), T0)
    assert violations.counts["enet.window"] == 2998 - 1024
