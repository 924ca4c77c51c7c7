"""Switch Pro: handshake, flash memory, reports, rumble."""

from __future__ import annotations

import struct

import pytest
from msgspec.structs import replace

from punktfunk.input.events import PlayerLedsChanged, Rumbled
from punktfunk.input.gamepads.hid_model import MalformedReport
from punktfunk.input.gamepads.inputs import Button, PadInputs
from punktfunk.input.gamepads.switch_flash import read_flash
from punktfunk.input.gamepads.switch_pro import SwitchPro
from punktfunk.input.gamepads.switch_rumble import NEUTRAL, decode_rumble

QUIET = NEUTRAL * 2


def ask(pad: SwitchPro, command: int, arguments: bytes = b"", rumble: bytes = QUIET) -> bytes:
    (answer,) = pad.output_report(b"\x01\x00" + rumble + bytes([command]) + arguments).replies
    assert len(answer) == 64
    assert answer[0] == 0x21
    assert answer[14] == command
    return answer


def test_usb_commands_are_answered_but_for_the_time_out() -> None:
    pad = SwitchPro(0, "a")
    for command in (1, 2, 3):
        (answer,) = pad.output_report(bytes((0x80, command))).replies
        assert answer[:2] == bytes((0x81, command))
    assert pad.output_report(b"\x80\x04").replies == ()


def test_no_report_before_the_driver_asks() -> None:
    pad = SwitchPro(0, "a")
    assert pad.input_report(PadInputs(), 0.0) is None
    ask(pad, 0x03, b"\x30")
    report = pad.input_report(PadInputs(), 0.5)
    assert report is not None
    assert len(report) == 64
    assert (report[0], report[1], report[12]) == (0x30, 100, 9)
    assert struct.unpack_from("<6h", report, 13) == (0, 0, 4096, 0, 0, 0)


def test_device_info_says_pro_controller() -> None:
    answer = ask(SwitchPro(0, "a"), 0x02)
    assert answer[13] == 0x82
    assert answer[17] == 3
    assert answer[19] == 2


def test_the_south_button_is_nintendos_b() -> None:
    pad = SwitchPro(0, "a")
    ask(pad, 0x03, b"\x30")
    report = pad.input_report(replace(PadInputs(), buttons=Button.A | Button.UP, left_trigger=64), 0.0)
    assert report is not None
    assert report[3:6] == bytes((0x04, 0, 0x82))


@pytest.mark.parametrize(("value", "raw"), [(-32768, 0), (0, 2048), (32767, 4095)])
def test_sticks_fill_the_calibrated_range(value: int, raw: int) -> None:
    pad = SwitchPro(0, "a")
    ask(pad, 0x03, b"\x30")
    report = pad.input_report(replace(PadInputs(), left_x=value, right_y=value), 0.0)
    assert report is not None
    assert int.from_bytes(report[6:9], "little") & 0xFFF == raw
    assert int.from_bytes(report[9:12], "little") >> 12 == raw


def test_flash_reads() -> None:
    answer = ask(SwitchPro(0, "a"), 0x10, struct.pack("<IB", 0x603D, 9))
    assert answer[13] == 0x90
    assert answer[15:20] == struct.pack("<IB", 0x603D, 9)
    assert answer[20:29] == bytes.fromhex("fff77f 000880 000880")
    assert read_flash(0x8010, 2) == b"\xff\xff"
    assert read_flash(0x603C, 3) == b"\xff\xff\xf7"
    assert read_flash(0xFFFFFFFF, 4) == b"\xff" * 4


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x01short", b"\x10", b"\x77" + bytes(20), b"\x01\0" + QUIET + b"\x10" + b"\0\0\0\0\x1e"]
)
def test_what_makes_no_sense_is_dropped(data: bytes) -> None:
    with pytest.raises(MalformedReport):
        SwitchPro(0, "a").output_report(data)


def test_rumble_levels() -> None:
    assert decode_rumble(QUIET) == (0, 0)
    assert decode_rumble(bytes(8)) == (0, 0)
    full = bytes((0, 1 + 0xC8, 0x40, 0x72))
    assert decode_rumble(full + NEUTRAL) == (65535, 0)
    half = bytes((0, 1 + 0x88, 0x40, 0x62))
    assert decode_rumble(NEUTRAL + half)[1] == pytest.approx(501 / 1003 * 65535, rel=0.02)
    assert SwitchPro(2, "a").output_report(b"\x10\x00" + full + NEUTRAL).feedback == (Rumbled(2, 65535, 0),)


def test_player_lights_blinking_or_steady() -> None:
    pad = SwitchPro(0, "a")
    feedback = pad.output_report(b"\x01\x00" + QUIET + b"\x30\x21").feedback
    assert feedback == (Rumbled(0, 0, 0), PlayerLedsChanged(0, 3))
