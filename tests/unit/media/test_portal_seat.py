from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from punktfunk.input.events import KeyChanged, Scrolled, TextTyped
from punktfunk.input.injector import open_injector
from punktfunk.media.displays.pixelflux_seat import PixelfluxSeat
from punktfunk.media.displays.portal_seat import SETTLE_S, PortalSeat
from punktfunk.media.portal.back import BackError

NUM_LOCK = 69


class Capture:
    """The library, writing down what it is to inject."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []

    def set_keymap_overlay(self, overlay: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("inject_"):
            raise AttributeError(name)
        return lambda *values: self.done.append((name.removeprefix("inject_"), *values))


class Typist:
    """A desktop's typing, with keys for ASCII."""

    def __init__(self) -> None:
        self.typed = ""
        self.broken = False

    def tap(self, keysym: int) -> None:
        if self.broken:
            raise BackError("gone")
        self.typed += chr(keysym) if keysym < 256 else "?"

    def close(self) -> None: ...


@pytest.fixture
def capture() -> Capture:
    return Capture()


@pytest.fixture
def typist() -> Typist:
    return Typist()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def seat(capture: Capture, typist: Typist, slept: list[float]) -> PortalSeat:
    return PortalSeat(PixelfluxSeat(capture), typist, clock=lambda: 7.0 + sum(slept), sleep=slept.append)


@pytest.fixture
def injector(seat: PortalSeat) -> Any:
    return open_injector(SimpleNamespace(seat=seat))


def test_locks_of_a_shared_desktop_are_left_alone(injector: Any, capture: Capture) -> None:
    injector.inject(KeyChanged(30, True))
    assert capture.done == [("key", 38, 1)]
    assert open_injector(SimpleNamespace(seat=PixelfluxSeat(capture)))
    assert ("key", NUM_LOCK + 8, 1) in capture.done


def test_text_is_typed_by_the_desktop(injector: Any, capture: Capture, typist: Typist) -> None:
    injector.inject(TextTyped("Grüße\x00!"))
    assert typist.typed == "Grüße!"
    assert capture.done == []


def test_text_waits_for_the_key_before_it(injector: Any, slept: list[float]) -> None:
    injector.inject(TextTyped("a"))
    assert slept == []
    injector.inject(KeyChanged(30, True))
    injector.inject(TextTyped("b"))
    assert slept == [pytest.approx(SETTLE_S)]
    injector.inject(TextTyped("c"))
    assert len(slept) == 1


def test_where_keys_go_by_calls_text_goes_with_them(
    injector: Any, seat: PortalSeat, capture: Capture, typist: Typist
) -> None:
    seat.emulated = False
    injector.inject(TextTyped("ab"))
    assert typist.typed == ""
    ((kind, (first, second, third, fourth)),) = [done for done in capture.done if done[0] == "keys"]
    assert kind == "keys"
    assert [state for _, state in (first, second, third, fourth)] == [1, 0, 1, 0]


def test_a_desktop_that_types_no_more_is_no_end(injector: Any, capture: Capture, typist: Typist) -> None:
    typist.broken = True
    injector.inject(TextTyped("abc"))
    injector.inject(KeyChanged(30, True))
    assert capture.done == [("key", 38, 1)]


@pytest.mark.parametrize(
    ("event", "done"),
    [
        (Scrolled(0, -120), ("mouse_scroll", 0.0, 10.0)),
        (Scrolled(0, -60), ("finger_scroll", 0.0, 5.0)),
        (Scrolled(30, 0), ("finger_scroll", 2.5, 0.0)),
        (Scrolled(-240, 0), ("mouse_scroll", -20.0, 0.0)),
    ],
)
def test_parts_of_a_notch_are_not_rounded_up(
    injector: Any, capture: Capture, event: Scrolled, done: tuple[Any, ...]
) -> None:
    injector.inject(event)
    assert capture.done == [done]
