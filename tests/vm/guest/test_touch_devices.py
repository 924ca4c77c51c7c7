"""A client's fingers and pen as devices of a real kernel: wire bytes in, evdev values and libinput's events out."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator
from typing import Any

import evdev
import pytest
from evdev import ecodes as e
from tests.vm.guest import libinput
from tests.vm.guest.pad_session import eventually
from tests.vm.guest.udev_daemon import udev_running

from punktfunk.gamestream.input_packets import InputDecoder as GameStreamDecoder
from punktfunk.input import touch_device as t
from punktfunk.input.events import InputEvent, PenMoved, Touched
from punktfunk.input.kernel_touch import KernelTouch, touch_phys
from punktfunk.input.pad_hub import open_node
from punktfunk.native.access import Access
from punktfunk.native.input_decoder import InputDecoder as NativeDecoder
from punktfunk.wire.punktfunk1 import rich_input as r
from punktfunk.wire.punktfunk1.input_event import InputEvent as WireEvent
from punktfunk.wire.punktfunk1.input_event import InputKind

pytestmark = pytest.mark.vm

SESSION = "vm-touch"
SCREEN, TABLET = "punktfunk touchscreen", "punktfunk pen"
SURFACE = 1000 << 16 | 500


class Client:
    """Sends fingers and pens on both wires into one session's devices."""

    def __init__(self) -> None:
        self.touch = KernelTouch(open_node, SESSION)
        self._moonlight, self._native = GameStreamDecoder(), NativeDecoder(Access())
        self._seq = 0

    def _inject(self, events: Any) -> None:
        event: InputEvent
        for event in events:
            assert isinstance(event, Touched | PenMoved)
            self.touch.inject(event)

    def moonlight_touch(self, kind: int, finger: int, x: float, y: float, pressure: float = 0.0) -> None:
        self._packet(0x55000002, struct.pack("<BxHIfffff", kind, 90, finger, x, y, pressure, 0.25, 0.125))

    def moonlight_pen(self, kind: int, tool: int, buttons: int, x: float, y: float, pressure: float) -> None:
        self._packet(0x55000003, struct.pack("<BBBxfffHBxff", kind, tool, buttons, x, y, pressure, 180, 30, 0, 0))

    def _packet(self, magic: int, body: bytes) -> None:
        self._inject(self._moonlight.decode(struct.pack(">I", len(body) + 4) + struct.pack("<I", magic) + body))

    def native_touch(self, kind: InputKind, finger: int, x: int = 0, y: int = 0) -> None:
        self._inject(self._native.event(WireEvent(kind, finger, x, y, SURFACE)))

    def native_pen(self, *samples: r.PenSample) -> None:
        self._seq += 1
        self._inject(self._native.rich(r.PenBatch(self._seq, samples), 0.0))


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.touch.close()


def device(name: str) -> evdev.InputDevice[str] | None:
    for path in evdev.list_devices():
        found = evdev.InputDevice(path)
        if (found.name, found.phys) == (name, touch_phys(SESSION)):
            return found
        found.close()
    return None


def node(name: str) -> evdev.InputDevice[str]:
    found: evdev.InputDevice[str] = eventually(lambda: device(name), f"no {name}")
    return found


def slots(screen: evdev.InputDevice[str]) -> dict[int, dict[str, int]]:
    """What each slot held at last, from the events so far."""
    found: dict[int, dict[str, int]] = {}
    slot = 0
    try:
        for event in screen.read():
            if event.type == e.EV_ABS and event.code == e.ABS_MT_SLOT:
                slot = event.value
            elif event.type == e.EV_ABS and event.code > e.ABS_MT_SLOT:
                found.setdefault(slot, {})[e.ABS[event.code]] = event.value
    except BlockingIOError:
        pass
    return found


def test_moonlight_fingers_to_the_unit(client: Client) -> None:
    # The kernel tells changes only: a first finger makes every value another one.
    client.touch.inject(Touched(t.ContactPhase.DOWN, 99, 0.9, 0.9, 0.9, 0.9, 0.9, 10))
    screen = node(SCREEN)
    client.touch.release_all()
    slots(screen)
    client.moonlight_touch(1, 40, 0.25, 0.5, 1.0)
    client.moonlight_touch(1, 41, 1.0, 0.0, 0.5)
    seen = slots(screen)
    expected = {"ABS_MT_POSITION_X": 8192, "ABS_MT_POSITION_Y": 16384, "ABS_MT_PRESSURE": 8191}
    expected |= {"ABS_MT_TOUCH_MAJOR": 8192, "ABS_MT_TOUCH_MINOR": 4096, "ABS_MT_ORIENTATION": -90}
    assert {name: seen[0][name] for name in expected} == expected
    assert seen[1]["ABS_MT_POSITION_X"] == 32767
    assert screen.active_keys() == [e.BTN_TOUCH]
    client.moonlight_touch(2, 40, 0.25, 0.5)
    client.moonlight_touch(7, 0, 0, 0)
    assert {slot: values["ABS_MT_TRACKING_ID"] for slot, values in slots(screen).items()} == {0: -1, 1: -1}
    assert screen.active_keys() == []


