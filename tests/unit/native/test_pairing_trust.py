"""PIN window, ceremony and knocking: limits, order, single use."""

from __future__ import annotations

import itertools

import pytest

from punktfunk.native.approval import (
    ENTRY_LIFETIME_S,
    MAX_ENTRIES,
    MAX_ENTRIES_PER_ADDRESS,
    PARK_TIMEOUT_S,
    KnockQueue,
    Verdict,
)
from punktfunk.native.arming import PairingWindow
from punktfunk.native.pairing import PairingCeremony, Reply
from punktfunk.wire.punktfunk1.enums import CloseCode
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.messages import PairChallenge, PairProof, PairRequest, PairResult, RequestKeyframe
from punktfunk.wire.punktfunk1.pairing import PakeClient

CLIENT, OTHER, HOST = bytes(32), bytes([1] * 32), bytes([2] * 32)


def armed(pin: str = "0042", **options: bytes) -> PairingWindow:
    window = PairingWindow()
    window.arm(0.0, pin=pin, **options)
    return window


def run(window: PairingWindow, pin: str, now: float = 10.0) -> tuple[PairingCeremony, Reply | CloseCode, PakeClient]:
    client = PakeClient(pin, CLIENT, HOST)
    ceremony = PairingCeremony(window, CLIENT, HOST)
    return ceremony, ceremony.receive(PairRequest("Deck", client.message), now), client


def test_right_pin_pairs() -> None:
    ceremony, reply, client = run(armed(), "0042")
    assert isinstance(reply, Reply)
    assert isinstance(reply.message, PairChallenge)
    client.receive(reply.message.spake_b)
    assert client.verify_host(reply.message.confirmation)
    assert ceremony.deadline == 70.0
    assert ceremony.receive(PairProof(client.proof()), 11.0) == Reply(PairResult(True), "Deck")
    assert ceremony.deadline == 16.0
    assert ceremony.over


def test_wrong_pin_is_seen_by_the_client_and_by_the_host() -> None:
    ceremony, reply, client = run(armed(), "0043")
    assert isinstance(reply, Reply)
    assert isinstance(reply.message, PairChallenge)
    client.receive(reply.message.spake_b)
    assert not client.verify_host(reply.message.confirmation)
    assert ceremony.receive(PairProof(client.proof()), 11.0) == Reply(PairResult(False), None)


def test_both_certificates_are_bound() -> None:
    window = armed()
    client = PakeClient("0042", CLIENT, OTHER)
    reply = PairingCeremony(window, CLIENT, HOST).receive(PairRequest("", client.message), 10.0)
    assert isinstance(reply, Reply)
    assert isinstance(reply.message, PairChallenge)
    client.receive(reply.message.spake_b)
    assert not client.verify_host(reply.message.confirmation)


def test_pin_is_single_use() -> None:
    window = armed()
    run(window, "9999")
    assert window.armed(10.0) is None
    assert run(window, "0042", 20.0)[1] is CloseCode.NOT_ARMED


def test_attempts_are_spaced_and_charged_before_the_state_is_seen() -> None:
    window = PairingWindow()
    assert window.attempt(CLIENT, 0.0) is CloseCode.NOT_ARMED
    window.arm(0.0, pin="1234")
    assert window.attempt(CLIENT, 1.9) is CloseCode.RATE_LIMITED
    assert window.attempt(CLIENT, 2.0) == "1234"


def test_window_for_another_device_is_not_burnt() -> None:
    window = armed(fingerprint=OTHER)
    assert window.attempt(CLIENT, 1.0) is CloseCode.ARMED_FOR_OTHER
    assert window.attempt(OTHER, 5.0) == "0042"


def test_window_closes_by_itself() -> None:
    window = PairingWindow()
    window.arm(0.0, 15.0)
    assert window.armed(14.9)
    assert window.attempt(CLIENT, 15.0) is CloseCode.NOT_ARMED


@pytest.mark.parametrize("window_s", [14.9, 600.1, 0.0])
def test_window_length_is_bounded(window_s: float) -> None:
    with pytest.raises(ValueError, match="window"):
        PairingWindow().arm(0.0, window_s)


