from __future__ import annotations

import pytest

from punktfunk.media.displays.overlay_keymap import SETTLE_S, SPARE_KEYCODES, OverlayKeymap, keysym


@pytest.mark.parametrize(
    ("character", "symbol"),
    [
        ("a", 0x61),
        ("ü", 0xFC),
        ("€", 0x0100_20AC),
        ("漢", 0x0100_6F22),
        ("🙂", 0x0101_F642),
        ("\n", 0xFF0D),
        ("\t", 0xFF09),
        ("\x00", None),
        ("\x85", None),
        ("\ud800", None),
    ],
)
def test_keysyms(character: str, symbol: int | None) -> None:
    assert keysym(character) == symbol


def test_spare_keycodes_are_known_to_x11_and_not_modifiers() -> None:
    assert all(207 < code <= 255 for code in SPARE_KEYCODES)


def test_the_overlay_is_given_only_when_it_changed() -> None:
    keymap = OverlayKeymap((100, 101))
    assert keymap.assign("aba") == ([(100, 0x61), (101, 0x62)], [100, 101, 100])
    assert keymap.assign("b") == (None, [101])


def test_the_least_recently_typed_character_gives_way() -> None:
    keymap = OverlayKeymap((100, 101))
    keymap.assign("aba")
    overlay, keycodes = keymap.assign("c")
    assert keycodes == [101]
    assert overlay == [(100, 0x61), (101, 0x63)]


def test_characters_without_a_keysym_are_skipped() -> None:
    assert OverlayKeymap((100,)).assign("\x00\ud800") == (None, [])


def test_flood_of_characters_stays_within_the_keycodes() -> None:
    keymap = OverlayKeymap()
    for code in range(0x4E00, 0x6E00):
        keymap.assign(chr(code))
    assert len(keymap._bound) == keymap.capacity == len(SPARE_KEYCODES)


def test_a_keycode_is_not_taken_from_a_tap_that_is_under_way() -> None:
    keymap = OverlayKeymap((100, 101, 102))
    keymap.tapped(keymap.assign("ab")[1], 5.0)
    assert keymap.free_at("c") == 0.0, "there is a keycode left"
    keymap.tapped(keymap.assign("c")[1], 6.0)
    assert keymap.free_at("abc") == 0.0, "all of them are bound"
    assert keymap.free_at("d") == 5.0 + SETTLE_S
    assert keymap.free_at("def") == 6.0 + SETTLE_S
