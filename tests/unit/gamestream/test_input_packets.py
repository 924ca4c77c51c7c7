"""Input packets beyond the recorded ones: refused fields, clamps, and which controllers are there."""

import math
import struct

import pytest

from punktfunk.gamestream.controllers import pad_kind
from punktfunk.gamestream.input_packets import InputDecoder, InputError
from punktfunk.input.events import (
    ContactPhase,
    KeyChanged,
    PadArrived,
    PadBattery,
    PadKind,
    PadMotion,
    PadRemoved,
    PadState,
    PadTouched,
    PenMoved,
    PenTool,
    PointerPlaced,
    Touched,
)


def packet(magic, layout, *fields):
    body = struct.pack(layout, *fields)
    return struct.pack(">I", 4 + len(body)) + struct.pack("<I", magic) + body


def key(code, flags=0, modifiers=0):
    return packet(3, "<BHBH", flags, code, modifiers, 0)


def absolute(x, y, width, height):
    return packet(5, ">hhHhh", x, y, 0, width, height)


def touch(event=1, rotation=0, x=0.5, y=0.5, pressure=0.5, major=0.0, minor=0.0):
    return packet(0x55000002, "<BBHIfffff", event, 0, rotation, 1, x, y, pressure, major, minor)


def pen(event=1, tool=1, buttons=0, x=0.5, y=0.5, pressure=0.5, rotation=0, tilt=0):
    return packet(0x55000003, "<BBBBfffHBBff", event, tool, buttons, 0, x, y, pressure, rotation, tilt, 0, 0, 0)


def arrival(pad=0, kind=1, capabilities=3, buttons=0xFFFF):
    return packet(0x55000004, "<BBHI", pad, kind, capabilities, buttons)


def state(pad=0, mask=1, buttons=0, high=0):
    constants = (0x1A, pad, mask, 0x14, buttons, 0, 0, 0, 0, 0, 0, 0x9C, high, 0x55)
    return packet(0x0C, "<HHHHHBBhhhhHHH", *constants)


def pad_touch(pad=0, event=1, surface=0, x=0.5, y=0.5, pressure=0.5):
    return packet(0x55000005, "<BBBBIfff", pad, event, 0, surface, 1, x, y, pressure)


def motion(pad=0, sensor=2, x=0.0, y=0.0, z=0.0):
    return packet(0x55000006, "<BBHfff", pad, sensor, 0, x, y, z)


def battery(pad=0, state=2, percent=50):
    return packet(0x55000007, "<BBBB", pad, state, percent, 0)


@pytest.fixture
def decoder():
    return InputDecoder()


NAN, INFINITY = math.nan, math.inf
BAD = {
    "empty": b"",
    "no magic": bytes.fromhex("00000000"),
    "size too large": bytes.fromhex("00000009 07000000 00010001"),
    "size too small": bytes.fromhex("00000007 07000000 00010001"),
    "size overflow": bytes.fromhex("ffffffff 07000000 00010001"),
    "unknown magic": packet(0x55000008, "<I", 0),
    "longer mouse": packet(7, ">hhh", 1, 1, 1),
    "shorter key": packet(3, "<BH", 0, 0x41),
    "zero width": absolute(1, 1, 0, 100),
    "zero height": absolute(1, 1, 100, 0),
    "negative width": absolute(1, 1, -100, 100),
    "button 0": packet(8, "B", 0),
    "button 6": packet(8, "B", 6),
    "no text": packet(0x17, ""),
    "long text": packet(0x17, "33s", b"a" * 33),
    "broken text": packet(0x17, "2s", b"\xc3\x28"),
    "half a surrogate": packet(0x17, "3s", b"\xed\xa0\x80"),
    "touch NaN": touch(x=NAN),
    "touch infinite": touch(pressure=INFINITY),
    "touch axis": touch(major=-INFINITY),
    "touch event": touch(event=8),
    "touch buttons": touch(event=5),
    "pen NaN": pen(y=NAN),
    "pen event": pen(event=200),
    "arrival number": arrival(pad=16),
    "state number": state(pad=16),
    "state number overflow": state(pad=0xFFFF),
    "pad touch surface": pad_touch(surface=2),
    "pad touch event": pad_touch(event=5),
    "motion sensor": motion(sensor=3),
    "motion NaN": motion(z=NAN),
    "battery state": battery(state=6),
}


@pytest.mark.parametrize("payload", BAD.values(), ids=BAD)
def test_bad_packet(decoder, payload):
    with pytest.raises(InputError, match=r".+: .+"):
        decoder.decode(payload)


def test_pad_touch_nan_is_refused(decoder):
    decoder.decode(arrival())
    with pytest.raises(InputError, match="controller touch x"):
        decoder.decode(pad_touch(x=NAN))


def test_high_byte_of_key_codes_is_masked(decoder):
    assert decoder.decode(key(0x80A0)) == decoder.decode(key(0x00A0)) == (KeyChanged(42, True),)


def test_key_modifiers_are_passed_on(decoder):
    assert decoder.decode(key(0x8041, modifiers=0xF5)) == (KeyChanged(30, True, 5),)


def test_key_that_no_keyboard_has_means_nothing(decoder):
    assert decoder.decode(key(0x80FF)) == ()


