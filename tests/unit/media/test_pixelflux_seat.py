"""Text through the seat: in steps, and slowly enough for X11 programs."""

from __future__ import annotations

import pytest

from punktfunk.media.displays.overlay_keymap import SETTLE_S, SPARE_KEYCODES
from punktfunk.media.displays.overlay_typist import MAX_WAIT_S
from punktfunk.media.displays.pixelflux_seat import PixelfluxSeat

COUNT = len(SPARE_KEYCODES)


class Capture:
    """Reads text as a program would that looks keycodes up when it gets to them, a step late."""

    def __init__(self) -> None:
        self.bound: dict[int, int] = {}
        self.read = ""
        self._pending: list[int] = []

    def set_keymap_overlay(self, binds: list[tuple[int, int]]) -> None:
        self.bound = dict(binds)

    def inject_keys(self, keys: list[tuple[int, int]]) -> None:
        self._pending += [code for code, state in keys if state]

    def catch_up(self, _seconds: float = 0.0) -> None:
        self.read += "".join(chr(self.bound[code] - 0x0100_0000) for code in self._pending)
        self._pending.clear()


def test_much_text_waits_before_a_keycode_changes_its_meaning() -> None:
    capture, waited = Capture(), list[float]()

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        capture.catch_up()

    seat = PixelfluxSeat(capture, clock=lambda: 100.0, sleep=sleep)
    text = "".join(chr(0x4E00 + i) for i in range(3 * COUNT))
    seat.text(text)
    capture.catch_up()
    assert capture.read == text
    assert [round(seconds, 6) for seconds in waited] == [SETTLE_S, SETTLE_S]


def test_a_flood_of_text_does_not_hold_everything_up() -> None:
    waited = list[float]()
    seat = PixelfluxSeat(Capture(), clock=lambda: 100.0, sleep=waited.append)
    seat.text("".join(chr(0x4E00 + i) for i in range(4096)))
    assert sum(waited) == pytest.approx(MAX_WAIT_S)


def test_a_person_typing_never_waits() -> None:
    now = [100.0]
    seat = PixelfluxSeat(Capture(), clock=lambda: now[0], sleep=lambda _seconds: 1 / 0)
    for i in range(4 * COUNT):
        seat.text(chr(0x4E00 + i))
        now[0] += 0.05
