"""Xbox pads as evdev events."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from punktfunk.input.gamepads.inputs import Button, PadInputs
from punktfunk.input.gamepads.xbox import KEY_RECORD, XBOX_360, XBOX_ELITE_2, XBOX_SERIES
from punktfunk.input.uinput import EV_ABS, EV_KEY


def as_dict(events: list[tuple[int, int, int]], kind: int) -> dict[int, int]:
    return {code: value for event_type, code, value in events if event_type == kind}


def test_axes_turn_over_and_triggers_scale() -> None:
    inputs = replace(PadInputs(), left_y=32767, right_y=-32768, left_trigger=255, right_trigger=1)
    assert as_dict(XBOX_360.events(inputs), EV_ABS) == {0: 0, 1: -32768, 2: 255, 3: 0, 4: 32767, 5: 1, 16: 0, 17: 0}
    assert as_dict(XBOX_SERIES.events(inputs), EV_ABS)[2] == 1023


@pytest.mark.parametrize("pad", [XBOX_360, XBOX_SERIES, XBOX_ELITE_2])
def test_every_value_is_within_what_the_pad_declares(pad: object) -> None:
    assert pad in (XBOX_360, XBOX_SERIES, XBOX_ELITE_2)
    for extreme in (-32768, 32767):
        inputs = PadInputs(0x3FFFFF, 255, 255, extreme, extreme, extreme, extreme)
        for code, value in as_dict(pad.events(inputs), EV_ABS).items():  # type: ignore[attr-defined]
            axis = pad.description.axes[code]  # type: ignore[attr-defined]
            assert axis.minimum <= value <= axis.maximum


def test_only_buttons_that_the_model_has_are_sent() -> None:
    everything = replace(PadInputs(), buttons=0x3FFFFF)
    assert KEY_RECORD in as_dict(XBOX_SERIES.events(everything), EV_KEY)
    assert KEY_RECORD not in as_dict(XBOX_360.events(everything), EV_KEY)
    assert len(as_dict(XBOX_ELITE_2.events(everything), EV_KEY)) == 15
    opposite = replace(PadInputs(), buttons=Button.LEFT | Button.RIGHT | Button.UP)
    assert as_dict(XBOX_360.events(opposite), EV_ABS)[16] == 0
