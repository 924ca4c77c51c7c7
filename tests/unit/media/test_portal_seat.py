from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from punktfunk.input.events import KeyChanged, Scrolled, TextTyped
from punktfunk.input.injector import open_injector
from punktfunk.media.displays.pixelflux_seat import PixelfluxSeat
from punktfunk.media.displays.portal_seat import PortalSeat
from punktfunk.media.portal.back import BackError

NUM_LOCK = 69


class Capture:
    """The library, writing down what it is to inject."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []

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
def injector(capture: Capture, typist: Typist) -> Any:
    return open_injector(SimpleNamespace(seat=PortalSeat(PixelfluxSeat(capture), typist)))


def test_locks_of_a_shared_desktop_are_left_alone(injector: Any, capture: Capture) -> None:
    injector.inject(KeyChanged(30, True))
    assert capture.done == [("key", 38, 1)]
    assert open_injector(SimpleNamespace(seat=PixelfluxSeat(capture)))
    assert ("key", NUM_LOCK + 8, 1) in capture.done


def test_text_is_typed_by_the_desktop(injector: Any, capture: Capture, typist: Typist) -> None:
    injector.inject(TextTyped("Grüße\x00!"))
    assert typist.typed == "Grüße!"
    assert capture.done == []


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
