"""The calls to mutter, over a real bus to a stand-in for it."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.stand_in_mutter import NODE, Bus, StandIn, needs_bus

from punktfunk.media.plan import Mode
from punktfunk.media.portal.back import BackError, Cursor, Shown
from punktfunk.media.portal.mutter import MutterBack, MutterTypist, Wanted

pytestmark = needs_bus

MODE = Mode(1366, 768, 60_000)


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    with Bus(tmp_path) as bus:
        yield bus


@pytest.fixture
def mutter(bus: Bus) -> Iterator[StandIn]:
    with contextlib.closing(StandIn(bus)) as mutter:
        yield mutter


@pytest.fixture
def back(bus: Bus, tmp_path: Path) -> Iterator[MutterBack]:
    back = MutterBack(bus.address, str(tmp_path / "pipewire-0"), tmp_path / "note")
    yield back
    back.stop()


def test_a_monitor_is_made_in_mutters_order_and_goes_with_the_session(mutter: StandIn, back: MutterBack) -> None:
    assert back.start(MODE, Cursor.EMBEDDED) == Shown(NODE, "a-region")
    made = [method for method in mutter.methods() if method not in ("Get", "GetCurrentState")]
    assert made == ["CreateSession", "CreateSession", "RecordVirtual", "Start"]
    told = dict(mutter.told)
    assert told["RecordVirtual"] == ({"cursor-mode": ("u", 1)},)
    assert [arguments for method, arguments in mutter.told if method == "CreateSession"][1] == (
        {"remote-desktop-session-id": ("s", "an-id")},
    )
    assert len(mutter.monitors) == 1
    back.stop()
    mutter.wait(lambda: not mutter.monitors)
    assert mutter.methods()[-1] == "Stop"


def test_what_is_wanted_is_noted(mutter: StandIn, back: MutterBack, tmp_path: Path) -> None:
    note = tmp_path / "note"
    back.start(MODE, Cursor.EMBEDDED)
    wanted = Wanted.read(note)
    assert wanted is not None
    assert wanted.process == os.getpid()
    assert wanted.path.startswith("/org/gnome/Mutter/RemoteDesktop/Session/")
    back.stop()
    assert Wanted.read(note) is None
    note.write_text("nonsense")
    assert Wanted.read(note) is None


@pytest.mark.parametrize("refused", ["CreateSession", "RecordVirtual", "Start"])
def test_a_refusal_says_what_was_refused_and_leaves_nothing(bus: Bus, back: MutterBack, refused: str) -> None:
    with contextlib.closing(StandIn(bus, refuses=refused)) as mutter:
        with pytest.raises(BackError, match=f"refused {refused}: not today"):
            back.start(MODE, Cursor.EMBEDDED)
        mutter.wait(lambda: not mutter.monitors)


def test_without_mutter_or_bus_there_is_a_sentence(bus: Bus, back: MutterBack) -> None:
    with pytest.raises(BackError, match="GNOME makes no virtual monitor"):
        back.start(MODE, Cursor.EMBEDDED)
    with pytest.raises(BackError, match="cannot be reached"):
        MutterBack(f"{bus.address}-not", "", Path("note")).start(MODE, Cursor.EMBEDDED)


def test_a_worker_that_dies_takes_its_monitor_along(bus: Bus, mutter: StandIn, tmp_path: Path) -> None:
    if not (child := os.fork()):
        MutterBack(bus.address, "", tmp_path / "note").start(MODE, Cursor.EMBEDDED)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    mutter.wait(lambda: "Start" in mutter.methods() and not mutter.monitors)


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        (lambda back: back.notify_key(30, True), ("NotifyKeyboardKeycode", (30, True))),
        (lambda back: back.notify_keysym(0xFC, False), ("NotifyKeyboardKeysym", (0xFC, False))),
        (lambda back: back.notify_motion(1.5, -2.0), ("NotifyPointerMotionRelative", (1.5, -2.0))),
        (lambda back: back.notify_button(0x110, True), ("NotifyPointerButton", (0x110, True))),
        (lambda back: back.notify_axis(0.0, 5.0, finished=False), ("NotifyPointerAxis", (0.0, 5.0, 0))),
        (lambda back: back.notify_axis(0.0, 0.0, finished=True), ("NotifyPointerAxis", (0.0, 0.0, 1))),
        (lambda back: back.notify_steps(0, -1), ("NotifyPointerAxisDiscrete", (0, -1))),
    ],
)
def test_input_by_calls(mutter: StandIn, back: MutterBack, notify: Any, told: tuple[str, tuple[Any, ...]]) -> None:
    back.start(MODE, Cursor.EMBEDDED)
    notify(back)
    assert mutter.told[-1] == told


def test_a_position_names_the_stream(mutter: StandIn, back: MutterBack) -> None:
    back.start(MODE, Cursor.EMBEDDED)
    back.notify_position(10.0, 20.0)
    method, (stream, *position) = mutter.told[-1]
    assert method == "NotifyPointerMotionAbsolute"
    assert stream in mutter.monitors.values()
    assert position == [10.0, 20.0]


def test_emulated_input_is_a_connection_of_its_own(mutter: StandIn, back: MutterBack) -> None:
    back.start(MODE, Cursor.EMBEDDED)
    descriptor = back.connect_eis()
    assert descriptor is not None
    with socket.socket(fileno=descriptor) as library:
        library.settimeout(5)
        hello = struct.pack("=QIII", 0, 20, 0, 1)
        mutter.eis.sendall(hello)
        assert library.recv(100) == hello
        library.sendall(hello)
        assert mutter.eis.recv(100) == hello


def test_mutter_43_has_none_and_makes_its_keyboard_at_the_first_key(bus: Bus, back: MutterBack) -> None:
    with contextlib.closing(StandIn(bus, eis=False)) as mutter:
        back.start(MODE, Cursor.EMBEDDED)
        assert back.connect_eis() is None
        assert [told for told in mutter.told if told[0] == "NotifyKeyboardKeycode"] == [
            ("NotifyKeyboardKeycode", (42, True)),
            ("NotifyKeyboardKeycode", (42, False)),
        ]


def test_text_goes_by_a_remote_desktop_of_its_own(bus: Bus, mutter: StandIn) -> None:
    typist = MutterTypist(bus.address)
    typist.close()
    assert mutter.told == []
    typist.tap(0x61)
    typist.tap(0xFC)
    pressed = [arguments for method, arguments in mutter.told if method == "NotifyKeyboardKeysym"]
    assert pressed == [(0x61, True), (0x61, False), (0xFC, True), (0xFC, False)]
    assert mutter.methods()[:2] == ["CreateSession", "Start"]
    typist.close()
    typist.tap(0x62)
    assert mutter.methods().count("CreateSession") == 2
    typist.close()


def test_text_without_mutter_is_an_error_of_the_back(bus: Bus) -> None:
    with pytest.raises(BackError):
        MutterTypist(bus.address).tap(0x61)
