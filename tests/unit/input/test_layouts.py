"""Twelve keyboard layouts with AltGr and dead keys: what a client's key makes on the host, by libxkbcommon."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.keyboard_table import LAYOUTS, ROWS, evdev, line
from tests.xkb import ALTGR, SHIFT, Typist

from punktfunk.gamestream.input_packets import InputDecoder as GameStreamDecoder
from punktfunk.input.events import KeyChanged
from punktfunk.input.keyboard import Keyboard, LayoutFacts
from punktfunk.input.xkb import KeyboardLayout
from punktfunk.native.access import Access
from punktfunk.native.input_decoder import InputDecoder as NativeDecoder
from punktfunk.wire.punktfunk1.input_event import InputEvent, InputKind

DOCUMENTED = Path(__file__).parents[3] / "docs" / "input.md"
S, G = (SHIFT,), (ALTGR,)
OEM_1, OEM_PLUS, OEM_MINUS, OEM_3, OEM_4, OEM_5, OEM_6, OEM_7, OEM_102 = (
    *(0xBA, 0xBB, 0xBD, 0xC0, 0xDB, 0xDC, 0xDD, 0xDE, 0xE2),
)
# What is printed on the keys of these keyboards: layout, keys pressed one after the other, text.
Stroke = int | tuple[int, tuple[int, ...]]
PRINTED: list[tuple[str, list[Stroke], str]] = [
    ("us", [ord("Q"), (ord("2"), S), OEM_7, (OEM_5, S)], "q@'|"),
    ("us(intl)", [OEM_7, ord("E"), (ord("6"), S), ord("O"), (OEM_3, S), ord("N"), (OEM_7, S), ord("U")], "éôñü"),
    ("us(intl)", [(ord("5"), G), (ord("S"), G), (ord("Q"), G), OEM_7, 0x20], "€ßä'"),
    ("gb", [(ord("2"), S), (ord("3"), S), OEM_5, (OEM_7, S), OEM_102, (ord("4"), G)], '"£#@\\€'),
    (
        "de",
        [ord("Y"), ord("Z"), OEM_4, OEM_1, OEM_7, OEM_MINUS, (ord("Q"), G), (ord("E"), G), (ord("7"), G)],
        "zyüöäß@€{",
    ),
    ("de", [OEM_3, ord("A"), OEM_PLUS, ord("E"), (OEM_PLUS, S), ord("O"), OEM_3, 0x20, (OEM_102, G)], "âéò^|"),
    ("ch", [ord("Y"), OEM_4, (OEM_4, S), OEM_6, ord("E"), OEM_PLUS, ord("I"), (ord("2"), G), (ord("3"), G)], "züèëî@#"),
    (
        "fr",
        [ord("Q"), ord("W"), ord("A"), ord("Z"), ord("M"), OEM_1, ord("1"), (ord("1"), S), (ord("0"), G)],
        "azqw,m&1@",
    ),
    ("fr", [ord("2"), ord("7"), ord("9"), ord("0"), OEM_4, ord("E"), (OEM_4, S), ord("I"), (ord("E"), G)], "éèçàêï€"),
    ("es", [OEM_1, (ord("1"), G), (ord("2"), G), OEM_7, ord("A"), (OEM_7, S), ord("U"), (OEM_PLUS, S)], "ñ|@áü¿"),
    ("br", [OEM_1, OEM_4, ord("A"), OEM_7, ord("O"), (OEM_7, S), ord("E"), (ord("Q"), G), OEM_3], "çáõê/'"),
    ("se", [OEM_4, OEM_1, OEM_7, (ord("2"), G), (ord("7"), G), OEM_6, ord("E"), OEM_PLUS, ord("E")], "åöä@{ëé"),
    ("pl", [(ord(k), G) for k in "ACELNOSXZ"], "ąćęłńóśźż"),
    ("tr", [ord("I"), OEM_7, (OEM_7, S), OEM_1, OEM_4, OEM_6, (ord("Q"), G), (ord("I"), S)], "ıiİşğü@I"),
    ("ru", [ord(k) for k in "GHBDTN"] + [OEM_3, (OEM_7, S)], "приветёЭ"),
]


@pytest.mark.parametrize(
    ("layout", "strokes", "text"), PRINTED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_keys_make_what_is_printed_on_them(layout: str, strokes: list[Stroke], text: str) -> None:
    typist = Typist(KeyboardLayout.parse(layout))
    pressed = [(stroke, ()) if isinstance(stroke, int) else stroke for stroke in strokes]
    assert "".join(typist.tap(evdev(key), held) for key, held in pressed) == text


def test_every_layout_is_among_them() -> None:
    assert {layout for layout, _, _ in PRINTED} == set(LAYOUTS)


@pytest.mark.parametrize("key", [key for row in ROWS for key in row], ids=hex)
def test_both_wires_mean_the_same_position(key: int) -> None:
    packet = b"\0\0\0\x0a\x03\0\0\0\0" + (0x8000 | key).to_bytes(2, "little") + b"\0\0\0"
    moonlight = GameStreamDecoder().decode(packet)
    native = NativeDecoder(Access()).event(InputEvent(InputKind.KEY_DOWN, key))
    assert [*moonlight] == native == [KeyChanged(evdev(key), True)]


class TypedOn:
    """A seat that is a typist."""

    def __init__(self, names: KeyboardLayout) -> None:
        self._typist, self.typed = Typist(names), ""

    def key(self, code: int, pressed: bool) -> None:
        self.typed += self._typist.key(code, pressed)

    def text(self, text: str) -> None:
        self.typed += text


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_letter_by_meaning_is_that_letter_wherever_it_lies(layout: str) -> None:
    """Flag 1 of GameStream's key packet, from on-screen keyboards."""
    names = KeyboardLayout.parse(layout)
    seat = TypedOn(names)
    keyboard = Keyboard(seat, LayoutFacts.of(names))
    decoder = GameStreamDecoder()
    for letter in range(0x41, 0x5B):
        for kind in (3, 4):
            packet = b"\0\0\0\x0a" + kind.to_bytes(4, "little") + b"\x01" + (0x8000 | letter).to_bytes(2, "little")
            for event in decoder.decode(packet + b"\0\0\0"):
                assert isinstance(event, KeyChanged)
                keyboard.change(event)
    by_position = "фисвуапршолдьтщзйкыегмцчня"
    assert seat.typed == (by_position if layout == "ru" else "abcdefghijklmnopqrstuvwxyz")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_documented_table_is_what_the_layouts_give(layout: str) -> None:
    """Not the AltGr lines: what lies there changes with the version of xkb-data."""
    documented = DOCUMENTED.read_text().splitlines()
    for level in ("alone", "Shift"):
        assert line(layout, level) in documented, "python -m tests.keyboard_table prints the new table"
