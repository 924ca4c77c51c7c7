"""The seat of a KWin desktop against a stand-in server: what arrives, where, and what bad servers do to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kwin_stand_in import FAKE_INPUT, GLOBALS, Manners, Screen, StandIn, keymap_text

from punktfunk.input.events import ContactPhase, KeyChanged, PointerPlaced, Scrolled, TextTyped, Touched
from punktfunk.input.injector import SeatInjector, open_injector
from punktfunk.media.displays.kwin.held import MAX_CODE, HeldMemory
from punktfunk.media.displays.kwin.seat import KwinSeat
from punktfunk.media.video_source import SourceLost
from punktfunk.media.wayland.connection import MAX_UNSENT_BYTES, WaylandConnection
from punktfunk.media.wayland.outputs import MAX_OUTPUTS
from punktfunk.media.wayland.wire import WaylandError

NAMES = ("Virtual-punktfunk", "punktfunk")
STREAMED = Screen("Virtual-punktfunk", 1920, 100, 640, 360)


class Desk:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.server: StandIn | None = None
        self.seat: KwinSeat | None = None

    def open(self, manners: Manners | None = None) -> tuple[StandIn, KwinSeat]:
        self.server = StandIn(self._folder / "wayland-0", manners)
        self.seat = KwinSeat.open(str(self.server.path), NAMES)
        self.seat.resized(1280, 720)
        return self.server, self.seat


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    if made.seat:
        made.seat.close()
    if made.server:
        made.server.kill()


def with_output() -> Manners:
    return Manners(screens=[Screen("DP-1", 0, 0, 1920, 1080), STREAMED])


def test_it_says_who_it_is_before_anything_else(desk: Desk) -> None:
    server, seat = desk.open()
    seat.key(30, True)
    seat.key(30, False)
    server.wait_for("key", 30, 0)
    assert [what[0] for what in server.of("authenticate", "key")] == ["authenticate", "key", "key"]
    assert server.of("authenticate")[0][1] == "punktfunk-host"


def test_places_are_those_of_the_streamed_output_in_logical_pixels(desk: Desk) -> None:
    server, seat = desk.open(with_output())
    SeatInjector(seat).inject(PointerPlaced(0.5, 0.25))
    server.wait_for("motion_absolute", 1920 + 320.0, 100 + 90.0)


def test_an_output_that_comes_later_is_found_and_one_that_went_is_not(desk: Desk) -> None:
    server, seat = desk.open()
    seat.move_to(1, 1)
    server.manners.screens.append(STREAMED)
    server.clients[0].add_screen(STREAMED)
    deadline = time.monotonic() + 5
    while not any(output.name == STREAMED.name for output in seat.outputs()):
        assert time.monotonic() < deadline
    seat.move_to(2, 2)
    server.wait_for("motion_absolute", 1921.0, 101.0)
    server.clients[0].remove_screen(STREAMED)
    while any(output.name == STREAMED.name for output in seat.outputs()):
        assert time.monotonic() < deadline
    seat.move_to(3, 3)
    seat.key(30, True)
    server.wait_for("key", 30, 1)
    assert server.of("motion_absolute") == [("motion_absolute", 1921.0, 101.0)]


def test_entering_waits_for_the_output_and_says_when_it_does_not_come(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    server, seat = desk.open()
    seat.enter(0.05)
    assert [record.message for record in caplog.records] == [
        "KWin announces no output called Virtual-punktfunk or punktfunk: places cannot be pointed at"
    ]
    server.manners.screens.append(STREAMED)
    server.clients[0].add_screen(STREAMED)
    seat.enter(5)
    server.wait_for("motion_absolute", 2240.0, 280.0)


def test_mouse_and_wheels(desk: Desk) -> None:
    server, seat = desk.open()
    injector = SeatInjector(seat)
    seat.move_by(-3, 4)
    seat.button(0x110, True)
    injector.inject(Scrolled(horizontal=60, vertical=240))
    server.wait_for("axis", 0, -20.0)
    assert server.of("motion", "button", "axis") == [
        ("motion", -3.0, 4.0),
        ("button", 0x110, 1),
        ("axis", 1, 5.0),
        ("axis", 0, -20.0),
    ]


def test_fingers_touch(desk: Desk) -> None:
    server, seat = desk.open(with_output())
    injector = SeatInjector(seat)
    injector.inject(Touched(ContactPhase.DOWN, 4711, 0.5, 0.5))
    injector.inject(Touched(ContactPhase.MOVE, 4711, 0.25, 0.5))
    injector.inject(Touched(ContactPhase.UP, 4711))
    injector.inject(Touched(ContactPhase.DOWN, 1, 0, 0))
    injector.release_all()
    server.wait_for("touch_cancel")
    assert server.of("touch_down", "touch_motion", "touch_up", "touch_frame", "touch_cancel") == [
        ("touch_down", 0, 2240.0, 280.0),
        ("touch_frame",),
        ("touch_motion", 0, 2080.0, 280.0),
        ("touch_frame",),
        ("touch_up", 0),
        ("touch_frame",),
        ("touch_down", 0, 1920.0, 100.0),
        ("touch_frame",),
        ("touch_cancel",),
    ]


class Source:
    def __init__(self, seat: KwinSeat) -> None:
        self.seat = seat


def test_text_and_letters_by_meaning_follow_the_desktops_own_layout(desk: Desk) -> None:
    server, seat = desk.open(Manners(layout="de"))
    injector = open_injector(Source(seat))
    injector.inject(TextTyped("y@"))
    injector.inject(KeyChanged(44, True, by_meaning=True))  # Z, which is on Y's place
    server.wait_for("key", 21, 1)
    assert server.of("key") == [
        *(("key", 44, 1), ("key", 44, 0)),
        *(("key", 100, 1), ("key", 16, 1), ("key", 16, 0), ("key", 100, 0)),
        ("key", 21, 1),
    ], "and Num Lock, which is the person's own, is left alone"


def test_newer_versions_type_what_the_layout_does_not_have(desk: Desk) -> None:
    server, seat = desk.open(Manners(offers=GLOBALS | {FAKE_INPUT: 6}))
    SeatInjector(seat).inject(TextTyped("é漢\n"))
    server.wait_for("keysym", 0xFF0D, 0)
    assert server.of("key", "keysym") == [
        ("keysym", symbol, state) for symbol in (0xE9, 0x01006F22, 0xFF0D) for state in (1, 0)
    ]


def test_a_keyboard_that_comes_with_the_fake_one_is_found(desk: Desk) -> None:
    _, seat = desk.open(Manners(layout="fr", late_keyboard=True))
    assert seat.keymap().encode() + b"\0" == keymap_text("fr")


@pytest.mark.parametrize(
    ("offers", "words"),
    [
        ({name: version for name, version in GLOBALS.items() if name != FAKE_INPUT}, "does not offer"),
        (GLOBALS | {FAKE_INPUT: 2}, "keys need 4"),
    ],
)
def test_a_desktop_without_the_right_interface(desk: Desk, offers: dict[str, int], words: str) -> None:
    with pytest.raises(WaylandError, match=words):
        desk.open(Manners(offers=offers))


def test_a_newer_interface_is_used_as_the_one_that_is_known(desk: Desk) -> None:
    server, seat = desk.open(Manners(offers=GLOBALS | {FAKE_INPUT: 9, "wl_output": 7, "wl_seat": 12}))
    seat.key(30, True)
    server.wait_for("key", 30, 1)
    assert seat.version == 9


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(WaylandError, match="no compositor listens"):
        KwinSeat.open(str(tmp_path / "wayland-0"), NAMES)


def test_one_that_never_answers(tmp_path: Path) -> None:
    server = StandIn(tmp_path / "wayland-0", Manners(mute=True))
    connection = WaylandConnection(str(server.path))
    with pytest.raises(WaylandError, match="no answer"):
        connection.roundtrip(0.1)
    with pytest.raises(WaylandError, match="no answer"):
        connection.pump()
    server.kill()


@pytest.mark.parametrize("garbage", [bytes(64), b"\xff" * 64, b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_something_else_than_a_compositor(desk: Desk, garbage: bytes) -> None:
    with pytest.raises(WaylandError):
        desk.open(Manners(garbage=garbage))


def test_a_killed_server_is_a_lost_source(desk: Desk) -> None:
    server, seat = desk.open()
    server.kill()
    server.wait_for("gone")
    for _ in range(2):
        with pytest.raises(SourceLost, match="KWin takes no more keys, mouse and touch"):
            seat.key(30, True)


def test_a_server_that_stalls_blocks_nobody_and_memory_is_bounded(desk: Desk) -> None:
    server, seat = desk.open(Manners(stall_after=2))
    seat.key(31, True)
    server.wait_for("key", 31, 1)
    began = time.monotonic()
    outgoing = seat._connection.client.outgoing
    most = 0
    with pytest.raises(SourceLost, match="does not read any more"):  # noqa: PT012 - when it comes depends on the kernel
        for _ in range(60_000):
            seat.key(30, True)
            seat.move_by(1, 1)
            most = max(most, len(outgoing))
    assert MAX_UNSENT_BYTES - 64 <= most <= MAX_UNSENT_BYTES
    assert time.monotonic() - began < 30


def test_motion_is_dropped_while_a_server_stalls_and_keys_are_kept(desk: Desk) -> None:
    server, seat = desk.open(Manners(stall_after=2))
    seat.key(31, True)
    server.wait_for("key", 31, 1)
    connection = seat._connection
    while not connection.stalled:
        seat.move_by(1, 1)
    before = len(connection.client.outgoing)
    for _ in range(1000):
        seat.move_by(1, 1)
        seat.move_to(5, 5)
        seat.scroll(1, 1)
        seat.touch_move(0, 1, 1)
    assert len(connection.client.outgoing) == before
    seat.key(30, False)
    assert len(connection.client.outgoing) > before
    assert not connection.lost
    server.clients[0].go_on()
    server.wait_for("key", 30, 0)


def test_outputs_are_bounded(desk: Desk) -> None:
    screens = [Screen(f"DP-{n}", n, 0, 10, 10) for n in range(MAX_OUTPUTS + 20)]
    _, seat = desk.open(Manners(screens=screens))
    assert len(seat.outputs()) == MAX_OUTPUTS


def test_what_a_killed_predecessor_held_is_let_go_where_kwin_goes_on_holding_it(tmp_path: Path) -> None:
    server = StandIn(tmp_path / "wayland-0")
    first = KwinSeat.open(str(server.path), (), HeldMemory(tmp_path / "held"))
    for code in (42, 30, 31):
        first.key(code, True)
    first.key(31, False)
    first.button(0x110, True)
    first.touch_down(0, 1, 1)
    first._connection._socket.close()  # as a kill would
    server.wait_for("gone")
    server.seen.clear()
    second = KwinSeat.open(str(server.path), (), HeldMemory(tmp_path / "held"))
    third = KwinSeat.open(str(server.path), (), HeldMemory(tmp_path / "held"))
    server.wait_for("button", 0x110, 0)
    assert server.of("key", "button", "touch_cancel") == [
        ("touch_cancel",),
        ("key", 30, 0),
        ("key", 42, 0),
        ("button", 0x110, 0),
    ]
    second.close()
    third.close()
    server.kill()


def test_kwin_6_does_so_itself(tmp_path: Path) -> None:
    server = StandIn(tmp_path / "wayland-0", Manners(offers=GLOBALS | {FAKE_INPUT: 5}))
    memory = HeldMemory(tmp_path / "held")
    memory.note(30, True)
    seat = KwinSeat.open(str(server.path), (), memory)
    seat.key(31, True)
    server.wait_for("key", 31, 1)
    assert server.of("key") == [("key", 31, 1)]
    assert memory.held() == [31]
    seat.close()
    server.kill()


def test_a_memory_of_any_content_and_size_is_taken(tmp_path: Path) -> None:
    for content in (b"", b"\xff" * 5, b"\xff" * 4096):
        (tmp_path / "held").write_bytes(content)
        memory = HeldMemory(tmp_path / "held")
        assert len(memory.held()) <= MAX_CODE + 1
        memory.note(-1, True)
        memory.note(MAX_CODE + 1, True)
        memory.close()
