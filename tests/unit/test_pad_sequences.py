"""Any sequence of controller packets ends in the state of the newest, and a client that is gone holds nothing.

Through the decoders of both protocols and of the browser, into a hub whose devices are the test's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.moonlight import inputs as moonlight
from tests.unit.input.test_pad_hub import Desk

from punktfunk.browser import wire as page
from punktfunk.browser.input_events import PageInput
from punktfunk.client.pad_board import PadBoard, PadState
from punktfunk.gamestream.input_packets import InputDecoder as GameStreamDecoder
from punktfunk.input import pad_hub
from punktfunk.input.gamepads.inputs import PadInputs
from punktfunk.native.access import Access
from punktfunk.native.input_decoder import InputDecoder as NativeDecoder
from punktfunk.trust.devices import Grants
from punktfunk.wire.punktfunk1.caps import ALL_GRANTS
from punktfunk.wire.punktfunk1.enums import Gamepad
from punktfunk.wire.punktfunk1.input_event import InputEvent, InputKind, decode_input, encode_input

PADS = 3
REST = (0, 0, 0)
pads = st.integers(0, PADS - 1)
buttons = st.integers(0, 0x3FFFFF)
sticks = st.integers(-32768, 32767)
triggers = st.integers(0, 255)


@contextmanager
def hub() -> Iterator[Desk]:
    with pytest.MonkeyPatch.context() as patch:
        desk = Desk()
        patch.setattr(pad_hub.catalogue, "make", desk.make)
        yield desk
        desk.hub.close()
        assert all(each.closed.is_set() for each in desk.pads)


def held(desk: Desk) -> dict[int, tuple[int, int, int]]:
    """What games see of each pad that is plugged in: buttons, a stick, a trigger."""
    kinds = desk.hub.kinds()
    newest = {each.placement.pad: each for each in desk.pads if each.placement.pad in kinds}
    return {pad: _shown(each.seen[-1] if each.seen else PadInputs()) for pad, each in newest.items()}


def _shown(inputs: PadInputs) -> tuple[int, int, int]:
    return inputs.buttons, inputs.left_x, inputs.right_trigger


# --- punktfunk/1: datagrams are lost, doubled and overtake each other -------------------------------------------------

actions = st.one_of(
    st.tuples(st.just("state"), pads, buttons, sticks, triggers),
    st.tuples(st.just("arrive"), pads, st.sampled_from(list(Gamepad))),
    st.tuples(st.just("remove"), pads),
    st.tuples(st.just("wait")),
)


@dataclass(frozen=True)
class Sent:
    """One datagram and what it says of its pad: None for a removal."""

    data: bytes
    pad: int
    says: tuple[int, int, int] | None
    sequenced: bool


def history(steps: list[tuple[object, ...]]) -> list[Sent]:
    """What the client library sends for these actions, with its repeats."""
    board, now, sent = PadBoard(snapshots=True), 0.0, []
    for step in steps:
        now += 0.05
        events: list[InputEvent] = []
        match step:
            case ("state", int(pad), int(bits), int(x), int(trigger)):
                events = board.change(pad, PadState(bits, left_x=x, right_trigger=trigger), now)
            case ("arrive", int(pad), Gamepad() as kind):
                events = board.arrive(pad, kind, now, haptics=False, speaker=False)
            case ("remove", int(pad)):
                events = board.remove(pad, now)
            case _:
                now += 0.2
        sent += [_sent(event) for event in (*events, *board.poll(now))]
    return sent


def _sent(event: InputEvent) -> Sent:
    says = None
    if event.kind is InputKind.GAMEPAD_STATE:
        says = (event.code, event.x >> 16, event.flags >> 8 & 0xFF)
    return Sent(encode_input(event), event.flags & 0xFF, says, event.kind is not InputKind.GAMEPAD_ARRIVAL)


def through_a_bad_network(sent: list[Sent], draw: Callable[[st.SearchStrategy[int]], int]) -> list[tuple[int, Sent]]:
    """Each is lost, delayed by up to ten others, or arrives twice. With the order in which they left."""
    arriving: list[tuple[int, int, Sent]] = []
    for order, datagram in enumerate(sent):
        for _ in range(draw(st.sampled_from((0, 1, 1, 1, 2)))):
            arriving.append((order + draw(st.integers(0, 10)), order, datagram))
    return [(order, datagram) for _, order, datagram in sorted(arriving, key=lambda each: each[:2])]


@settings(max_examples=60, deadline=None)
@given(st.lists(actions, max_size=25), st.data())
def test_native_datagrams(steps: list[tuple[object, ...]], data: st.DataObject) -> None:
    arriving = through_a_bad_network(history(steps), data.draw)
    decoder = NativeDecoder(Access())
    newest: dict[int, tuple[int, Sent]] = {}
    with hub() as desk:
        for order, datagram in arriving:
            for event in decoder.event(decode_input(datagram.data)):
                desk.hub.handle(event)
            if datagram.sequenced and (datagram.pad not in newest or newest[datagram.pad][0] < order):
                newest[datagram.pad] = order, datagram
        now_held = held(desk)
        for pad, (_, datagram) in newest.items():
            if datagram.says is not None:
                assert now_held[pad] == datagram.says
            else:
                # A straggling arrival may bring an unplugged pad back, but never with anything pressed.
                assert now_held.get(pad, REST) == REST
        for pad in now_held.keys() - newest.keys():
            assert now_held[pad] == REST
        for event in decoder.release(ALL_GRANTS):
            desk.hub.handle(event)
        assert held(desk) == {}


# --- GameStream: in order on each channel, in any order between them -------------------------------------------------

packets = st.one_of(
    st.tuples(st.just("state"), pads, buttons, sticks, triggers),
    st.tuples(st.just("arrive"), pads, st.integers(0, 5), st.integers(0, 0x1FF), buttons),
    st.tuples(st.just("remove"), pads),
    st.tuples(st.just("touch"), pads, st.sampled_from(list(moonlight.Touch))),
    st.tuples(st.just("motion"), pads),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(packets, max_size=40))
def test_gamestream_packets(sequence: list[tuple[object, ...]]) -> None:
    decoder, expected = GameStreamDecoder(), dict[int, tuple[int, int, int]]()
    with hub() as desk:
        for step in sequence:
            packet = _packet(step)
            if packet is None:
                continue
            for event in decoder.decode(packet.payload):
                desk.hub.handle(event)
            match step:
                case ("state", int(pad), int(bits), int(x), int(trigger)):
                    expected[pad] = (bits, x, trigger)
                case ("arrive", int(pad), *_):
                    expected.setdefault(pad, REST)
                case ("remove", int(pad)):
                    expected.pop(pad, None)
        assert held(desk) == expected


def _packet(step: tuple[object, ...]) -> moonlight.InputPacket | None:
    match step:
        case ("state", int(pad), int(bits), int(x), int(trigger)):
            return moonlight.controller_state(pad, 1 << pad, bits, 0, trigger, (x, 0))
        case ("arrive", int(pad), int(kind), int(capabilities), int(bits)):
            return moonlight.controller_arrival(pad, kind, capabilities, bits)
        case ("remove", int(pad)):
            return moonlight.controller_state(pad, 0)
        case ("touch", int(pad), moonlight.Touch() as phase) if phase is not moonlight.Touch.BUTTON_ONLY:
            return moonlight.controller_touch(pad, phase, 1, 0.5, 0.5)
        case ("motion", int(pad)):
            return moonlight.controller_motion(pad, 1, 0.0, 9.8, 0.0)
    return None


# --- The browser: messages of both carriers, by their numbers --------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(pads, buttons, sticks, triggers), max_size=20), st.data())
def test_pages(states: list[tuple[int, int, int, int]], data: st.DataObject) -> None:
    messages = [
        (seq, pad, (bits, x, trigger), page.Pad(seq, pad, bits, 0, trigger, x, 0, 0, 0))
        for seq, (pad, bits, x, trigger) in enumerate(states, start=2**32 - 5)
    ]
    order = data.draw(st.permutations(messages + messages[::3]))
    decoder, newest = PageInput(Grants.GAMEPAD), dict[int, tuple[int, tuple[int, int, int]]]()
    with hub() as desk:

        def hear(message: page.FromPage) -> None:
            if (event := decoder.event(message)) is not None:
                desk.hub.handle(event)

        for pad in range(PADS):
            hear(page.PadPlugged(pad, 3))
        for seq, pad, says, message in order:
            hear(page.decode_from_page(page.encode(page.Pad(seq % 2**32, *_rest(message)))))
            if pad not in newest or newest[pad][0] < seq:
                newest[pad] = seq, says
        assert held(desk) == {pad: newest[pad][1] if pad in newest else REST for pad in range(PADS)}
        for pad in range(PADS):
            hear(page.PadUnplugged(pad))
        for _, _, _, message in order:
            hear(page.Pad(7, *_rest(message)))
        assert held(desk) == {}


def _rest(message: page.Pad) -> tuple[int, ...]:
    m = message
    return m.pad, m.buttons, m.left_trigger, m.right_trigger, m.left_x, m.left_y, m.right_x, m.right_y
