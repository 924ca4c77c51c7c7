"""Twelve layouts typed in the real embedded desktop: what arrives in a terminal is what libxkbcommon alone says.

One desktop for all; the layout of its keyboard is changed as the session's setting does it at the start.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytest.importorskip("pixelflux")

from tests.e2e.desktop_tools import file_appears, read
from tests.e2e.embedded_tools import Embedded, embedded, needs_sway
from tests.keyboard_table import DEAD, LAYOUTS, LEVELS, SPACE, evdev, made, strokes
from tests.xkb import CAPS

from punktfunk.input.events import KeyChanged, TextTyped
from punktfunk.input.keyboard import NUM_LOCK
from punktfunk.input.xkb import KeyboardLayout
from punktfunk.media.plan import Mode, VideoPlan

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.e2e, needs_sway]

MODE = Mode(640, 480, 30_000)
PATIENCE_S = 10.0
REPEAT_DELAY_S, REPEATS_PER_S = 0.6, 25
MARK = "\t"
TAB, CTRL, KEY_A, KEYPAD_7 = 15, 29, 30, 71


class Terminal:
    """A terminal that notes every character, and the keyboard that types into it."""

    def __init__(self, desktop: Embedded) -> None:
        self._file = desktop.folder / "typed"
        self.source = desktop.source
        self.injector = desktop.injector
        self._seen = 0

    def layout(self, names: KeyboardLayout) -> None:
        assert self.source._capture.set_xkb_layout(names.layout, names.variant, names.options)

    def tap(self, code: int, held: tuple[int, ...] = ()) -> None:
        for key in (*held, code):
            self.injector.inject(KeyChanged(key, True))
        for key in (code, *reversed(held)):
            self.injector.inject(KeyChanged(key, False))

    async def typed(self) -> str:
        """What has come since the last call, up to a mark that is typed now."""
        self.tap(TAB)
        deadline = time.monotonic() + PATIENCE_S
        while not (text := read(self._file)[self._seen :]).endswith(MARK):
            assert time.monotonic() < deadline, f"only {text!r}"
            await asyncio.sleep(0.05)
        self._seen += len(text)
        return text[:-1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def terminal() -> AsyncIterator[Terminal]:
    command = "foot sh -c 'stty raw -echo; echo > {folder}/ready; exec cat > {folder}/typed'"
    with pytest.MonkeyPatch.context() as patch:
        async with embedded(command, MODE, patch) as desktop:
            await file_appears(desktop.folder / "ready", PATIENCE_S)
            await asyncio.sleep(0.5)
            yield Terminal(desktop)


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_every_key_on_every_level(terminal: Terminal, layout: str) -> None:
    names = KeyboardLayout.parse(layout)
    terminal.layout(names)
    for held in LEVELS.values():
        keys = [key for key, level in strokes() if level == held]
        expected = ""
        for key in keys:
            text, dead = made(names, key, held)
            terminal.tap(evdev(key), held)
            if dead:
                terminal.tap(evdev(SPACE))
            expected += text if text.isprintable() else ""
        typed = await terminal.typed()
        assert "".join(c for c in typed if c.isprintable()) == expected, (layout, held, DEAD)


@pytest.mark.parametrize("layout", ["us", "de", "fr"])
async def test_text_is_the_same_under_every_layout(terminal: Terminal, layout: str) -> None:
    terminal.layout(KeyboardLayout(layout))
    text = "zyZY@äß漢🎮"
    terminal.injector.inject(TextTyped(text))
    terminal.tap(KEY_A)
    assert await terminal.typed() == text + ("q" if layout == "fr" else "a")


async def test_caps_lock_holds_for_keys_and_not_for_text_and_survives_a_mode_change(terminal: Terminal) -> None:
    terminal.layout(KeyboardLayout("us"))
    terminal.tap(CAPS)
    terminal.tap(KEY_A)
    terminal.injector.inject(TextTyped("aé"))
    terminal.tap(KEY_A)
    assert await terminal.typed() == "AaéA"
    await asyncio.to_thread(terminal.source.reconfigure, VideoPlan(Mode(800, 600, 30_000), bitrate_kbps=3000))
    terminal.tap(KEY_A)
    terminal.tap(CAPS)
    terminal.tap(KEY_A)
    assert await terminal.typed() == "Aa"


async def test_the_keypad_makes_digits_until_num_lock_is_pressed(terminal: Terminal) -> None:
    terminal.layout(KeyboardLayout("us"))
    terminal.tap(KEYPAD_7)
    terminal.tap(NUM_LOCK)
    terminal.tap(KEYPAD_7)
    terminal.tap(NUM_LOCK)
    terminal.tap(KEYPAD_7)
    typed = await terminal.typed()
    assert (typed[0], typed[-1]) == ("7", "7")
    assert "\x1b" in typed


async def test_text_while_ctrl_is_held_is_text_and_ctrl_is_held_on(terminal: Terminal) -> None:
    terminal.injector.inject(KeyChanged(CTRL, True))
    terminal.injector.inject(TextTyped("aé"))
    terminal.tap(KEY_A)
    terminal.injector.inject(KeyChanged(CTRL, False))
    assert await terminal.typed() == "aé\x01"


async def test_a_held_key_repeats_and_stops(terminal: Terminal) -> None:
    terminal.injector.inject(KeyChanged(KEY_A, True))
    pressed_at = time.monotonic()
    # The client's own repeats must not add to the desktop's.
    for _ in range(20):
        await asyncio.sleep(0.06)
        terminal.injector.inject(KeyChanged(KEY_A, True))
    terminal.injector.inject(KeyChanged(KEY_A, False))
    repeating_s = time.monotonic() - pressed_at - REPEAT_DELAY_S
    while_held = await terminal.typed()
    assert set(while_held) == {"a"}
    assert len(while_held) > 3
    # A busy machine types late, never more.
    assert len(while_held) <= 2 + repeating_s * REPEATS_PER_S * 1.1
    await asyncio.sleep(0.5)
    assert await terminal.typed() == ""


async def test_two_layouts_are_switched_by_the_option(terminal: Terminal) -> None:
    terminal.layout(KeyboardLayout.parse("us,ru", "grp:alt_shift_toggle"))
    for _ in range(2):
        terminal.tap(KEY_A)
        terminal.tap(42, (56,))
    terminal.tap(KEY_A)
    typed = await terminal.typed()
    assert [c for c in typed if c in "aф"] == ["a", "ф", "a"]
