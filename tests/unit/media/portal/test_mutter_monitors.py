"""Arrangements as mutter's GetCurrentState tells them, with a bus that is a list."""

from __future__ import annotations

from typing import Any

import pytest

from punktfunk.media.plan import Mode
from punktfunk.media.portal.mutter_monitors import make_primary, virtual_monitors

MODE = Mode(1366, 768, 60_000)
SCREEN = ("DP-1", "ACM", "Screen", "1")
FIRST, SECOND = (
    ("Meta-0", "MetaVendor", "Virtual remote monitor", "0x1"),
    ("Meta-1", "MetaVendor", "Virtual remote monitor", "0x2"),
)


class Bus:
    """A desktop with these monitors; the first one is the main one."""

    def __init__(self, *monitors: tuple[tuple[str, ...], str], primary: int = 0) -> None:
        self._monitors = monitors
        self._primary = primary
        self.applied: list[Any] = []

    def call(self, _where: object, method: str, _signature: str = "", *arguments: Any) -> tuple[Any, ...]:
        if method == "ApplyMonitorsConfig":
            self.applied.append(arguments)
            return ()
        offered = []
        arranged = []
        for number, (identity, size) in enumerate(self._monitors):
            width, height = map(int, size.split("x"))
            other = ("640x480@60.000", 640, 480, 60.0, 1.0, [1.0], {})
            current = (f"{size}@60.000", width, height, 60.0, 1.0, [1.0], {"is-current": ("b", True)})
            offered.append((identity, [other, current], {}))
            arranged.append((number * 2000, 0, 1.0, 0, number == self._primary, [identity], {}))
        return 5, offered, arranged, {}


def test_the_new_monitor_becomes_the_main_one_where_it_is() -> None:
    bus = Bus((SCREEN, "2560x1440"), (FIRST, "1366x768"))
    assert make_primary(bus, MODE, frozenset()) == "Meta-0"  # type: ignore[arg-type]
    ((serial, method, arrangement, _),) = bus.applied
    assert (serial, method) == (5, 1)
    assert arrangement == [
        (0, 0, 1.0, 0, False, [("DP-1", "2560x1440@60.000", {})]),
        (2000, 0, 1.0, 0, True, [("Meta-0", "1366x768@60.000", {})]),
    ]


@pytest.mark.parametrize(
    ("bus", "known"),
    [
        (Bus((SCREEN, "2560x1440"), (FIRST, "1024x768")), frozenset()),
        (Bus((SCREEN, "2560x1440"), (FIRST, "1366x768")), frozenset({"Meta-0"})),
        (Bus((SCREEN, "1366x768")), frozenset()),
        (Bus((FIRST, "1366x768"), (SECOND, "1366x768")), frozenset({"Meta-0"})),
    ],
    ids=["another size", "another stream's", "a real one", "another stream has it"],
)
def test_nothing_else_is_touched(bus: Bus, known: frozenset[str]) -> None:
    make_primary(bus, MODE, known)  # type: ignore[arg-type]
    assert bus.applied == []


def test_virtual_monitors_are_told_from_real_ones() -> None:
    assert virtual_monitors(Bus((SCREEN, "640x480"), (FIRST, "1366x768"))) == {"Meta-0"}  # type: ignore[arg-type]
