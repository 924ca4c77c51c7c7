from punktfunk.mgmt.throttle import (
    FORGET_AFTER_S,
    FREE_FAILURES,
    MAX_PLACES,
    MAX_WAIT_S,
    OVERALL_BURST,
    GuessThrottle,
    place_of,
)


def fail_often(throttle: GuessThrottle, address: str, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        throttle.failed(address, now)


def test_a_few_failures_cost_nothing():
    throttle = GuessThrottle()
    fail_often(throttle, "192.0.2.1", FREE_FAILURES)
    assert throttle.wait_s("192.0.2.1", 0.0) == 0


def test_each_further_failure_doubles_the_wait_up_to_a_quarter_of_an_hour():
    throttle = GuessThrottle()
    fail_often(throttle, "192.0.2.1", FREE_FAILURES)
    waits = []
    for _ in range(12):
        throttle.failed("192.0.2.1", 100.0)
        waits.append(throttle.wait_s("192.0.2.1", 100.0))
    assert waits[:4] == [2, 4, 8, 16]
    assert waits[-1] == MAX_WAIT_S
    assert throttle.wait_s("192.0.2.2", 100.0) == 0


def test_success_and_time_clear_the_record():
    throttle = GuessThrottle()
    fail_often(throttle, "192.0.2.1", FREE_FAILURES + 3)
    throttle.succeeded("192.0.2.1")
    assert throttle.wait_s("192.0.2.1", 0.0) == 0
    fail_often(throttle, "192.0.2.1", FREE_FAILURES + 3)
    throttle.failed("192.0.2.1", FORGET_AFTER_S + 1)
    assert throttle.wait_s("192.0.2.1", FORGET_AFTER_S + 1) == 0


def test_a_flood_of_places_is_bounded_and_only_slowed():
    throttle = GuessThrottle()
    for number in range(3 * MAX_PLACES):
        throttle.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
    assert len(throttle) == MAX_PLACES
    waits = [throttle.wait_s(f"192.0.2.{number}", 0.0) for number in range(OVERALL_BURST + 1)]
    assert waits[:-1] == [0] * OVERALL_BURST
    assert 0 < waits[-1] <= 1


def test_a_household_is_one_place():
    assert place_of("2001:db8:1:2::1") == place_of("2001:db8:1:2:ffff::9") != place_of("2001:db8:1:3::1")
    assert place_of("::ffff:192.0.2.1") == place_of("192.0.2.1")
    assert place_of("fe80::1%eth0") == place_of("fe80::2%eth0")
    assert place_of("nonsense") == "nonsense"
