"""How often something may be tried."""

from __future__ import annotations

from punktfunk.trust.ratelimit import RateLimiter


def test_burst_then_one_per_interval() -> None:
    limiter = RateLimiter(burst=2, interval_s=10)
    assert [limiter.allow("a", 0) for _ in range(3)] == [True, True, False]
    assert [limiter.allow("a", 9.9), limiter.allow("a", 10), limiter.allow("a", 10)] == [False, True, False]


def test_refused_tries_do_not_delay_the_next() -> None:
    limiter = RateLimiter(burst=1, interval_s=10)
    results = [limiter.allow("a", t) for t in range(0, 31)]
    assert [t for t, allowed in enumerate(results) if allowed] == [0, 10, 20, 30]


def test_idle_time_saves_at_most_the_burst() -> None:
    limiter = RateLimiter(burst=2, interval_s=1)
    assert sum(limiter.allow("a", 1000) for _ in range(10)) == 2


def test_keys_are_separate() -> None:
    limiter = RateLimiter(burst=1, interval_s=10)
    assert limiter.allow("a", 0)
    assert limiter.allow("b", 0)


def test_flood_of_keys_is_bounded_and_forgets_the_oldest() -> None:
    limiter = RateLimiter(burst=1, interval_s=10, max_keys=8)
    limiter.allow("kept", 0)
    for n in range(1000):
        limiter.allow(n, 0)
        assert not limiter.allow("kept", 0)
    assert len(limiter) == 8


def test_clock_that_steps_back_gives_nothing() -> None:
    limiter = RateLimiter(burst=1, interval_s=10)
    assert limiter.allow("a", 100)
    assert not limiter.allow("a", 50)
