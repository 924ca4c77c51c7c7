"""One client's control stream: what comes out, what is dropped, what feedback is let through."""

import struct

import pytest
from tests.unit.gamestream.enet_client import EnetClient, exchange
from tests.unit.gamestream.test_control import KEY, client_envelope

from punktfunk.gamestream.control import PeriodicPing, RequestIdr
from punktfunk.gamestream.control_cipher import ControlCipher
from punktfunk.gamestream.control_session import ControlSession
from punktfunk.gamestream.enet import Connected, EnetHost
from punktfunk.input.events import (
    LightChanged,
    MotionRequested,
    PadArrived,
    PadKind,
    PlayerLedsChanged,
    PointerMoved,
    Rumbled,
    TriggerEffect,
    TriggersRumbled,
)

ALL = 0x1FF


@pytest.fixture
def session():
    return ControlSession(KEY, v2=True, now_ms=0)


def input_packet(magic, body):
    return struct.pack(">I", 4 + len(body)) + struct.pack("<I", magic) + body


def arrival(pad=0, kind=2, capabilities=ALL):
    return input_packet(0x55000004, struct.pack("<BBHI", pad, kind, capabilities, 0xFFFF))


def test_messages_and_input_come_out_typed(session):
    assert session.received(client_envelope(0), 1) == (RequestIdr(),)
    assert session.received(client_envelope(1, 0x0200, bytes(8)), 2) == (PeriodicPing(),)
    mouse = input_packet(7, struct.pack(">hh", 3, -4))
    assert session.received(client_envelope(2, 0x0206, mouse), 3) == (PointerMoved(3, -4),)
    assert session.statistics.messages == 3


def test_bad_envelopes_are_counted_and_never_end_the_session(session):
    for _ in range(10_000):
        assert session.received(client_envelope(0, key=bytes(16)), 1) == ()
    assert session.statistics.bad_envelopes == 10_000
    assert session.statistics.last_error == "the tag does not match"
    assert session.received(client_envelope(0), 1) == (RequestIdr(),)


@pytest.mark.parametrize(("kind", "payload"), [(0x0350, b""), (0x0206, b"\0")], ids=["message", "input"])
def test_bad_messages_are_counted(session, kind, payload):
    assert session.received(client_envelope(0, kind, payload), 1) == ()
    assert session.statistics.bad_messages == 1


def test_only_authentic_messages_break_the_silence(session):
    session.received(client_envelope(0), 100)
    session.received(b"junk", 5000)
    session.received(client_envelope(0), 5000)
    assert session.silent_ms(5100) == 5000


FEEDBACK = [
    (Rumbled(0, 1, 2), 0x02),
    (TriggersRumbled(0, 1, 2), 0x04),
    (MotionRequested(0, 1, 100), 0x10),
    (MotionRequested(0, 2, 100), 0x20),
    (LightChanged(0, 1, 2, 3), 0x80),
]


@pytest.mark.parametrize(("event", "capability"), FEEDBACK, ids=lambda value: type(value).__name__)
def test_feedback_needs_its_capability(session, event, capability):
    assert session.feedback(event) is None
    session.received(client_envelope(0, 0x0206, arrival(0, capabilities=capability)), 0)
    session.received(client_envelope(1, 0x0206, arrival(1, capabilities=ALL & ~capability)), 0)
    assert session.feedback(event) is not None
    other = type(event)(1, *(getattr(event, name) for name in event.__struct_fields__[1:]))
    assert session.feedback(other) is None


def test_trigger_effects_need_a_dualsense(session):
    session.received(client_envelope(0, 0x0206, arrival(0, kind=2)), 0)
    session.received(client_envelope(1, 0x0206, arrival(1, kind=1)), 0)
    assert session.feedback(TriggerEffect(0, 0, 1, b"")) is not None
    assert session.feedback(TriggerEffect(1, 0, 1, b"")) is None


def test_feedback_without_a_message_uses_no_sequence_number(session):
    session.received(client_envelope(0, 0x0206, arrival()), 0)
    assert session.feedback(PlayerLedsChanged(0, 1)) is None
    assert struct.unpack_from("<I", session.termination(), 4) == (0,)


def test_through_enet_and_across_an_address_change(session):
    host = EnetHost(4, accept=lambda data, _: data == 7, is_authentic=lambda _, message: session.is_authentic(message))
    client, old, new = EnetClient(), ("192.0.2.1", 5000), ("198.51.100.1", 6000)
    client.connect(0)
    exchange(host, client, 0, old)
    ((peer),) = [event.peer for event in host.events() if isinstance(event, Connected)]
    client.send(0x10, client_envelope(0, 0x0206, arrival()), 1)
    exchange(host, client, 1, new)
    results = [session.received(event.data, 1) for event in host.events()]
    assert results == [(PadArrived(0, PadKind.DUALSENSE, ALL, 0xFFFF),)]
    assert host.address(peer) == new
    host.send(peer, 0, session.feedback(Rumbled(0, 5, 6)))
    exchange(host, client, 2, new)
    (envelope,) = client.received[0]
    assert envelope == ControlCipher(KEY, v2=True).seal(0x010B, struct.pack("<IHHH", 0xC0FFEE, 0, 5, 6))
