"""The session's keyboard: modifiers that got stuck, locks, letters by meaning, text that stays as it is."""

from __future__ import annotations

import pytest

from punktfunk.input.events import KeyChanged
from punktfunk.input.keyboard import CAPS_LOCK, NUM_LOCK, Keyboard, LayoutFacts
from punktfunk.input.xkb import KeyboardLayout, LayoutError

SHIFT, CTRL, ALT, ALTGR, META = 42, 29, 56, 100, 125
KEY_A, KEY_Y, KEY_Z = 30, 21, 44
SHIFT_BIT, CTRL_BIT, ALT_BIT, META_BIT = 1, 2, 4, 8


class Paper:
    """Writes down what is typed: codes, negative for releases, and text."""

    def __init__(self) -> None:
        self.seen: list[int | str] = []

    def key(self, code: int, pressed: bool) -> None:
        self.seen.append(code if pressed else -code)

    def text(self, text: str) -> None:
        self.seen.append(text)

    def take(self) -> list[int | str]:
        seen, self.seen = self.seen, []
        return seen


@pytest.fixture
def paper() -> Paper:
    return Paper()


def down(code: int, modifiers: int = 0) -> KeyChanged:
    return KeyChanged(code, True, modifiers)


def up(code: int, modifiers: int = 0) -> KeyChanged:
    return KeyChanged(code, False, modifiers)


@pytest.mark.parametrize(("key", "bit"), [(SHIFT, 1), (54, 1), (CTRL, 2), (97, 2), (ALT, 4), (META, 8), (126, 8)])
def test_a_modifier_whose_release_got_lost_is_released_before_the_next_key(paper: Paper, key: int, bit: int) -> None:
    keyboard = Keyboard(paper)
    keyboard.change(down(key, bit))
    paper.take()
    keyboard.change(down(KEY_A, 0))
    assert paper.take() == [-key, KEY_A]
    keyboard.change(up(key))
    assert paper.take() == []


def test_a_held_modifier_stays_as_long_as_the_client_says_so(paper: Paper) -> None:
    keyboard = Keyboard(paper)
    for event in (down(CTRL, CTRL_BIT), down(KEY_A, CTRL_BIT), up(KEY_A, CTRL_BIT), down(KEY_Z, CTRL_BIT)):
        keyboard.change(event)
    assert paper.take() == [CTRL, KEY_A, -KEY_A, KEY_Z]


def test_a_client_that_never_sets_bits_is_left_alone(paper: Paper) -> None:
    keyboard = Keyboard(paper)
    for event in (down(CTRL), down(KEY_A), up(KEY_A), down(KEY_Z)):
        keyboard.change(event)
    assert paper.take() == [CTRL, KEY_A, -KEY_A, KEY_Z]


def test_altgr_is_not_taken_for_a_stuck_alt(paper: Paper) -> None:
    """Clients set the bit for Alt and not for AltGr, which is an Alt key too."""
    keyboard = Keyboard(paper)
    for event in (down(ALT, ALT_BIT), up(ALT), down(ALTGR), down(KEY_A)):
        keyboard.change(event)
    assert paper.take() == [ALT, -ALT, ALTGR, KEY_A]


def test_bits_that_another_key_explains_prove_nothing(paper: Paper) -> None:
    keyboard = Keyboard(paper)
    for event in (down(ALTGR), down(ALT, ALT_BIT), up(ALT), down(KEY_A)):
        keyboard.change(event)
    assert -ALTGR not in paper.take()


def test_num_lock_goes_on_once(paper: Paper) -> None:
    Keyboard(paper).switch_num_lock_on()
    assert paper.take() == [NUM_LOCK, -NUM_LOCK]
    Keyboard(paper, LayoutFacts(has_num_lock=False)).switch_num_lock_on()
    assert paper.take() == []


def test_text_is_typed_without_modifiers_and_without_caps_lock(paper: Paper) -> None:
    keyboard = Keyboard(paper)
    for event in (down(CAPS_LOCK), up(CAPS_LOCK), down(CTRL), down(SHIFT), down(KEY_A)):
        keyboard.change(event)
    paper.take()
    keyboard.type("é")
    tap = [CAPS_LOCK, -CAPS_LOCK]
    assert paper.take() == [-CTRL, -SHIFT, *tap, "é", *tap, CTRL, SHIFT]
    keyboard.change(down(CAPS_LOCK))
    paper.take()
    keyboard.type("é")
    assert paper.take() == [-CTRL, -SHIFT, "é", CTRL, SHIFT]


def test_a_caps_lock_key_that_is_still_down_is_down_again_after_text(paper: Paper) -> None:
    keyboard = Keyboard(paper)
    keyboard.change(down(CAPS_LOCK))
    paper.take()
    keyboard.type("x")
    seen = paper.take()
    assert seen == [*[-CAPS_LOCK, CAPS_LOCK] * 2, "x", *[-CAPS_LOCK, CAPS_LOCK] * 2]


def test_a_caps_lock_key_that_is_something_else_is_not_tapped(paper: Paper) -> None:
    keyboard = Keyboard(paper, LayoutFacts.of(KeyboardLayout("us", options="caps:escape")))
    for event in (down(CAPS_LOCK), up(CAPS_LOCK)):
        keyboard.change(event)
    paper.take()
    keyboard.type("x")
    assert paper.take() == ["x"]


def test_letters_by_meaning_and_by_position(paper: Paper) -> None:
    keyboard = Keyboard(paper, LayoutFacts.of(KeyboardLayout("de")))
    keyboard.change(KeyChanged(KEY_Z, True, by_meaning=True))
    keyboard.change(KeyChanged(KEY_Z, False, by_meaning=True))
    keyboard.change(down(KEY_Z))
    assert paper.take() == [KEY_Y, -KEY_Y, KEY_Z]


def test_everything_is_released_in_the_order_of_pressing(paper: Paper) -> None:
    keyboard = Keyboard(paper)
    for code in (KEY_Z, CTRL, KEY_A):
        keyboard.change(down(code))
    paper.take()
    keyboard.release_all()
    keyboard.release_all()
    assert paper.take() == [-KEY_Z, -CTRL, -KEY_A]


@pytest.mark.parametrize(
    ("text", "expected", "said"),
    [
        ("de", KeyboardLayout("de"), "de"),
        ("us(intl)", KeyboardLayout("us", "intl"), "us(intl)"),
        ("us,ru(phonetic)", KeyboardLayout("us,ru", ",phonetic"), "us,ru(phonetic)"),
        ("us,de(nodeadkeys),fr", KeyboardLayout("us,de,fr", ",nodeadkeys,"), "us,de(nodeadkeys),fr"),
    ],
)
def test_layouts_are_written_as_xkb_writes_them(text: str, expected: KeyboardLayout, said: str) -> None:
    assert KeyboardLayout.parse(text) == expected
    assert str(expected) == said


@pytest.mark.parametrize("text", ["", "DE", "de(", "de()", "us,,de", "a,b", "us,de,fr,it,es", "de\n", 'de"; exec x'])
def test_misspelt_layouts_are_refused(text: str) -> None:
    with pytest.raises(LayoutError):
        KeyboardLayout.parse(text)


@pytest.mark.parametrize("options", ["grp", "a:b;c", "a:b\nexec", ":x"])
def test_misspelt_options_are_refused(options: str) -> None:
    with pytest.raises(LayoutError):
        KeyboardLayout.parse("us", options)


def test_a_layout_that_this_machine_does_not_have() -> None:
    with pytest.raises(LayoutError, match="no keyboard layout zz"):
        LayoutFacts.of(KeyboardLayout("zz"))