@pytest.mark.parametrize("pin", ["", "123", "12345", "12a4", "١٢٣٤"])
def test_a_pin_has_four_digits(pin: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        PairingWindow().arm(0.0, pin=pin)


def test_a_pin_is_in_no_representation() -> None:
    assert "0042" not in repr(PairingWindow().arm(0.0, pin="0042"))


def test_no_certificate_no_pairing() -> None:
    ceremony = PairingCeremony(armed(), None, HOST)
    assert ceremony.receive(PairRequest("x", b"A" * 33), 9.0) is CloseCode.IDENTITY_REQUIRED


def test_nonsense_points_end_the_ceremony_without_burning_the_pin() -> None:
    for first, junk in enumerate((b"A" + b"\xff" * 32, b"B" + bytes(32), b"S" + bytes(32), b"A" + bytes(32))):
        window = armed()
        ceremony = PairingCeremony(window, CLIENT, HOST)
        assert ceremony.receive(PairRequest("x", junk), 10.0 + first) is CloseCode.ERROR
        assert window.armed(11.0)


def test_a_reflected_message_is_refused() -> None:
    client = PakeClient("0042", CLIENT, HOST)
    with pytest.raises(MalformedError):
        client.receive(b"B" + client.message[1:])


def test_every_order_but_the_right_one_ends_the_ceremony() -> None:
    for order in itertools.product((PairRequest, PairProof, RequestKeyframe), repeat=3):
        client = PakeClient("0042", CLIENT, HOST)
        ceremony = PairingCeremony(armed(), CLIENT, HOST)
        messages = {
            PairRequest: PairRequest("x", client.message),
            PairProof: PairProof(bytes(32)),
            RequestKeyframe: RequestKeyframe(),
        }
        outcomes = [ceremony.receive(messages[kind], 10.0 + 5 * i) for i, kind in enumerate(order)]
        good = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, Reply)]
        assert good in ([], [0], [1], [2], [0, 1], [1, 2], [0, 2])
        assert not any(isinstance(o, Reply) and o.paired_name for o in outcomes)


def test_knock_then_approve_or_deny() -> None:
    queue = KnockQueue()
    assert queue.knock(CLIENT, "Deck", "10.0.0.1", "c1", 0.0) == []
    assert queue.knock(OTHER, "Phone", "10.0.0.2", "c2", 1.0) == []
    first, second = queue.waiting(2.0)
    assert (first.label, first.since) == ("Deck", 0.0)
    approved = queue.approve(first.id, 3.0)
    assert approved is not None
    assert approved[1] == Verdict("c1", None)
    denied = queue.deny(second.id, 3.0)
    assert denied is not None
    assert denied[1] == Verdict("c2", CloseCode.DENIED)
    assert queue.approve(first.id, 4.0) is None
    assert queue.waiting(4.0) == []


def test_a_newer_knock_supersedes_the_older_connection() -> None:
    queue = KnockQueue()
    queue.knock(CLIENT, "Deck", "10.0.0.1", "old", 0.0)
    assert queue.knock(CLIENT, "Deck", "10.0.0.1", "new", 5.0) == [Verdict("old", CloseCode.SUPERSEDED)]
    queue.disconnected(CLIENT, "old")
    assert [k.connection for k in queue.waiting(6.0)] == ["new"]


def test_parked_connections_time_out_and_entries_outlive_them() -> None:
    queue = KnockQueue()
    queue.knock(CLIENT, "Deck", "10.0.0.1", "c", 0.0)
    assert queue.next_deadline() == PARK_TIMEOUT_S
    assert queue.expire(179.9) == []
    assert queue.expire(180.0) == [Verdict("c", CloseCode.APPROVAL_TIMEOUT)]
    assert queue.next_deadline() is None
    late = queue.approve(queue.waiting(200.0)[0].id, 200.0)
    assert late is not None
    assert late[1] is None
    queue.knock(OTHER, "Phone", "10.0.0.1", None, 300.0)
    queue.disconnected(OTHER, None)
    assert queue.waiting(300.0 + ENTRY_LIFETIME_S) == []


def test_a_million_knocks_change_nothing_for_the_others() -> None:
    queue = KnockQueue()
    queue.knock(CLIENT, "Deck", "10.0.0.1", "mine", 0.0)
    refused = 0
    for i in range(1, 100_001):
        outcome = queue.knock(i.to_bytes(32, "big"), "x", f"10.1.{i % 256}.{i % 7}", i, 1.0)
        refused += outcome is CloseCode.RATE_LIMITED
    assert len(queue.waiting(1.0)) == MAX_ENTRIES
    assert refused >= 100_000 - MAX_ENTRIES
    assert queue.waiting(1.0)[0].connection == "mine"


def test_one_address_gets_few_entries() -> None:
    queue = KnockQueue()
    outcomes = [queue.knock(bytes([i] * 32), "x", "10.0.0.9", i, 0.0) for i in range(10)]
    assert outcomes.count(CloseCode.RATE_LIMITED) == 10 - MAX_ENTRIES_PER_ADDRESS