@pytest.mark.parametrize(("x", "y", "expected"), [(-5, 200, (0.0, 1.0)), (0, 100, (0.0, 1.0)), (50, 25, (0.5, 0.25))])
def test_absolute_positions_stay_in_the_picture(decoder, x, y, expected):
    assert decoder.decode(absolute(x, y, 100, 100)) == (PointerPlaced(*expected),)


def test_touch_is_clamped(decoder):
    (event,) = decoder.decode(touch(rotation=500, x=-1.0, y=7.0, pressure=1e30))
    assert event == Touched(ContactPhase.DOWN, 1, 0.0, 1.0, 1.0, rotation=360)


def test_cancelled_touch_needs_no_position(decoder):
    assert decoder.decode(touch(event=4, x=NAN)) == (Touched(ContactPhase.CANCEL, 1),)


def test_pen_unknowns(decoder):
    (event,) = decoder.decode(pen(event=5, tool=9, buttons=0xFF, rotation=0xFFFF, tilt=0xFF))
    assert event == PenMoved(ContactPhase.BUTTONS, PenTool.UNKNOWN, 0.5, 0.5, pressure=0.5, buttons=7)


def test_pen_tilt_is_clamped(decoder):
    assert decoder.decode(pen(tilt=200))[0].tilt == 90


class TestControllers:
    """Which controllers are there, and what their packets mean when they are not."""

    def test_arrival_then_state(self, decoder):
        assert decoder.decode(arrival(3)) == (PadArrived(3, PadKind.XBOX_360, 3, 0xFFFF),)
        assert decoder.decode(state(3, mask=0b1000, buttons=0x1000)) == (PadState(3, 0x1000),)

    def test_state_without_arrival_plugs_in(self, decoder):
        arrived, first = decoder.decode(state(0, mask=1))
        assert arrived == PadArrived(0, PadKind.AUTO, 0x03, 0xF7FF)
        assert first == PadState(0, 0)

    def test_second_arrival_keeps_the_first(self, decoder):
        decoder.decode(arrival(0, kind=1))
        assert decoder.decode(arrival(0, kind=2)) == ()
        assert decoder.arrival(0).kind is PadKind.XBOX_360

    def test_mask_without_the_own_number_unplugs_only_that_one(self, decoder):
        decoder.decode(arrival(0))
        decoder.decode(arrival(1))
        assert decoder.decode(state(1, mask=0)) == (PadRemoved(1),)
        assert decoder.decode(state(1, mask=0)) == ()
        assert decoder.arrival(0) is not None
        assert decoder.arrival(1) is None

    def test_unplugged_controller_may_come_back_as_another(self, decoder):
        decoder.decode(arrival(0, kind=1))
        decoder.decode(state(0, mask=0))
        assert decoder.decode(arrival(0, kind=3)) == (PadArrived(0, PadKind.SWITCH_PRO, 3, 0xFFFF),)

    @pytest.mark.parametrize("payload", [pad_touch(), motion(), battery(), pad_touch(pad=200), motion(pad=255)])
    def test_packets_of_absent_controllers_mean_nothing(self, decoder, payload):
        assert decoder.decode(payload) == ()

    def test_no_more_than_sixteen(self, decoder):
        for pad in range(256):
            try:
                decoder.decode(arrival(pad))
            except InputError:
                assert pad >= 16
        assert sum(decoder.arrival(pad) is not None for pad in range(256)) == 16

    def test_all_button_bits(self, decoder):
        decoder.decode(arrival())
        assert decoder.decode(state(buttons=0xF7FF, high=0x3F)) == (PadState(0, 0x3FF7FF),)

    def test_motion_is_clamped(self, decoder):
        decoder.decode(arrival())
        assert decoder.decode(motion(x=1e30, y=-1e30)) == (PadMotion(0, gyro=(4000.0, -4000.0, 0.0)),)
        assert decoder.decode(motion(sensor=1, z=1e30)) == (PadMotion(0, acceleration=(0.0, 0.0, 320.0)),)

    def test_battery_percentage(self, decoder):
        decoder.decode(arrival())
        assert decoder.decode(battery(percent=255)) == (PadBattery(0, 2, None),)
        assert decoder.decode(battery(percent=200)) == (PadBattery(0, 2, 100),)

    def test_cancelled_pad_touch_needs_no_position(self, decoder):
        decoder.decode(arrival())
        assert decoder.decode(pad_touch(event=7, x=NAN)) == (PadTouched(0, 0, ContactPhase.CANCEL_ALL, 1),)


@pytest.mark.parametrize(
    ("kind", "capabilities", "buttons", "expected"),
    [
        (0, 0x1FF, 0xFFFFFFFF, PadKind.AUTO),
        (1, 0x03, 0xFFFF, PadKind.XBOX_360),
        (1, 0x07, 0xFFFF, PadKind.XBOX_ONE),
        (1, 0x07, 0x0FFFFF, PadKind.XBOX_ELITE),
        (2, 0xBB, 0x10FFFF, PadKind.DUALSENSE),
        (2, 0xBB, 0x1FFFFF, PadKind.DUALSENSE_EDGE),
        (2, 0x03, 0xFFFF, PadKind.DUALSHOCK_4),
        (3, 0x32, 0xFFFF, PadKind.SWITCH_PRO),
        (4, 0x139, 0xFFFF, PadKind.STEAM_DECK),
        (5, 0, 0, PadKind.AUTO),
    ],
)
def test_pad_kinds(kind, capabilities, buttons, expected):
    assert pad_kind(kind, capabilities, buttons) is expected
