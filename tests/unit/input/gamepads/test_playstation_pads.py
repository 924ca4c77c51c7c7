"""DualShock 4 and DualSense: state to input report, output report to feedback, feature reports."""

from __future__ import annotations

import struct

import pytest
from msgspec.structs import replace

from punktfunk.input.events import (
    ContactPhase,
    LightChanged,
    PadTouched,
    PlayerLedsChanged,
    Rumbled,
    TriggerEffect,
)
from punktfunk.input.gamepads import dualsense, dualshock4
from punktfunk.input.gamepads.dualsense import DualSense, MuteLight
from punktfunk.input.gamepads.dualshock4 import DualShock4
from punktfunk.input.gamepads.hid_model import MalformedReport
from punktfunk.input.gamepads.inputs import Button, PadInputs

REST = PadInputs()


def output(**at: int) -> bytes:
    report = bytearray(48)
    report[0] = 2
    for name, value in at.items():
        report[int(name[1:])] = value
    return bytes(report)


def test_a_dualsense_at_rest() -> None:
    report = DualSense(0, "a").input_report(REST, 1.0)
    assert len(report) == 64
    assert report[:11] == bytes((1, 128, 128, 128, 128, 0, 0, 1, 8, 0, 0))
    assert struct.unpack_from("<6hI", report, 16) == (0, 0, 0, 0, 8192, 0, 3_000_000)
    assert report[33:41] == b"\x80\0\0\0\x80\0\0\0"
    assert report[53] == 0x2A


def test_a_dualsense_in_use() -> None:
    inputs = replace(
        REST,
        buttons=Button.UP | Button.RIGHT | Button.A | Button.GUIDE | Button.TOUCHPAD | Button.MISC,
        left_trigger=9,
        right_trigger=255,
        left_x=32767,
        left_y=32767,
        right_x=-32768,
        right_y=-32768,
        gyro=(1.0, -2.0, 5000.0),
        battery_state=3,
        battery_percent=55,
    ).with_touch(PadTouched(0, 0, ContactPhase.DOWN, 4, 0.5, 1.0))
    report = DualSense(0, "a").input_report(inputs, 0.0)
    assert report[1:7] == bytes((255, 0, 0, 255, 9, 255))
    assert report[8:11] == bytes((0x21, 0x0C, 0x07))
    assert struct.unpack_from("<3h", report, 16) == (16, -32, 32767)
    assert report[33:37] == bytes((0, 960 & 0xFF, 960 >> 8 | (1079 & 15) << 4, 1079 >> 4))
    assert report[53] == 0x15


def test_only_the_edge_has_back_buttons() -> None:
    inputs = replace(REST, buttons=Button.PADDLE_L4 | Button.PADDLE_R5)
    assert DualSense(0, "a").input_report(inputs, 0.0)[10] == 0
    assert DualSense(0, "a", edge=True).input_report(inputs, 0.0)[10] == 0x60


def test_a_dualshock_at_rest() -> None:
    report = DualShock4(0, "a").input_report(REST, 0.0)
    assert len(report) == 64
    assert report[:10] == bytes((1, 128, 128, 128, 128, 8, 0, 4, 0, 0))
    assert struct.unpack_from("<6h", report, 13) == (0, 0, 0, 0, 8192, 0)
    assert report[30] == 0x1B
    assert report[33] == 1
    assert report[35:43] == b"\x80\0\0\0\x80\0\0\0"


@pytest.mark.parametrize(
    ("bits", "hat"),
    [
        (Button.UP, 0),
        (Button.UP | Button.RIGHT, 1),
        (Button.DOWN | Button.LEFT, 5),
        (Button.LEFT | Button.RIGHT, 8),
        (Button.LEFT | Button.RIGHT | Button.UP, 0),
    ],
)
def test_directions(bits: int, hat: int) -> None:
    assert DualShock4(0, "a").input_report(replace(REST, buttons=bits), 0.0)[5] & 0x0F == hat


def test_rumble_is_taken_only_where_the_flags_say_so() -> None:
    pad = DualSense(3, "a")
    assert pad.output_report(output(_3=0x40, _4=0x80)).feedback == ()
    for flag in ({"_1": 3}, {"_39": 4}):
        assert pad.output_report(output(_3=0x40, _4=0x80, **flag)).feedback == (Rumbled(3, 0x8080, 0x4040),)


def test_lights_players_and_triggers() -> None:
    report = bytearray(output(_1=0x0C, _2=0x15, _9=1, _44=0xFF, _45=1, _46=2, _47=3))
    report[11:22], report[22:33] = bytes(range(20, 31)), bytes(range(40, 51))
    parsed = dualsense.parse_output(bytes(report))
    assert parsed.mute_light is MuteLight.ON
    assert DualSense(0, "a").output_report(bytes(report)).feedback == (
        LightChanged(0, 1, 2, 3),
        PlayerLedsChanged(0, 0x1F),
        TriggerEffect(0, 0, 40, bytes(range(41, 51))),
        TriggerEffect(0, 1, 20, bytes(range(21, 31))),
    )


def test_a_dualshocks_output() -> None:
    report = bytes((5, 3, 0, 0, 0x40, 0x80, 9, 8, 7)).ljust(32, b"\0")
    assert DualShock4(0, "a").output_report(report).feedback == (Rumbled(0, 0x8080, 0x4040), LightChanged(0, 9, 8, 7))
    assert DualShock4(0, "a").output_report(bytes((5,)).ljust(32, b"\0")).feedback == ()


@pytest.mark.parametrize("data", [b"", b"\x02", b"\x31" + bytes(77), output(_2=1, _9=9)])
def test_a_dualsense_drops_what_makes_no_sense(data: bytes) -> None:
    with pytest.raises(MalformedReport):
        dualsense.parse_output(data)


@pytest.mark.parametrize("data", [b"", b"\x05", b"\x11" + bytes(77)])
def test_a_dualshock_drops_what_makes_no_sense(data: bytes) -> None:
    with pytest.raises(MalformedReport):
        dualshock4.parse_output(data)


@pytest.mark.parametrize(
    ("pad", "sizes"),
    [(DualSense(0, "a"), {5: 41, 9: 20, 0x20: 64}), (DualShock4(0, "a"), {2: 37, 0x12: 16, 0x81: 7, 0xA3: 49})],
)
def test_feature_reports_have_the_exact_sizes_that_the_driver_wants(
    pad: DualSense | DualShock4, sizes: dict[int, int]
) -> None:
    for number, size in sizes.items():
        report = pad.get_feature(number)
        assert report is not None
        assert (report[0], len(report)) == (number, size)
    assert pad.get_feature(0x77) is None


def test_every_pad_has_its_own_address() -> None:
    addresses = {(DualSense(0, f"session/{number}").get_feature(9) or b"")[1:7] for number in range(100)}
    assert len(addresses) == 100
    assert {address[-1] for address in addresses} == {2}
