"""Report descriptors read back the way the kernel reads them: reports, their directions and their sizes."""

from __future__ import annotations

from collections import defaultdict

import pytest

from punktfunk.input.gamepads import hid_descriptor as hid
from punktfunk.input.gamepads.dualsense import DualSense
from punktfunk.input.gamepads.dualshock4 import DualShock4
from punktfunk.input.gamepads.steam_controller import SteamController
from punktfunk.input.gamepads.steam_deck import SteamDeck
from punktfunk.input.gamepads.switch_pro import SwitchPro

INPUT, OUTPUT, FEATURE = 0x80, 0x90, 0xB0


def sizes(descriptor: bytes) -> dict[tuple[int, int], int]:
    """Bytes of each report, by direction and id, without the id."""
    bits: dict[tuple[int, int], int] = defaultdict(int)
    position = size = count = report = depth = 0
    while position < len(descriptor):
        tag, length = descriptor[position] & 0xFC, (0, 1, 2, 4)[descriptor[position] & 3]
        value = int.from_bytes(descriptor[position + 1 : position + 1 + length], "little")
        position += 1 + length
        if tag == 0x74:
            size = value
        elif tag == 0x94:
            count = value
        elif tag == 0x84:
            report = value
        elif tag in (INPUT, OUTPUT, FEATURE):
            bits[tag, report] += size * count
        elif tag in (0xA0, 0xC0):
            depth += 1 if tag == 0xA0 else -1
    assert depth == 0
    assert all(total % 8 == 0 for total in bits.values())
    return {key: total // 8 for key, total in bits.items()}


def test_dualsense() -> None:
    reports = sizes(DualSense(0, "a").identity.descriptor)
    assert reports[INPUT, 1] == 63
    assert reports[OUTPUT, 2] == 47
    assert (reports[FEATURE, 5], reports[FEATURE, 9], reports[FEATURE, 0x20]) == (40, 19, 63)


def test_dualsense_edge() -> None:
    reports = sizes(DualSense(0, "a", edge=True).identity.descriptor)
    assert (reports[INPUT, 1], reports[OUTPUT, 2], reports[FEATURE, 0x70]) == (63, 63, 63)


def test_dualshock_4() -> None:
    reports = sizes(DualShock4(0, "a").identity.descriptor)
    assert (reports[INPUT, 1], reports[OUTPUT, 5]) == (63, 31)
    assert (reports[FEATURE, 2], reports[FEATURE, 0x12], reports[FEATURE, 0xA3]) == (36, 15, 48)


def test_switch_pro() -> None:
    reports = sizes(SwitchPro(0, "a").identity.descriptor)
    assert {reports[INPUT, number] for number in (0x30, 0x21, 0x81)} == {63}
    assert {reports[OUTPUT, number] for number in (0x01, 0x10, 0x80, 0x82)} == {63}


@pytest.mark.parametrize("pad", [SteamController(0, "a"), SteamDeck(0, "a")])
def test_steam_pads_have_reports_without_ids(pad: SteamController | SteamDeck) -> None:
    reports = sizes(pad.identity.descriptor)
    assert reports[INPUT, 0] == 64
    assert reports[FEATURE, 0] == 64


def test_items() -> None:
    assert hid.usage_page(0x01) == b"\x05\x01"
    assert hid.usage_page(0xFF00) == b"\x06\x00\xff"
    assert hid.logical(0, 255) == b"\x15\x00\x26\xff\x00"
    assert hid.logical(0, 65535) == b"\x15\x00\x27\xff\xff\x00\x00"
    assert hid.collection(b"") == b"\xa1\x01\xc0"
