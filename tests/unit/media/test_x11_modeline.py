from __future__ import annotations

import pytest

from punktfunk.media.plan import Mode
from punktfunk.media.x11.modeline import Modeline, make_modeline


@pytest.mark.parametrize(
    "mode", [Mode(1280, 720, 60_000), Mode(1366, 767, 119_880), Mode(640, 360, 30_000), Mode(7680, 4320, 143_856)]
)
def test_a_made_mode_is_exactly_what_was_asked_for(mode: Mode) -> None:
    line = make_modeline(mode)
    assert line.shows(mode)
    assert (line.width, line.height, line.refresh_mhz) == (mode.width, mode.height, mode.refresh_mhz)
    assert line.width < line.h_sync_start < line.h_sync_end < line.h_total
    assert line.height < line.v_sync_start < line.v_sync_end < line.v_total
    assert line.is_ours


def test_another_rate_is_another_mode() -> None:
    line = make_modeline(Mode(1920, 1080, 60_000))
    assert not line.shows(Mode(1920, 1080, 59_900))
    assert line.shows(Mode(1920, 1080, 59_950))
    assert not line.shows(Mode(1920, 1082, 60_000))


def test_modes_are_read_back_as_they_were_written() -> None:
    lines = (make_modeline(Mode(1280, 720, 60_000)), make_modeline(Mode(1920, 1080, 75_000)))
    names = b"".join(line.name.encode() for line in lines)
    assert Modeline.unpack_all(b"".join(line.pack() for line in lines), names) == lines


def test_a_mode_without_timings_has_no_rate() -> None:
    """Xvfb's first one."""
    line = Modeline(58, "2560x1440", 2560, 1440, *[0] * 9)
    assert line.refresh_mhz == 0
    assert not line.shows(Mode(2560, 1440, 60_000))
    assert not line.is_ours
