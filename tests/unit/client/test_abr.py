"""The bitrate controller on a modelled path, against a committed table, and its rules one by one.

After a change on purpose: ``python -m tests.unit.client.test_abr`` writes the table anew; read the difference.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.unit.client.link_model import Outcome, Scenario, run
from tests.unit.client.scenarios import SCENARIOS

from punktfunk.client.abr import FLOOR_KBPS, PROBE, BitrateController
from punktfunk.client.abr_signals import WINDOW_S, Window

GOLDEN = Path(__file__).parent / "abr_golden.json"


def row(outcome: Outcome) -> dict[str, Any]:
    """An outcome as the table holds it."""
    values = asdict(outcome)
    values["settle_s"] = None if outcome.settle_s == float("inf") else outcome.settle_s
    values["final_kbps"] = list(outcome.final_kbps)
    return values


def test_there_are_enough_scenarios() -> None:
    assert len(SCENARIOS) >= 40
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_scenario(scenario: Scenario) -> None:
    outcome = run(scenario)
    assert row(outcome) == json.loads(GOLDEN.read_text())[scenario.name]
    assert outcome.queue_p95_ms <= 40


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.name.startswith("steady")], ids=lambda s: s.name)
def test_a_steady_path_is_used_without_oscillation(scenario: Scenario) -> None:
    outcome = run(scenario)
    assert outcome.final_share >= 0.9
    assert outcome.decreases <= 4
    if scenario.queue_ms >= 100 and scenario.capacity(0) >= 10_000:
        assert outcome.swing <= 0.25
        assert outcome.decreases <= 2


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if not s.probe], ids=lambda s: s.name)
def test_a_path_too_narrow_for_the_start_gets_room_without_a_speed_test(scenario: Scenario) -> None:
    outcome = run(scenario)
    room = min(1.0, scenario.start_kbps / scenario.capacity(0))
    assert 0.8 * room <= outcome.final_share <= 1.02
    assert outcome.decreases <= 3
    assert outcome.dropped_frames <= 90


def test_a_gigabit_is_reached_in_seven_seconds() -> None:
    outcome = run(next(s for s in SCENARIOS if s.name == "steady 1000 Mbit/s"))
    assert outcome.settle_s <= 7


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.flows > 1], ids=lambda s: s.name)
def test_two_flows_fill_a_path_and_neither_starves(scenario: Scenario) -> None:
    outcome = run(scenario)
    assert outcome.final_share >= 0.9
    assert min(outcome.final_kbps) >= 0.2 * scenario.capacity(0)
    assert outcome.swing <= 0.4


def window(kbps: float, **values: Any) -> Window:
    return Window(**{"loss_ppm": 0, "dropped_frames": 0, "delay_ms": 5.0, "wire_kbps": kbps * 1.065, **values})


def settled(kbps: int = 20_000, probe_kbps: float = 1_000_000) -> tuple[BitrateController, float]:
    """A controller whose speed test is over."""
    controller = BitrateController(kbps, 0.0)
    assert controller.poll(1.9) is None
    assert controller.poll(2.0) == PROBE
    controller.probe_measured(probe_kbps, 3.0)
    controller.frame(5.0, 1000, 3.0)
    return controller, 3.0


def test_declined_probe_keeps_the_negotiated_rate() -> None:
    controller, now = settled(probe_kbps=0)
    for step in range(100):
        assert controller.window(window(20_000), now + step * WINDOW_S) is None


def test_unanswered_probe_is_given_up() -> None:
    controller = BitrateController(20_000, 0.0)
    assert controller.poll(2.0) == PROBE
    assert controller.probing
    assert controller.poll(8.0) is None
    assert not controller.probing


def test_loss_that_is_there_from_the_start_is_borne_once_a_lower_rate_has_not_helped() -> None:
    controller, asked = BitrateController(20_000, 0.0), []
    controller.poll(2.0)
    controller.probe_measured(0, 2.1)
    for step in range(40):
        now = 3.0 + step * WINDOW_S
        kbps = controller.window(window(controller.target_kbps, loss_ppm=50_000), now)
        if kbps is not None:
            asked.append(kbps)
            controller.bitrate_changed(kbps, now)
    assert asked == [14_000, 20_000]


def test_a_cut_that_was_not_deep_enough_is_not_taken_back() -> None:
    """10 Mbit/s, as they were met: the stream began within the first window, and no frame became whole in either."""
    controller = BitrateController(20_000, 0.0)
    first = Window(loss_ppm=577_565, dropped_frames=16, delay_ms=1000.0, wire_kbps=5550.0, keyframe_requests=7)
    second = Window(loss_ppm=464_941, dropped_frames=46, delay_ms=1000.0, wire_kbps=9917.0, keyframe_requests=7)
    assert controller.window(first, 0.75) == 14_000
    controller.bitrate_changed(14_000, 0.8)
    assert controller.window(second, 1.5) in range(FLOOR_KBPS, 9000)


def test_more_loss_than_parity_mends_is_never_taken_for_nature() -> None:
    controller, now = settled()
    for step in range(80):
        kbps = controller.window(window(controller.target_kbps, loss_ppm=400_000), now + step * WINDOW_S)
        if kbps is not None:
            controller.bitrate_changed(kbps, now + step * WINDOW_S)
    assert controller.target_kbps == FLOOR_KBPS


def test_a_queue_on_the_path_is_told_from_loss() -> None:
    controller, now = settled()
    controller.window(window(20_000), now)
    controller.window(window(20_000, loss_ppm=100_000), now + WINDOW_S)
    assert not controller.path_full
    controller.window(window(20_000, loss_ppm=100_000, delay_ms=60.0), now + 2 * WINDOW_S)
    assert controller.path_full


def test_it_does_not_climb_on_a_still_picture() -> None:
    controller, now = settled()
    for step in range(100):
        assert controller.window(window(2_000), now + step * WINDOW_S) is None


def test_it_stops_after_three_unanswered_requests() -> None:
    controller, now = settled()
    asked = [controller.window(window(20_000), now + step * WINDOW_S) for step in range(200)]
    assert sum(request is not None for request in asked) <= 3 + 3
    assert controller.stopped
    assert asked[-1] is None


def test_requests_are_spaced() -> None:
    controller, now = settled()
    times = []
    for step in range(40):
        at = now + step * WINDOW_S
        asked = controller.window(window(controller.target_kbps), at)
        if asked is not None:
            times.append(at)
            controller.bitrate_changed(asked, at + 0.01)
    assert all(later - earlier >= 1.5 for earlier, later in pairwise(times))


def test_two_equal_short_answers_teach_a_cap() -> None:
    controller, now = settled()
    asked = []
    for step in range(20):
        at = now + step * WINDOW_S
        request = controller.window(window(controller.target_kbps), at)
        if request is not None:
            asked.append(request)
            controller.bitrate_changed(min(request, 60_000), at)
    assert len(asked) < 6


def test_severe_once_and_bad_twice() -> None:
    for values, windows in (({"keyframe_requests": 4}, 1), ({"keyframe_requests": 2}, 2), ({"flushed": True}, 1)):
        controller, now = settled()
        answers = [controller.window(window(1_000, **values), now + i * WINDOW_S) for i in range(windows)]
        assert answers == [None] * (windows - 1) + [14_000]


def test_never_below_the_floor() -> None:
    controller, now = settled(kbps=6000)
    assert controller.window(window(100, keyframe_requests=9), now) == FLOOR_KBPS


def test_slow_decoder_lowers_the_rate() -> None:
    controller, now = settled()
    controller.window(window(1_000, decode_ms=3.0), now)
    assert controller.window(window(1_000, decode_ms=60.0), now + WINDOW_S) == 14_000


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({s.name: row(run(s)) for s in SCENARIOS}, indent=1) + "\n")


def test_a_path_that_was_cut_off_is_not_left_below_the_floor() -> None:
    controller, now = settled(probe_kbps=20_000)
    asked = []
    for step in range(400):
        now += 0.05
        stuck = 40 <= step < 80
        kbps = controller.frame(400.0 if stuck else 5.0, 100, now)
        if kbps is None and step % 15 == 14:
            kbps = controller.window(window(100, delay_ms=400.0 if stuck else 5.0), now)
        if kbps is not None:
            asked.append(kbps)
            controller.bitrate_changed(kbps, now)
    assert asked
    assert min(asked) >= FLOOR_KBPS


def test_a_step_down_from_below_the_floor_does_not_step_up() -> None:
    controller, now = BitrateController(2_000, 0.0), 0.0
    for loss_ppm in (0, 0, *[300_000] * 40):
        now += WINDOW_S
        assert controller.window(Window(loss_ppm, loss_ppm // 100_000, 0.0, 2_000), now) is None