def test_both_wires_pens_to_the_unit(client: Client) -> None:
    client.moonlight_pen(0, 1, 0, 0.5, 0.5, 0.5)
    tablet = node(TABLET)
    assert tablet.active_keys() == [e.BTN_TOOL_PEN]
    assert axes(tablet, e.ABS_DISTANCE, e.ABS_PRESSURE) == [512, 0]
    client.moonlight_pen(1, 1, 1, 0.25, 1.0, 1.0)
    assert set(tablet.active_keys()) == {e.BTN_TOOL_PEN, e.BTN_TOUCH, e.BTN_STYLUS}
    assert axes(tablet, e.ABS_X, e.ABS_Y, e.ABS_PRESSURE, e.ABS_DISTANCE) == [8192, 32767, 8191, 0]
    assert axes(tablet, e.ABS_TILT_X, e.ABS_TILT_Y) == [0, 30]
    client.moonlight_pen(3, 2, 0, 0.25, 1.0, 0.5)
    assert set(tablet.active_keys()) == {e.BTN_TOOL_RUBBER, e.BTN_TOUCH}
    client.moonlight_pen(6, 2, 0, 0.25, 1.0, 0.0)
    assert tablet.active_keys() == []
    touching = r.PEN_IN_RANGE | r.PEN_TOUCHING | r.PEN_BARREL_2
    client.native_pen(r.PenSample(touching, r.PEN_TOOL_PEN, 0.5, 0.75, 0x8000, 0, 60, 90, 200))
    assert set(tablet.active_keys()) == {e.BTN_TOOL_PEN, e.BTN_TOUCH, e.BTN_STYLUS2}
    assert axes(tablet, e.ABS_X, e.ABS_Y, e.ABS_PRESSURE) == [16384, 24575, 4096]
    assert axes(tablet, e.ABS_TILT_X, e.ABS_TILT_Y, e.ABS_Z) == [60, 0, -160]
    client.touch.release_all()
    assert tablet.active_keys() == []


def axes(tablet: evdev.InputDevice[str], *codes: int) -> list[int]:
    return [tablet.absinfo(code).value for code in codes]


def test_unplugging_leaves_nothing(client: Client) -> None:
    client.native_touch(InputKind.TOUCH_DOWN, 5, 10, 10)
    assert node(SCREEN).active_keys() == [e.BTN_TOUCH]
    client.touch.close()
    eventually(lambda: device(SCREEN) is None)


@pytest.fixture(scope="module")
def udev() -> Iterator[None]:
    with udev_running():
        yield


def reader(name: str) -> libinput.Reader:
    subprocess.run(["udevadm", "settle"], check=True)
    return libinput.Reader(node(name).path)


def test_libinput_sees_fingers(udev: None, client: Client) -> None:
    client.native_touch(InputKind.TOUCH_DOWN, 1, 0, 0)
    client.native_touch(InputKind.TOUCH_UP, 1)
    screen = reader(SCREEN)
    list(screen.events())
    client.native_touch(InputKind.TOUCH_DOWN, 5, 250, 250)
    client.native_touch(InputKind.TOUCH_DOWN, 6, 750, 125)
    client.native_touch(InputKind.TOUCH_MOVE, 5, 500, 250)
    client.native_touch(InputKind.TOUCH_UP, 5)
    client.native_touch(InputKind.TOUCH_UP, 6)
    assert list(screen.events()) == [
        (libinput.TOUCH_DOWN, 0, (250, 500)),
        (libinput.TOUCH_DOWN, 1, (750, 250)),
        (libinput.TOUCH_MOTION, 0, (500, 500)),
        (libinput.TOUCH_UP, 0),
        (libinput.TOUCH_UP, 1),
    ]


def test_libinput_sees_the_pen(udev: None, client: Client) -> None:
    client.moonlight_pen(0, 1, 0, 0.5, 0.5, 0.5)
    client.moonlight_pen(6, 1, 0, 0.5, 0.5, 0.0)
    tablet = reader(TABLET)
    list(tablet.events())
    client.moonlight_pen(0, 1, 0, 0.5, 0.5, 0.5)
    client.moonlight_pen(1, 1, 0, 0.25, 0.75, 0.75)
    client.moonlight_pen(5, 1, 1, 0.0, 0.0, 0.0)
    client.moonlight_pen(6, 1, 0, 0.25, 0.75, 0.0)
    client.moonlight_pen(1, 2, 0, 0.1, 0.1, 1.0)
    seen = list(tablet.events())
    assert (libinput.TABLET_PROXIMITY, libinput.PEN, 1) in seen
    (tip,) = [each for each in seen if each[:2] == (libinput.TABLET_TIP, 1) and each[2] == 250]
    # Position, pressure, distance, tilt; libinput takes the first percent of pressure for noise, and does not follow
    # the distance of a tip that is down.
    assert tip[2:4] == (250, 750)
    assert tip[4] == pytest.approx(0.75, abs=0.02)
    assert tip[6:] == (0, 30)
    assert (libinput.TABLET_BUTTON, e.BTN_STYLUS, 1) in seen
    assert (libinput.TABLET_PROXIMITY, libinput.PEN, 0) in seen
    assert (libinput.TABLET_PROXIMITY, libinput.ERASER, 1) in seen
