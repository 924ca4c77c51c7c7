"""A page that says nothing any more lets go of what it holds before it is given up."""

from __future__ import annotations

from tests.fuzz.test_fuzz_browser import admitted

from punktfunk.browser import wire as w
from punktfunk.browser.connection import RELEASE_AFTER_S, SILENCE_DEADLINE_S


def test_a_silent_page_lets_go_once_and_a_page_that_speaks_again_may_hold_again() -> None:
    connection, _, stream = admitted()
    connection.tick(RELEASE_AFTER_S - 0.1)
    assert stream.done == 0
    for second in (3.0, 4.0, 5.0):
        connection.tick(second)
    assert stream.done == 1
    connection.received(w.encode(w.Ping(1)))
    connection.tick(6.0)
    assert stream.done == 2
    assert not connection.over
    connection.tick(SILENCE_DEADLINE_S + 0.1)
    assert connection.over
