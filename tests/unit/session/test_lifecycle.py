import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.session.lifecycle import EndReason, IllegalTransition, Lifecycle, RestartBudget, State


def live() -> Lifecycle:
    life = Lifecycle(now=0.0, linger_s=30.0)
    for i, state in enumerate((State.ADMITTED, State.STARTING, State.LIVE), start=1):
        life.advance(state, float(i))
    return life


def test_a_normal_life() -> None:
    life = live()
    assert life.streaming
    life.advance(State.LINGERING, 10.0)
    assert not life.streaming
    assert life.linger_deadline() == 40.0
    life.advance(State.STARTING, 12.0)
    assert life.linger_deadline() is None
    life.advance(State.LIVE, 13.0)
    life.advance(State.ENDED, 14.0, EndReason.CANCELLED)
    assert life.reason is EndReason.CANCELLED


def test_an_end_needs_a_reason_and_only_an_end_has_one() -> None:
    with pytest.raises(IllegalTransition):
        live().advance(State.ENDED, 5.0)
    with pytest.raises(IllegalTransition):
        live().advance(State.LINGERING, 5.0, EndReason.CANCELLED)


def test_lingering_without_a_limit_never_expires() -> None:
    life = Lifecycle(now=0.0, linger_s=0.0)
    life.advance(State.ADMITTED, 1.0)
    life.advance(State.LINGERING, 2.0)
    assert life.linger_deadline() is None


@given(st.lists(st.sampled_from(State), max_size=30))
def test_nothing_follows_the_end_and_every_state_can_end(states: list[State]) -> None:
    life = Lifecycle(now=0.0, linger_s=0.0)
    for state in states:
        before = life.state
        try:
            life.advance(state, 1.0, EndReason.CANCELLED if state is State.ENDED else None)
        except IllegalTransition:
            assert life.state is before
        else:
            assert before is not State.ENDED
    if life.state is not State.ENDED:
        life.advance(State.ENDED, 2.0, EndReason.SHUTDOWN)


def test_restarts_are_bounded_in_a_sliding_window() -> None:
    budget = RestartBudget(limit=3, window_s=10.0)
    assert [budget.spend(t) for t in (0.0, 1.0, 2.0, 3.0)] == [True, True, True, False]
    assert budget.spend(10.5)
    assert not budget.spend(10.6)
