"""What a silent client holds is let go, and a client that only answers pings keeps what it holds."""

from __future__ import annotations

from tests.unit.native.test_host_session import live

from punktfunk.input.events import ButtonChanged, ContactPhase, KeyChanged, PadArrived, PadKind, PadState, Touched
from punktfunk.native import session_events as ev
from punktfunk.native.access import Access
from punktfunk.native.held_watch import ASK_AFTER_S, ASK_AGAIN_S, RELEASE_AFTER_S, HeldWatch, Step
from punktfunk.native.input_decoder import InputDecoder
from punktfunk.wire.punktfunk1.input_event import InputEvent, InputKind, PadSnapshot, encode_input

SURFACE = 1000 << 16 | 1000


def test_it_asks_then_asks_again_then_releases() -> None:
    watch = HeldWatch(10.0)
    steps = []
    now = 10.0
    while not steps or steps[-1][1] is not Step.RELEASE:
        assert watch.step(now - 0.001) is None or now == 10.0
        now = watch.deadline()
        steps.append((round(now - 10.0, 3), watch.step(now)))
    asked = [ASK_AFTER_S, ASK_AFTER_S + ASK_AGAIN_S, ASK_AFTER_S + 2 * ASK_AGAIN_S]
    assert steps == [*((round(at, 3), Step.ASK) for at in asked), (RELEASE_AFTER_S, Step.RELEASE)]
    assert RELEASE_AFTER_S < 1.0


def test_an_answer_starts_it_anew() -> None:
    watch = HeldWatch(0.0)
    assert watch.step(ASK_AFTER_S) is Step.ASK
    watch.heard(0.4)
    assert watch.deadline() == 0.4 + ASK_AFTER_S
    assert watch.step(RELEASE_AFTER_S) is Step.ASK


def test_a_dead_clients_key_comes_up_within_a_second() -> None:
    session = live()
    session.heard(2.0)
    session.datagram(encode_input(InputEvent(InputKind.KEY_DOWN, 0x41)), 2.0)
    session.events()
    seen: list[tuple[float, ev.SessionEvent]] = []
    while (at := session.next_deadline(2.0)) is not None:
        session.tick(at)
        seen += [(at, event) for event in session.events()]
    assert seen[0][1] == ev.LifeWanted()
    assert seen[-1] == (2.0 + RELEASE_AFTER_S, ev.InputReceived((KeyChanged(30, False),)))


def test_a_client_that_only_answers_keeps_its_key() -> None:
    session = live()
    session.datagram(encode_input(InputEvent(InputKind.KEY_DOWN, 0x41)), 2.0)
    session.events()
    for tenth in range(20, 100):
        session.heard(tenth / 10)
        session.tick(tenth / 10 + 0.05)
    assert not [event for event in session.events() if isinstance(event, ev.InputReceived)]


def test_nothing_is_asked_of_a_client_that_holds_nothing() -> None:
    session = live()
    session.tick(50.0)
    assert session.events() == []
    assert session.next_deadline(50.0) is None


def test_everything_pressed_is_let_go_and_pads_stay_plugged_in() -> None:
    decoder = InputDecoder(Access())
    assert not decoder.holding
    for event in (
        InputEvent(InputKind.KEY_DOWN, 0x41),
        InputEvent(InputKind.MOUSE_BUTTON_DOWN, 1),
        InputEvent(InputKind.TOUCH_DOWN, 3, 10, 10, SURFACE),
        PadSnapshot(2, 1, 0x1000, left_x=-9).event(),
    ):
        decoder.event(event)
    assert decoder.holding
    assert decoder.let_go() == [
        KeyChanged(30, False),
        ButtonChanged(0x110, False),
        Touched(ContactPhase.CANCEL, 3),
        PadState(2, 0),
    ]
    assert not decoder.holding
    # A client that comes back repeats what its pad is like; nothing else of the past returns.
    back = decoder.event(PadSnapshot(2, 2, 0x1000, left_x=-9).event())
    assert back == [PadState(2, 0x1000, left_x=-9)]
    assert decoder.holding


def test_a_pad_at_rest_holds_nothing() -> None:
    decoder = InputDecoder(Access())
    assert decoder.event(PadSnapshot(0, 1, 0).event()) == [PadArrived(0, PadKind.AUTO, 3), PadState(0, 0)]
    assert not decoder.holding
    assert decoder.let_go() == []
