"""Steam Controller and Steam Deck: commands, reports, waking up."""

from __future__ import annotations

import struct

import pytest
from msgspec.structs import replace

from punktfunk.input.events import ContactPhase, PadTouched, Rumbled
from punktfunk.input.gamepads.hid_model import MalformedReport
from punktfunk.input.gamepads.inputs import Button, PadInputs
from punktfunk.input.gamepads.steam_controller import REFRESH_S, TURN_S, SteamController
from punktfunk.input.gamepads.steam_deck import WAKE_HOLD_S, WAKE_RELEASE_S, SteamDeck

MENU = 1 << 14
LIZARD_ON, LIZARD_OFF = b"\0\x85\0", b"\0\x81\0"


def buttons(report: bytes) -> int:
    return int.from_bytes(report[8:16], "little")


def test_the_serial_is_asked_for_and_read() -> None:
    pad = SteamDeck(0, "a")
    pad.set_feature(b"\0\xae\x16\x01".ljust(65, b"\0"))
    answer = pad.get_feature(0)
    assert answer is not None
    assert len(answer) == 65
    assert answer[1:4] == b"\xae\x15\x01"
    assert answer[4:].rstrip(b"\0").decode() == pad.identity.uniq
    assert pad.get_feature(1) is None


def test_other_commands_echo() -> None:
    pad = SteamController(0, "a")
    pad.set_feature(b"\0\x87\x03\x08\x07\x00".ljust(65, b"\0"))
    assert (pad.get_feature(0) or b"")[:6] == b"\0\x87\x03\x08\x07\x00"


def test_rumble_is_a_command() -> None:
    command = b"\0\xeb\x09" + struct.pack("<BHHHBB", 0, 0, 1000, 2000, 2, 0)
    assert SteamDeck(1, "a").set_feature(command).feedback == (Rumbled(1, 1000, 2000),)


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\x87\xff", b"\0\xeb\x02\0\0"])
def test_what_makes_no_sense_is_dropped(data: bytes) -> None:
    with pytest.raises(MalformedReport):
        SteamDeck(0, "a").set_feature(data)


def test_the_deck_holds_the_menu_button_until_it_is_awake() -> None:
    pad = SteamDeck(0, "a")
    assert buttons(pad.input_report(PadInputs(), 0.0)) == 0
    pad.set_feature(LIZARD_ON)
    assert buttons(pad.input_report(replace(PadInputs(), buttons=Button.START), 1.0)) & MENU == 0
    assert buttons(pad.input_report(PadInputs(), 1.01 + WAKE_RELEASE_S)) & MENU
    pad.set_feature(LIZARD_OFF)
    assert buttons(pad.input_report(PadInputs(), 1.2)) & MENU == 0


def test_the_deck_tries_again() -> None:
    pad = SteamDeck(0, "a")
    pad.set_feature(LIZARD_ON)
    pad.input_report(PadInputs(), 0.0)
    later = WAKE_RELEASE_S + WAKE_HOLD_S + 0.1
    assert buttons(pad.input_report(PadInputs(), later)) & MENU == 0
    assert buttons(pad.input_report(PadInputs(), later + 0.01 + WAKE_RELEASE_S)) & MENU


def test_the_decks_report() -> None:
    inputs = replace(PadInputs(), buttons=Button.A | Button.MISC, left_trigger=255, left_y=-32768)
    inputs = inputs.with_touch(PadTouched(0, 1, ContactPhase.DOWN, 1, 1.0, 0.0, 1.0))
    report = SteamDeck(0, "a").input_report(inputs, 0.0)
    assert len(report) == 64
    assert report[:4] == bytes((1, 0, 9, 56))
    assert buttons(report) == 1 << 7 | 1 << 50 | 1 << 20 | 1 << 1
    assert struct.unpack_from("<4h", report, 16) == (0, 0, 32767, 32767)
    assert struct.unpack_from("<HH4hHH", report, 44) == (32767, 0, 0, -32767, 0, 0, 0, 32767)


def test_stick_and_left_touchpad_take_turns_in_the_controllers_report() -> None:
    pad = SteamController(0, "a")
    inputs = replace(PadInputs(), left_x=1000).with_touch(PadTouched(0, 0, ContactPhase.DOWN, 1, 1.0, 0.5))
    seen = [(pad.input_report(inputs, 0.0)[10] & 0x88, pad.input_report(inputs, 0.0)[10] & 0x88) for _ in range(2)]
    assert seen == [(0x80, 0x88)] * 2


def test_the_controllers_direction_pad_is_a_place_on_its_left_touchpad() -> None:
    report = SteamController(0, "s").input_report(PadInputs(buttons=Button.UP | Button.RIGHT), 0.0)
    assert report[9] == 0x03
    assert report[10] & 0x0A == 0x0A, "touched and pressed in"
    assert struct.unpack_from("<2h", report, 16) == (32767, 32767)
    up = SteamController(0, "s").input_report(PadInputs(buttons=Button.UP | Button.DOWN), 0.0)
    assert up[10] == 0


def test_stick_and_left_touchpad_take_quick_turns() -> None:
    pad = SteamController(0, "s")
    pad.input_report(PadInputs(left_x=1000), 0.0)
    assert pad.refresh_interval_s == REFRESH_S
    both = PadInputs(left_x=1000, buttons=Button.LEFT)
    places = [struct.unpack_from("<2h", pad.input_report(both, 0.0), 16) for _ in range(4)]
    assert pad.refresh_interval_s == TURN_S
    assert sorted(places) == [(-32767, 0)] * 2 + [(1000, 0)] * 2
    pad.input_report(PadInputs(buttons=Button.LEFT), 0.0)
    assert pad.refresh_interval_s == REFRESH_S
