"""What a client's keys give under the layouts that are tested: the table of docs/input.md (``python -m`` prints it)."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from punktfunk.input.keymap import VIRTUAL_KEY_TO_EVDEV
from punktfunk.input.xkb import KeyboardLayout
from tests.xkb import ALTGR, SHIFT, Typist

LAYOUTS = ("us", "us(intl)", "gb", "de", "ch", "fr", "es", "br", "se", "pl", "tr", "ru")
LEVELS: dict[str, tuple[int, ...]] = {"alone": (), "Shift": (SHIFT,), "AltGr": (ALTGR,), "both": (SHIFT, ALTGR)}
SPACE = 0x20
ROWS = (
    (0xC0, *range(0x31, 0x3A), 0x30, 0xBD, 0xBB),
    (*map(ord, "QWERTYUIOP"), 0xDB, 0xDD),
    (*map(ord, "ASDFGHJKL"), 0xBA, 0xDE, 0xDC),
    (0xE2, *map(ord, "ZXCVBNM"), 0xBC, 0xBE, 0xBF),
)
"""The typing keys as they lie on an ISO keyboard, by the virtual-key codes that clients send for them."""
DEAD = "◌"


def evdev(virtual_key: int) -> int:
    """The position that a client's key has on the host."""
    return VIRTUAL_KEY_TO_EVDEV[virtual_key]


def strokes() -> Iterator[tuple[int, tuple[int, ...]]]:
    """Every typing key on every level: virtual key and held positions."""
    for held in LEVELS.values():
        for row in ROWS:
            for key in row:
                yield key, held


def made(names: KeyboardLayout, virtual_key: int, held: tuple[int, ...]) -> tuple[str, bool]:
    """What a key makes, and whether it is a dead key, which shows with a space after it. "" for nothing."""
    typist = _typist(names)
    text = typist.tap(evdev(virtual_key), held)
    if text:
        return text, False
    composed = typist.tap(evdev(SPACE))
    return (composed, True) if composed != " " else ("", False)


@functools.cache
def _typist(names: KeyboardLayout) -> Typist:
    return Typist(names)


def shown(names: KeyboardLayout, virtual_key: int, held: tuple[int, ...]) -> str:
    """A cell of the table."""
    text, dead = made(names, virtual_key, held)
    # Combining marks that a dead key makes alone have no place of their own.
    return f"{DEAD}{text}" if dead or not text.isprintable() else text or "·"


def line(layout: str, level: str) -> str:
    """A line of the documentation's table."""
    names = KeyboardLayout.parse(layout)
    rows = ("".join(shown(names, key, LEVELS[level]) for key in row) for row in ROWS)
    return f"{layout:8} {level:5} {'  '.join(rows)}"


if __name__ == "__main__":
    for layout in LAYOUTS:
        for level in ("alone", "Shift", "AltGr"):
            print(line(layout, level))
