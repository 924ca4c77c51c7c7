"""What a kernel's module lists say about pads."""

from __future__ import annotations

from pathlib import Path

from punktfunk.input.events import PadKind
from punktfunk.input.gamepads.drivers import kinds_without_driver

ALIASES = """\
# Aliases extracted from modules themselves.
alias hid:b0003g*v0000054Cp00000CE6 hid_playstation
alias hid:b0005g*v0000054Cp00000DF2 hid_playstation
alias hid:b0003g*v0000054Cp000009CC hid_sony
alias hid:b0003g*v0000057Ep00002009 hid_nintendo
alias usb:v28DEp1205d*dc*dsc*dp*ic*isc*ip*in* xpad
"""
BUILT_IN = b"hid_steam.alias=hid:b0003g*v000028DEp00001102\0hid_steam.license=GPL\0"


def test_what_no_driver_claims_is_told(tmp_path: Path) -> None:
    (tmp_path / "modules.alias").write_text(ALIASES)
    (tmp_path / "modules.builtin.modinfo").write_bytes(BUILT_IN)
    # The Edge only by radio, the Deck only as another driver's USB device.
    assert kinds_without_driver(tmp_path) == {PadKind.DUALSENSE_EDGE, PadKind.STEAM_DECK}


def test_without_the_lists_nothing_is_known(tmp_path: Path) -> None:
    assert kinds_without_driver(tmp_path) == frozenset()
    (tmp_path / "modules.alias").write_text("")
    assert kinds_without_driver(tmp_path) == frozenset()
