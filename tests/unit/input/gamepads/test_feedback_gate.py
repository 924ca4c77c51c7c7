"""Feedback is thinned without losing the newest, and a stop never waits."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.input.events import Feedback, LightChanged, MotionRequested, Rumbled, TriggerEffect
from punktfunk.input.gamepads.feedback_gate import SHORTEST_INTERVAL_S, FeedbackGate


def test_only_changes_pass() -> None:
    gate = FeedbackGate()
    assert gate.offer(Rumbled(0, 1, 2), 0.0) == [Rumbled(0, 1, 2)]
    assert gate.offer(Rumbled(0, 1, 2), 1.0) == []
    assert gate.offer(Rumbled(1, 1, 2), 1.0) == [Rumbled(1, 1, 2)]


def test_what_comes_too_soon_waits_and_the_newest_wins() -> None:
    gate = FeedbackGate()
    gate.offer(LightChanged(0, 1, 1, 1), 0.0)
    assert gate.offer(LightChanged(0, 2, 2, 2), 0.001) == []
    assert gate.offer(LightChanged(0, 3, 3, 3), 0.002) == []
    assert gate.due() == SHORTEST_INTERVAL_S
    assert gate.flush(0.005) == []
    assert gate.flush(SHORTEST_INTERVAL_S) == [LightChanged(0, 3, 3, 3)]
    assert gate.due() is None


def test_going_back_to_what_was_sent_cancels_what_waits() -> None:
    gate = FeedbackGate()
    gate.offer(Rumbled(0, 9, 9), 0.0)
    gate.offer(Rumbled(0, 5, 5), 0.001)
    gate.offer(Rumbled(0, 9, 9), 0.002)
    assert gate.flush(1.0) == []


def test_a_stop_never_waits() -> None:
    gate = FeedbackGate()
    gate.offer(Rumbled(0, 9, 9), 0.0)
    gate.offer(Rumbled(0, 5, 5), 0.001)
    assert gate.offer(Rumbled(0, 0, 0), 0.002) == [Rumbled(0, 0, 0)]
    assert gate.flush(1.0) == []


def test_both_triggers_and_both_sensors_are_kept_apart() -> None:
    gate = FeedbackGate()
    for feedback in (TriggerEffect(0, 0, 1, b"a"), TriggerEffect(0, 1, 1, b"a"), MotionRequested(0, 1, 9)):
        assert gate.offer(feedback, 0.0) == [feedback]
    assert gate.offer(MotionRequested(0, 2, 9), 0.0)


def test_a_pad_that_goes_away_is_silenced() -> None:
    gate = FeedbackGate()
    for feedback in (
        Rumbled(0, 9, 9),
        Rumbled(1, 9, 9),
        TriggerEffect(0, 1, 0x21, bytes(10)),
        LightChanged(0, 1, 1, 1),
    ):
        gate.offer(feedback, 0.0)
    assert gate.silence(0, 1.0) == [Rumbled(0, 0, 0), TriggerEffect(0, 1, 0, bytes(10))]
    assert gate.silence(0, 1.0) == []
    assert gate.offer(Rumbled(0, 9, 9), 1.0) == [Rumbled(0, 9, 9)]


def test_a_flood_ends_in_its_last_value_at_a_bounded_rate() -> None:
    gate, passed, now = FeedbackGate(), 0, 0.0
    chance = random.Random(1)
    last: dict[int, int] = {}
    for _ in range(5000):
        now += 0.0001
        pad, level = chance.randrange(16), chance.randrange(1, 65536)
        for feedback in (*gate.offer(Rumbled(pad, level, 0), now), *gate.flush(now)):
            assert isinstance(feedback, Rumbled)
            last[feedback.pad] = feedback.low
            passed += 1
        newest = {pad: level}
    assert passed <= 16 * (now / SHORTEST_INTERVAL_S + 1)
    for feedback in gate.flush(now + 1):
        assert isinstance(feedback, Rumbled)
        last[feedback.pad] = feedback.low
    assert newest.items() <= last.items()


offers = st.lists(
    st.tuples(
        st.floats(0.0, 0.02),
        st.one_of(
            st.builds(Rumbled, st.integers(0, 1), st.sampled_from((0, 0, 5, 9)), st.just(0)),
            st.builds(LightChanged, st.just(0), st.integers(0, 2), st.just(0), st.just(0)),
            st.builds(TriggerEffect, st.just(0), st.integers(0, 1), st.integers(0, 1), st.just(bytes(10))),
        ),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(offers)
def test_changes_only_at_a_bounded_rate_with_stops_at_once_and_the_newest_last(
    offers: list[tuple[float, Rumbled | LightChanged | TriggerEffect]],
) -> None:
    gate, now = FeedbackGate(), 0.0
    passed: dict[object, list[tuple[float, object]]] = {}
    newest: dict[object, object] = {}

    def place(feedback: object) -> object:
        return type(feedback), getattr(feedback, "pad", 0), getattr(feedback, "side", 0)

    def note(feedback: list[Feedback]) -> None:
        for each in feedback:
            passed.setdefault(place(each), []).append((now, each))

    for pause, offer in offers:
        then = now + pause
        while (due := gate.due()) is not None and due <= then:
            now = due
            note(gate.flush(now))
        now = then
        note(gate.offer(offer, now))
        newest[place(offer)] = offer
        if isinstance(offer, Rumbled) and offer.low == 0:
            assert passed[place(offer)][-1][1] == offer, "a stop is said at once"
    while (due := gate.due()) is not None:
        now = due
        note(gate.flush(now))
    for where, news in passed.items():
        assert news[-1][1] == newest[where], "the newest is never lost"
        for (earlier, before), (later, after) in pairwise(news):
            assert before != after, "only changes"
            assert later - earlier >= SHORTEST_INTERVAL_S - 1e-9 or _stops(after), "not faster than a client can use"
        # A stop needs something to stop, which was let through at the bounded rate.
        assert len(news) <= 2 * (now / SHORTEST_INTERVAL_S + 1)


def _stops(feedback: object) -> bool:
    match feedback:
        case Rumbled(low=0, high=0) | TriggerEffect(mode=0):
            return True
    return False
