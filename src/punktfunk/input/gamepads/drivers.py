"""Which HID pads this kernel has no driver for, as its own lists of modules say before a pad is made."""

from __future__ import annotations

import os
import re
from pathlib import Path

from punktfunk.input.events import PadKind

MAX_LIST_BYTES = 16 << 20
"""Debian's longest is 1.5 MB."""

_IDS = {
    PadKind.DUALSHOCK_4: (0x054C, 0x09CC),
    PadKind.DUALSENSE: (0x054C, 0x0CE6),
    PadKind.DUALSENSE_EDGE: (0x054C, 0x0DF2),
    PadKind.SWITCH_PRO: (0x057E, 0x2009),
    PadKind.STEAM_CONTROLLER: (0x28DE, 0x1102),
    PadKind.STEAM_DECK: (0x28DE, 0x1205),
}
_LISTS = ("modules.alias", "modules.builtin.modinfo")
"""Modules that can be loaded, and those that are part of the kernel."""


def kinds_without_driver(folder: Path | None = None) -> frozenset[PadKind]:
    """The kinds that no driver claims; none where the lists cannot be read, since then nothing is known.

    ``folder`` is where the running kernel's modules are.
    """
    folder = folder or Path("/lib/modules", os.uname().release)
    text = b""
    try:
        for name in _LISTS:
            with (folder / name).open("rb") as file:
                text += file.read(MAX_LIST_BYTES)
    except OSError:
        return frozenset()
    return frozenset(kind for kind, ids in _IDS.items() if not _claimed(text, *ids))


def _claimed(text: bytes, vendor: int, product: int) -> bool:
    return re.search(rb"hid:b(?:0003|\*)g[^v]*v%08Xp%08X\b" % (vendor, product), text) is not None
