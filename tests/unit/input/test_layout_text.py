"""Text through the keys of a desktop's own layout: typed under libxkbcommon, it reads as it was sent."""

from __future__ import annotations

import pytest
from tests.keyboard_table import LAYOUTS
from tests.kwin_stand_in import keymap_text
from tests.xkb import Typist

from punktfunk.input.layout_text import LayoutText, LayoutTyping
from punktfunk.input.xkb import KeyboardLayout, Keymap

ASCII = "".join(map(chr, range(0x20, 0x7F)))
LOCAL = {
    "us": "",
    "us(intl)": "éèêëñãßçäöü€×",
    "gb": "£¬",
    "de": "äöüÄÖÜß€éèêàâ°§³",
    "ch": "äöüéèàçñôÉ",
    "fr": "éèàùçêôïÿ€§",
    "es": "ñÑáéíóúü¿¡ºªç",
    "br": "ãõáéâêçà",
    "se": "åäöÅÄÖé",
    "pl": "ąćęłńóśźżŻ",
    "tr": "ğüşıİöçâ",
    "ru": "абвгдеёжзийклмнопрстуфхцчшщъыьэюяАЯЁ№",
}
NO_LATIN = {"ru"}


class Desktop:
    """A keyboard whose keys are typed under a layout, as a program reads them."""

    def __init__(self, layout: str) -> None:
        self.keymap_text = keymap_text(layout).rstrip(b"\0").decode()
        self.typist = Typist(KeyboardLayout.parse(layout))
        self.read = ""
        self.down: list[int] = []
        self.types_all = False

    def key(self, code: int, pressed: bool) -> None:
        (self.down.append if pressed else self.down.remove)(code)
        self.read += self.typist.key(code, pressed)

    def keymap(self) -> str:
        return self.keymap_text

    def character(self, character: str) -> bool:
        self.read += character if self.types_all else ""
        return self.types_all


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_a_layout_has_reads_as_it_was_sent(layout: str) -> None:
    text = LOCAL[layout] + ("0123 !,." if layout in NO_LATIN else ASCII)
    desktop = Desktop(layout)
    LayoutTyping(desktop).text(text)
    assert desktop.read == text
    assert not desktop.down


def test_line_ends_and_tabs_are_their_keys() -> None:
    text = LayoutText(Keymap(KeyboardLayout.parse("us")))
    assert [text.chords(character) for character in "\n\r\t\b"] == [((28,),), ((28,),), ((15,),), ((14,),)]


def test_what_it_does_not_have_is_left_out_and_said_once_without_the_text(caplog: pytest.LogCaptureFixture) -> None:
    desktop = Desktop("us")
    typing = LayoutTyping(desktop)
    typing.text("a日b\u0001😀c")
    typing.text("ж")
    assert desktop.read == "abc"
    assert [record.message for record in caplog.records] == [
        "characters that the desktop's keyboard layout does not have are left out of text (3 of 6)"
    ]


def test_the_layout_is_followed_when_it_changes() -> None:
    desktop, german = Desktop("us"), Desktop("de")
    typing = LayoutTyping(desktop)
    typing.text("y")
    desktop.keymap_text, desktop.typist = german.keymap_text, german.typist
    typing.text("yß")
    assert desktop.read == "yyß"


@pytest.mark.parametrize("keymap", ["", "no keymap", "xkb_keymap {"])
def test_without_a_keymap_nothing_is_typed(keymap: str) -> None:
    desktop = Desktop("us")
    desktop.keymap_text = keymap
    LayoutTyping(desktop).text("abc")
    assert desktop.read == ""


def test_a_desktop_that_types_characters_itself_gets_them_all(caplog: pytest.LogCaptureFixture) -> None:
    desktop = Desktop("us")
    desktop.types_all = True
    LayoutTyping(desktop).text("aß日😀")
    assert desktop.read == "aß日😀"
    assert not caplog.records
