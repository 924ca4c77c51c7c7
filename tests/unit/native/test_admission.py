"""Strangers: how many there may be, and when they have to prove their address."""

from __future__ import annotations

from punktfunk.native.admission import MAX_STRANGERS, MAX_STRANGERS_PER_ADDRESS, RETRY_FROM, Admission, Verdict


def fill(admission: Admission, count: int, *, address: str = "") -> None:
    for n in range(count):
        admission.enter(address or f"10.0.0.{n}")


def test_one_address_has_its_share_and_leaves_the_rest_to_others() -> None:
    admission = Admission()
    fill(admission, MAX_STRANGERS_PER_ADDRESS, address="10.0.0.1")
    assert admission.judge("10.0.0.1", validated=True) is Verdict.DROP
    assert admission.judge("10.0.0.2", validated=True) is Verdict.ADMIT
    admission.leave("10.0.0.1")
    assert admission.judge("10.0.0.1", validated=True) is Verdict.ADMIT


def test_many_handshakes_at_once_cost_a_round_trip_more() -> None:
    admission = Admission()
    fill(admission, RETRY_FROM)
    assert admission.judge("10.1.0.1", validated=False) is Verdict.RETRY
    assert admission.judge("10.1.0.1", validated=True) is Verdict.ADMIT
    admission.shook_hands()
    assert admission.judge("10.1.0.1", validated=False) is Verdict.ADMIT


def test_a_flood_from_everywhere_is_bounded() -> None:
    admission = Admission()
    admitted = 0
    for n in range(100_000):
        if admission.judge(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", validated=True) is Verdict.ADMIT:
            admission.enter(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
            admitted += 1
    assert admitted == admission.strangers == MAX_STRANGERS
