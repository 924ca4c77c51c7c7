from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.session.fake_sway import FakeSway, Space

from punktfunk.media.displays.sway_ipc import SwayError
from punktfunk.media.plan import Mode
from punktfunk.session.desktops import sway_outputs
from punktfunk.session.desktops.sway_outputs import WAITING_MODE, SwayOutputs

MODE = Mode(1280, 720, 60_000)
WAITING = (WAITING_MODE.width, WAITING_MODE.height)


@pytest.fixture(params=[False, True], ids=["1.7", "1.10"])
def sway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeSway]:
    fake = FakeSway(tmp_path / "s", can_unplug=request.param)
    yield fake
    fake.close()


def outputs(sway: FakeSway) -> SwayOutputs:
    return SwayOutputs(str(sway.path), sway.path.parent / "outputs")


def test_a_session_gets_an_output_with_a_workspace_and_the_focus(sway: FakeSway) -> None:
    borrowed = outputs(sway).borrow(MODE)
    assert borrowed.name == "HEADLESS-1"
    assert sway.outputs == {"DP-1": (2560, 1440), "HEADLESS-1": (1280, 720)}
    assert sway.shown() == {"DP-1": "1", "HEADLESS-1": "punktfunk"}
    assert sway.focused == "punktfunk"


def test_the_end_leaves_what_was_there(sway: FakeSway) -> None:
    makes = outputs(sway)
    makes.give_back(makes.borrow(MODE))
    assert sway.focused == "1"
    assert sway.shown()["DP-1"] == "1"
    if sway.can_unplug:
        assert list(sway.outputs) == ["DP-1"]
        assert not list(makes._folder.glob("*-HEADLESS-1"))
    else:
        assert sway.outputs["HEADLESS-1"] == WAITING
        assert sway.shown()["HEADLESS-1"] == "punktfunk waiting"


def test_windows_go_to_a_monitor_that_goes_on_showing_its_own(sway: FakeSway) -> None:
    makes = outputs(sway)
    borrowed = makes.borrow(MODE)
    sway.spaces["punktfunk"].windows = 2
    makes.give_back(borrowed)
    assert sway.spaces["punktfunk"] == Space("DP-1", visible=False, windows=2)
    assert sway.shown()["DP-1"] == "1"
    assert sway.focused == "1"


def test_a_focus_that_went_elsewhere_stays_there(sway: FakeSway) -> None:
    sway.outputs["DP-2"] = (1920, 1080)
    sway.spaces["2"] = Space("DP-2")
    makes = outputs(sway)
    borrowed = makes.borrow(MODE)
    sway.focused = "2"
    makes.give_back(borrowed)
    assert sway.focused == "2"
    assert {"DP-1": "1", "DP-2": "2"}.items() <= sway.shown().items()


def test_two_sessions_have_two_outputs_and_the_third_takes_a_free_one(sway: FakeSway) -> None:
    makes = outputs(sway)
    first, second = makes.borrow(MODE), makes.borrow(MODE)
    assert {first.name, second.name} == {"HEADLESS-1", "HEADLESS-2"}
    assert sway.shown() == {"DP-1": "1", "HEADLESS-1": "punktfunk", "HEADLESS-2": "punktfunk 2"}
    makes.give_back(first)
    third = makes.borrow(Mode(1920, 1080, 60_000))
    assert third.name == ("HEADLESS-3" if sway.can_unplug else "HEADLESS-1")
    assert sway.outputs[third.name] == (1920, 1080)
    assert sway.shown()[third.name] == "punktfunk"


def test_what_a_killed_host_left_is_put_away_once(sway: FakeSway) -> None:
    borrowed = outputs(sway).borrow(MODE)
    os.close(borrowed.lock)
    assert outputs(sway).tidy() == 1
    assert outputs(sway).tidy() == 0
    assert sway.focused == "1"
    assert sway.outputs.get("HEADLESS-1") == (None if sway.can_unplug else WAITING)


def test_what_is_in_use_is_nobody_elses_to_put_away(sway: FakeSway) -> None:
    outputs(sway).borrow(MODE)
    assert outputs(sway).tidy() == 0
    assert sway.outputs["HEADLESS-1"] == (1280, 720)


def test_another_sway_under_the_same_path_has_none_of_ours(sway: FakeSway) -> None:
    borrowed = outputs(sway).borrow(MODE)
    os.close(borrowed.lock)
    sway.close()
    sway.path.unlink()
    again = FakeSway(sway.path, outputs={"DP-1": (1, 1), "HEADLESS-1": (800, 600)})
    assert outputs(again).tidy() == 0
    assert again.outputs["HEADLESS-1"] == (800, 600)
    again.close()


def test_an_output_that_somebody_took_away_is_forgotten(sway: FakeSway) -> None:
    makes = outputs(sway)
    borrowed = makes.borrow(MODE)
    del sway.outputs["HEADLESS-1"]
    sway.spaces.pop("punktfunk")
    sway.focused = "1"
    makes.give_back(borrowed)
    assert makes.borrow(MODE).name == "HEADLESS-2"


def test_a_sway_that_makes_no_outputs_says_so(sway: FakeSway) -> None:
    sway.can_create = False
    with pytest.raises(SwayError, match="headless backends"):
        outputs(sway).borrow(MODE)
    assert sway.commands == ["create_output"]


def test_a_sway_that_dies_meanwhile_takes_nothing_along(sway: FakeSway) -> None:
    makes = outputs(sway)
    borrowed = makes.borrow(MODE)
    sway.close()
    makes.give_back(borrowed)


def test_an_empty_workspace_that_went_is_made_again_where_it_was(sway: FakeSway) -> None:
    sway.outputs["DP-2"] = (1920, 1080)
    sway.spaces['the "web"'] = Space("DP-2")
    makes = outputs(sway)
    borrowed = makes.borrow(MODE)
    sway.spaces["punktfunk"].windows = 1
    sway.evacuates_to = "DP-2"
    makes.give_back(borrowed)
    assert {"DP-1": "1", "DP-2": 'the "web"'}.items() <= sway.shown().items()
    assert sway.focused == "1"


def test_there_is_a_most_of_outputs(sway: FakeSway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sway_outputs, "MAX_OUTPUTS", 2)
    makes = outputs(sway)
    makes.borrow(MODE)
    makes.borrow(MODE)
    with pytest.raises(SwayError, match="2 outputs of ours already"):
        makes.borrow(MODE)


def test_records_of_sways_that_are_gone_do_not_pile_up(sway: FakeSway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sway_outputs, "MAX_RECORDS", 3)
    makes = outputs(sway)
    used = makes.borrow(MODE)
    os.utime(used.file, (0, 0))
    for number in range(20):
        (used.file.parent / f"{number:x}-1-HEADLESS-1").touch()
    makes.tidy()
    assert used.file.exists(), "the oldest, and in use"
    assert len(list(used.file.parent.glob("*-*"))) == 4
