"""Rumble that is renewed, stops by itself and is stopped three times; lights only when they change."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.client.rumble import RumbleLevel, RumbleTimer
from punktfunk.input import events as e
from punktfunk.native.pad_output import MAX_PADS, RENEW_S, TTL_MS, PadOutput
from punktfunk.wire.punktfunk1.datagrams import decode_from_host
from punktfunk.wire.punktfunk1.pad_feedback import AdaptiveTrigger, Led, Rumble


def test_a_level_is_renewed_while_it_lasts() -> None:
    output = PadOutput()
    first = output.take((e.Rumbled(2, 100, 200), e.TriggersRumbled(2, 5, 6)), 0.0)
    assert [decode_from_host(d) for d in first] == [
        Rumble(2, 100, 200, 0, TTL_MS, 0, 0),
        Rumble(2, 100, 200, 1, TTL_MS, 5, 6),
    ]
    assert output.poll(RENEW_S / 2) == []
    for renewal in range(1, 20):
        assert output.deadline is not None
        (datagram,) = output.poll(output.deadline)
        rumble = decode_from_host(datagram)
        assert isinstance(rumble, Rumble)
        assert (rumble.low, rumble.seq) == (100, 1 + renewal)


def test_a_stop_is_said_three_times() -> None:
    output = PadOutput()
    output.take((e.Rumbled(0, 1, 1),), 0.0)
    said = output.take((e.Rumbled(0, 0, 0),), 0.05)
    for tick in range(1, 10):
        said += output.poll(0.05 + tick)
    assert len(said) == 3
    assert output.deadline is None
    assert output.take((e.Rumbled(0, 0, 0),), 20.0) == []


def test_lights_are_sent_when_they_change() -> None:
    output = PadOutput()
    red = e.LightChanged(1, 255, 0, 0)
    assert [decode_from_host(d) for d in output.take((red, red), 0.0)] == [Led(1, 255, 0, 0)]
    left = e.TriggerEffect(1, 0, 2, bytes(10))
    assert [decode_from_host(d) for d in output.take((left, left), 0.0)] == [
        AdaptiveTrigger(1, 0, bytes([2, *bytes(10)]))
    ]


def test_pads_that_cannot_be_are_ignored() -> None:
    output = PadOutput()
    assert output.take(tuple(e.Rumbled(pad, 1, 1) for pad in range(MAX_PADS, 1000)), 0.0) == []
    assert output.deadline is None


def test_the_next_controller_in_the_same_place_is_shown_its_lights() -> None:
    output = PadOutput()
    red = e.LightChanged(0, 255, 0, 0)
    assert len(output.take((red, red), 0.0)) == 1
    output.forget(0)
    assert len(output.take((red, red), 1.0)) == 1


LOSS = 0.4
levels = st.sampled_from((0, 0, 1, 0x8000, 0xFFFF))
changes = st.lists(st.tuples(st.floats(0.0, 0.6), levels, levels), max_size=20)


@settings(max_examples=100, deadline=None)
@given(changes, st.randoms(use_true_random=False))
def test_whatever_is_lost_the_client_falls_silent_in_time_and_hears_what_lasts(
    changes: list[tuple[float, int, int]], chance: Random
) -> None:
    """Datagrams are lost at random; the client is the library's. Times are the test's."""
    output, client = PadOutput(), RumbleTimer()
    now, playing, wanted, since, sent = 0.0, RumbleLevel(0), (0, 0), 0.0, 0

    def arrive(datagrams: list[bytes]) -> None:
        nonlocal playing, sent
        sent += len(datagrams)
        for datagram in datagrams:
            rumble = decode_from_host(datagram)
            assert isinstance(rumble, Rumble)
            if chance.random() >= LOSS:
                playing = client.receive(rumble, now) or playing

    def until(then: float) -> None:
        """Let time pass, with every timer of both sides at its time."""
        nonlocal now, playing
        while True:
            due = [each for each in (output.deadline, client.next_deadline()) if each is not None and each <= then]
            if not due:
                break
            now = max(now, min(due))
            arrive(output.poll(now))
            for level in client.expire(now):
                playing = level
        now = then
        if wanted == (0, 0) and now - since > TTL_MS / 1000:
            assert (playing.low, playing.high) == (0, 0), "silent when the level has run out, even if no stop arrived"

    for pause, low, high in changes:
        until(now + pause)
        if (low, high) != wanted:
            since = now
        wanted = (low, high)
        arrive(output.take((e.Rumbled(0, low, high),), now))
    until(now + TTL_MS / 1000 + RENEW_S)
    if wanted == (0, 0):
        assert output.deadline is None
    # One at each change, one a renewal, and two more of each stop: no game can make more of it.
    assert sent <= 3 * len(changes) + now / RENEW_S + 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 0.5), levels), min_size=1, max_size=15))
def test_a_level_that_lasts_is_said_again_before_it_runs_out(steps: list[tuple[float, int]]) -> None:
    output, now, said_at, level = PadOutput(), 0.0, 0.0, 0
    for pause, low in steps:
        then = now + pause
        while output.deadline is not None and output.deadline <= then:
            now = output.deadline
            if level:
                assert now - said_at <= TTL_MS / 1000 / 2
            if output.poll(now):
                said_at = now
        now, level = then, low
        if output.take((e.Rumbled(0, low, 0),), now):
            said_at = now
