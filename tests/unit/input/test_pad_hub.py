"""The pads of a session, with devices of the test's own in place of the kernel's."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.input import pad_hub
from punktfunk.input.events import (
    ContactPhase,
    Feedback,
    MotionRequested,
    PadArrived,
    PadKind,
    PadMotion,
    PadRemoved,
    PadState,
    PadTouched,
    PointerMoved,
    Rumbled,
)
from punktfunk.input.gamepads import catalogue
from punktfunk.input.gamepads.catalogue import Node, Placement
from punktfunk.input.gamepads.inputs import PadInputs
from punktfunk.input.pad_hub import MAX_PADS, PadHub


class FakePad:
    """A device that remembers; games "write" to it through a pipe."""

    def __init__(self, kind: PadKind, placement: Placement) -> None:
        self.kind, self.placement = kind, placement
        self.seen: list[PadInputs] = []
        self.closed = threading.Event()
        self.broken = False
        self._outgoing: list[Feedback] = []
        self._read_end, self._write_end = os.pipe2(os.O_NONBLOCK)

    def play(self, feedback: Feedback) -> None:
        self._outgoing.append(feedback)
        os.write(self._write_end, b"x")

    def fileno(self) -> int:
        return self._read_end

    def send(self, inputs: PadInputs, now: float) -> None:
        if self.broken:
            raise OSError(errno.ENODEV, "No such device")
        self.seen.append(inputs)

    def read(self, now: float) -> list[Feedback]:
        os.read(self._read_end, 100)
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def due(self) -> float | None:
        return None

    def tick(self, now: float) -> list[Feedback]:
        return []

    def close(self) -> None:
        os.close(self._read_end)
        os.close(self._write_end)
        self.closed.set()


class Desk:
    """A hub, the pads that it made, and what it told."""

    def __init__(self, *, missing: frozenset[Node] = frozenset(), **options: Any) -> None:
        self.missing = missing
        self.pads: list[FakePad] = []
        self.feedback: list[Feedback] = []
        self.changed = threading.Condition()
        self.driver: str | None = "playstation"
        self.hub = PadHub(self._open, self._collect, session="s", driver_of=lambda phys: self.driver, **options)

    def _open(self, node: Node) -> int:
        if node in self.missing:
            raise PermissionError(errno.EACCES, "Permission denied")
        return os.open(os.devnull, os.O_RDWR)

    def _collect(self, feedback: Feedback) -> None:
        with self.changed:
            self.feedback.append(feedback)
            self.changed.notify_all()

    def make(self, kind: PadKind, fd: int, placement: Placement, now: float) -> FakePad:
        os.close(fd)
        self.pads.append(FakePad(kind, placement))
        return self.pads[-1]

    def wait_feedback(self, wanted: Feedback) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: wanted in self.feedback, timeout=5)


MakeDesk = Callable[..., Desk]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeDesk]:
    desks: list[Desk] = []

    def make_desk(**options: object) -> Desk:
        desks.append(Desk(**options))  # type: ignore[arg-type]
        monkeypatch.setattr(pad_hub.catalogue, "make", desks[-1].make)
        return desks[-1]

    yield make_desk
    for each in desks:
        each.hub.close()


def test_the_arrival_decides_the_kind(desk: MakeDesk) -> None:
    d = desk(session_default=PadKind.XBOX_360)
    d.hub.handle(PadArrived(2, PadKind.DUALSENSE))
    assert d.hub.kinds() == {2: PadKind.DUALSENSE}
    assert d.pads[0].placement.phys == "punktfunk/s/pad2"


def test_a_client_that_comes_back_finds_its_pad_and_learns_what_it_does(desk: MakeDesk) -> None:
    d = desk()
    d.hub.handle(PadArrived(0, PadKind.DUALSENSE))
    told = list(d.feedback)
    d.hub.handle(PadArrived(0, PadKind.DUALSENSE))
    d.hub.handle(PadArrived(0, PadKind.AUTO))
    assert len(d.pads) == 1
    assert d.feedback == told * 3


def test_another_pad_in_the_same_place_replaces_the_first(desk: MakeDesk) -> None:
    d = desk()
    d.hub.handle(PadArrived(0, PadKind.DUALSENSE))
    d.hub.handle(PadArrived(0, PadKind.XBOX_ONE))
    assert d.hub.kinds() == {0: PadKind.XBOX_ONE}
    assert d.pads[0].closed.wait(5)


def test_a_state_alone_plugs_in_the_sessions_default(desk: MakeDesk) -> None:
    d = desk(session_default=PadKind.SWITCH_PRO)
    d.hub.handle(PadState(0, 1))
    assert d.hub.kinds() == {0: PadKind.SWITCH_PRO}
    assert d.pads[0].seen[-1].buttons == 1


@pytest.mark.parametrize(
    ("arrival", "default", "setting", "chosen"),
    [
        (PadArrived(0, PadKind.AUTO), PadKind.AUTO, PadKind.AUTO, PadKind.XBOX_360),
        (PadArrived(0, PadKind.AUTO, 0x28), PadKind.AUTO, PadKind.AUTO, PadKind.DUALSENSE),
        (PadArrived(0, PadKind.AUTO, 0x28), PadKind.XBOX_ONE, PadKind.AUTO, PadKind.XBOX_ONE),
        (PadArrived(0, PadKind.DUALSENSE), PadKind.AUTO, PadKind.XBOX_360, PadKind.XBOX_360),
        (None, PadKind.AUTO, PadKind.AUTO, PadKind.XBOX_360),
    ],
)
def test_choice(arrival: PadArrived | None, default: PadKind, setting: PadKind, chosen: PadKind) -> None:
    assert catalogue.choose(arrival, default, setting) is chosen


@pytest.mark.parametrize("kind", [kind for kind in PadKind if kind is not PadKind.AUTO])
def test_every_kind_ends_at_the_xbox_360_pad(kind: PadKind) -> None:
    assert list(catalogue.substitutes(kind))[-1] is PadKind.XBOX_360


def test_without_uhid_it_is_an_xbox_pad_and_said_once(desk: MakeDesk, caplog: pytest.LogCaptureFixture) -> None:
    d = desk(missing=frozenset({Node.UHID}))
    for pad in range(3):
        d.hub.handle(PadArrived(pad, PadKind.DUALSENSE))
    assert set(d.hub.kinds().values()) == {PadKind.XBOX_360}
    assert [record.message for record in caplog.records] == [
        "A dualsense pad is not available here (/dev/uhid: Permission denied); using xbox_360"
    ]


def test_without_any_node_there_is_no_pad_and_one_sentence(desk: MakeDesk, caplog: pytest.LogCaptureFixture) -> None:
    d = desk(missing=frozenset(Node))
    for _ in range(100):
        d.hub.handle(PadState(0, 1))
    d.hub.handle(PadState(1, 1))
    assert d.hub.kinds() == {}
    assert len(caplog.records) == 1
    assert "punktfunk-host setup input" in caplog.text


def test_seventeenth_pads_and_other_events_are_ignored(desk: MakeDesk) -> None:
    d = desk()
    for pad in range(-2, MAX_PADS + 4):
        d.hub.handle(PadState(pad, 1))
    d.hub.handle(PointerMoved(1, 1))
    assert set(d.hub.kinds()) == set(range(MAX_PADS))


def test_removal_unplugs_stops_the_rumble_and_frees_the_number(desk: MakeDesk) -> None:
    d = desk()
    d.hub.handle(PadArrived(0, PadKind.XBOX_360))
    d.pads[0].play(Rumbled(0, 9, 9))
    d.wait_feedback(Rumbled(0, 9, 9))
    d.hub.handle(PadRemoved(0))
    assert d.feedback[-1] == Rumbled(0, 0, 0)
    assert d.pads[0].closed.wait(5)
    d.hub.handle(PadArrived(0, PadKind.DUALSENSE))
    assert d.hub.kinds() == {0: PadKind.DUALSENSE}
    assert d.pads[0].placement.serial != d.pads[1].placement.serial


def test_a_pad_that_no_driver_takes_is_replaced_in_mid_press(
    desk: MakeDesk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pad_hub, "DRIVER_PATIENCE_S", 0.0)
    d = desk()
    d.driver = "hid-generic"
    d.hub.handle(PadArrived(0, PadKind.SWITCH_PRO))
    d.hub.handle(PadState(0, 5))
    assert d.pads[0].closed.wait(5)
    d.hub.handle(PadState(1, 0))
    assert d.hub.kinds()[0] is PadKind.XBOX_360
    replacement = next(pad for pad in d.pads if pad.kind is PadKind.XBOX_360)
    assert replacement.seen[-1].buttons == 5
    assert "the kernel has no driver for switch_pro" in caplog.text


@pytest.mark.parametrize("driver", ["playstation", None])
def test_a_pad_with_a_driver_or_an_unknown_one_stays(driver: str | None) -> None:
    assert catalogue.taken_care_of(PadKind.DUALSENSE, driver)
    assert catalogue.taken_care_of(PadKind.XBOX_360, "")
    assert not catalogue.taken_care_of(PadKind.DUALSENSE, "")


def test_a_session_name_has_to_fit_into_a_device() -> None:
    with pytest.raises(ValueError, match="too long"):
        PadHub(lambda node: -1, lambda feedback: None, session="s" * 60)


def test_pads_with_motion_ask_for_it(desk: MakeDesk) -> None:
    d = desk()
    d.hub.handle(PadArrived(0, PadKind.XBOX_360))
    assert d.feedback == []
    d.hub.handle(PadArrived(1, PadKind.DUALSENSE))
    assert d.feedback == [MotionRequested(1, 1, 250), MotionRequested(1, 2, 250)]


def test_a_broken_device_costs_its_pad_only(desk: MakeDesk, caplog: pytest.LogCaptureFixture) -> None:
    d = desk()
    for pad in (0, 1):
        d.hub.handle(PadState(pad, 0))
    d.pads[0].broken = True
    for _ in range(3):
        d.hub.handle(PadState(0, 1))
        d.hub.handle(PadState(1, 1))
    assert set(d.hub.kinds()) == {1}
    assert len(caplog.records) == 1


def test_closing_unplugs_all_and_nothing_works_after(desk: MakeDesk) -> None:
    d = desk()
    for pad in range(4):
        d.hub.handle(PadState(pad, 0xFFFF))
    d.hub.close()
    d.hub.close()
    d.hub.handle(PadState(0, 1))
    assert all(pad.closed.is_set() for pad in d.pads)
    assert len(d.pads) == 4


pad_events = st.one_of(
    st.builds(PadState, st.integers(0, 3), st.integers(0, 0x3FFFFF)),
    st.builds(PadArrived, st.integers(0, 3), st.sampled_from([PadKind.AUTO, PadKind.XBOX_360])),
    st.builds(PadRemoved, st.integers(0, 3)),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(pad_events, max_size=30))
def test_any_sequence_ends_in_the_newest_state(events: list[PadState | PadArrived | PadRemoved]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        d = Desk()
        patch.setattr(pad_hub.catalogue, "make", d.make)
        expected: dict[int, int] = {}
        for event in events:
            d.hub.handle(event)
            match event:
                case PadState():
                    expected[event.pad] = event.buttons
                case PadArrived():
                    expected.setdefault(event.pad, 0)
                case PadRemoved():
                    expected.pop(event.pad, None)
        assert d.hub.kinds().keys() == expected.keys()
        d.hub.close()
        for pad, buttons in expected.items():
            newest = [each for each in d.pads if each.placement.pad == pad][-1]
            assert (newest.seen[-1].buttons if newest.seen else 0) == buttons
        assert all(each.closed.is_set() for each in d.pads)


def test_a_kind_known_to_have_no_driver_is_not_tried(desk: MakeDesk, caplog: pytest.LogCaptureFixture) -> None:
    d = desk(without_driver=frozenset({PadKind.DUALSENSE_EDGE, PadKind.DUALSENSE}))
    for pad in (0, 1):
        d.hub.handle(PadArrived(pad, PadKind.DUALSENSE_EDGE))
    assert [pad.kind for pad in d.pads] == [PadKind.DUALSHOCK_4] * 2
    assert len(caplog.records) == 1


def test_letting_go_brings_pads_to_rest_and_keeps_them(desk: MakeDesk) -> None:
    d = desk()
    d.hub.handle(PadState(0, 0xFFFF, right_trigger=255, left_x=-9))
    d.hub.handle(PadMotion(0, (1.0, 2.0, 3.0)))
    d.hub.handle(PadTouched(0, 0, ContactPhase.DOWN, 1, 0.5, 0.5, clicked=True))
    d.hub.handle(PadState(1, 0))
    d.hub.let_go()
    assert d.hub.kinds().keys() == {0, 1}
    newest = d.pads[0].seen[-1]
    assert newest == PadInputs(gyro=(1.0, 2.0, 3.0), next_contact_id=1)
    assert len(d.pads[1].seen) == 1
    d.hub.handle(PadState(0, 4))
    assert d.pads[0].seen[-1].buttons == 4
