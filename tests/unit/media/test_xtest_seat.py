"""The seat's requests, against a stand-in for the connection."""

from __future__ import annotations

import struct
from typing import Any, cast

import pytest

from punktfunk.media.displays import xtest_seat
from punktfunk.media.displays.xtest_seat import MAX_NOTCHES, Wheel, XTestSeat
from punktfunk.media.x11.connection import Extension, X11Connection
from punktfunk.media.x11.randr import Region

PRESS, RELEASE, BUTTON_PRESS, BUTTON_RELEASE, MOTION = 2, 3, 4, 5, 6
OPCODE, ROOT = 132, 77
SCREEN = Region(0, 0, 1280, 720, True)
SPARE = (250, 249, 248)


class FakeConnection:
    """Notes what is injected, as (kind, detail, x, y), and what keycodes mean."""

    def __init__(self) -> None:
        self.injected: list[tuple[int, int, int, int]] = []
        self.facts = type("Facts", (), {"root": ROOT})

    def needed(self, name: str) -> Extension:
        return Extension(OPCODE, 0)

    def send(self, *requests: bytes) -> None:
        for data in requests:
            opcode, minor, units = struct.unpack_from("<BBH", data)
            assert (opcode, minor, units, len(data)) == (OPCODE, 2, 9, 36)
            kind, detail, _, root, x, y = struct.unpack_from("<BB2xII8xhh", data, 4)
            assert root == (ROOT if (kind, detail) == (MOTION, 0) else 0)
            self.injected.append((kind, detail, x, y))

    def taps(self) -> list[int]:
        """Keycodes or buttons that were pressed and released at once."""
        pairs = list(zip(self.injected[::2], self.injected[1::2], strict=True))
        for down, up in pairs:
            assert (down[0], up[0], down[1]) in ((PRESS, RELEASE, up[1]), (BUTTON_PRESS, BUTTON_RELEASE, up[1]))
        return [down[1] for down, _ in pairs]


class FakeKeyboard:
    """Stands in for `punktfunk.media.x11.keyboard`."""

    fake_input = staticmethod(xtest_seat.keyboard.fake_input)

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.bound: dict[int, int] = {}
        self.changes = 0

    def release_held(self, _x: object) -> None:
        self.calls.append("released")

    def lock_mask(self, _x: object) -> int:
        return 0x12

    def lock_modifiers(self, _x: object, mask: int, locked: int) -> None:
        self.calls.append(f"locks {mask:#x} {locked:#x}")

    def symbols(self, _x: object, first: int, last: int) -> dict[int, int]:
        return {keycode: self.bound.get(keycode, 0) for keycode in range(first, last + 1)}

    def bind(self, _x: object, symbols: dict[int, int]) -> None:
        self.bound |= symbols
        self.changes += len(symbols)


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> FakeKeyboard:
    fake = FakeKeyboard()
    monkeypatch.setattr(xtest_seat, "keyboard", fake)
    return fake


def seat_on(x: FakeConnection, region: Region = SCREEN, **more: Any) -> XTestSeat:
    return XTestSeat(cast(X11Connection, x), SPARE, region, **more)


def test_it_begins_with_nothing_held_and_no_lock(keyboard: FakeKeyboard) -> None:
    seat_on(FakeConnection())
    assert keyboard.calls == ["released", "locks 0x12 0x0"]


def test_keys_are_eight_above_the_kernels(keyboard: FakeKeyboard) -> None:
    x = FakeConnection()
    seat = seat_on(x)
    seat.key(30, True)
    seat.key(30, False)
    seat.key(1, True)
    assert x.injected == [(PRESS, 38, 0, 0), (RELEASE, 38, 0, 0), (PRESS, 9, 0, 0)]


@pytest.mark.parametrize("code", [250 - 8, 249 - 8, 248, 500, -5])
def test_keys_that_x_does_not_have_or_text_uses_are_dropped(keyboard: FakeKeyboard, code: int) -> None:
    x = FakeConnection()
    seat_on(x).key(code, True)
    assert x.injected == []


def test_the_pointer_is_placed_in_the_streamed_part(keyboard: FakeKeyboard) -> None:
    x = FakeConnection()
    seat = seat_on(x, Region(2560, 100, 1920, 1080, False))
    assert seat.size() == (1920, 1080)
    seat.move_to(10.4, 20.6)
    seat.resized(Region(0, 0, 800, 600, True))
    seat.move_to(799, 599)
    seat.move_by(-3, 70_000)
    assert x.injected == [(MOTION, 0, 2570, 121), (MOTION, 0, 799, 599), (MOTION, 1, -3, 32767)]
    assert seat.size() == (800, 600)


def test_buttons_are_numbered_as_x_does(keyboard: FakeKeyboard) -> None:
    x = FakeConnection()
    seat = seat_on(x)
    for code in (0x110, 0x111, 0x112, 0x113, 0x114, 0x118):
        seat.button(code, True)
    assert [detail for _, detail, _, _ in x.injected] == [1, 3, 2, 8, 9]


def test_a_notch_is_a_click_of_the_wheels_button(keyboard: FakeKeyboard) -> None:
    x = FakeConnection()
    seat = seat_on(x)
    seat.scroll(0, 2)
    seat.scroll(0, -1)
    seat.scroll(1, 0)
    seat.scroll(-1, 0)
    assert x.taps() == [5, 5, 4, 7, 6]


def test_parts_of_a_notch_are_gathered() -> None:
    wheel = Wheel()
    assert [wheel.turn(0.25) for _ in range(9)] == [0, 0, 0, 1, 0, 0, 0, 1, 0]
    assert sum(Wheel().turn(1 / 120) for _ in range(1)) == 0
    fine = Wheel()
    assert sum(fine.turn(1 / 120) for _ in range(120)) == 1


def test_turning_back_begins_anew() -> None:
    wheel = Wheel()
    assert wheel.turn(0.9) == 0
    assert wheel.turn(-0.5) == 0
    assert wheel.turn(-0.5) == -1


def test_a_flood_of_notches_is_cut() -> None:
    assert Wheel().turn(1e6) == MAX_NOTCHES
    assert Wheel().turn(-1e6) == -MAX_NOTCHES


def test_text_is_tapped_on_spare_keycodes(keyboard: FakeKeyboard) -> None:
    x = FakeConnection()
    seat = seat_on(x)
    seat.text("aß∞a")
    assert x.taps() == [250, 249, 248, 250]
    assert keyboard.bound == {250: ord("a"), 249: 0xDF, 248: 0x0100_0000 + ord("∞")}


def test_known_characters_change_nothing(keyboard: FakeKeyboard) -> None:
    seat = seat_on(FakeConnection())
    seat.text("ab")
    seat.text("ba")
    assert keyboard.changes == 2


def test_what_another_session_took_is_taken_back(keyboard: FakeKeyboard) -> None:
    x = FakeConnection()
    seat = seat_on(x)
    seat.text("ab")
    keyboard.bound[250] = ord("x")
    seat.text("a")
    assert x.taps() == [250, 249, 250]
    assert keyboard.bound[250] == ord("a")


def test_a_keycode_keeps_its_character_for_a_while(keyboard: FakeKeyboard) -> None:
    waited: list[float] = []
    seat = seat_on(FakeConnection(), clock=lambda: 10.0, sleep=waited.append)
    seat.text("abc")
    seat.text("a")
    assert waited == []
    seat.text("d")
    assert waited == [pytest.approx(0.2)]


def test_without_spare_keycodes_there_is_no_text(keyboard: FakeKeyboard) -> None:
    x = FakeConnection()
    XTestSeat(cast(X11Connection, x), (), Region(0, 0, 1, 1, True)).text("abc")
    assert x.injected == []
