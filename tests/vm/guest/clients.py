"""The three clients of this host with one controller: what they send as bytes, and what comes back to them as bytes.

A client's half is not the host's code: Moonlight's is that of `tests.conformance`, punktfunk/1's is the client library.
The host's half is what its planes call, without their sockets.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from tests.conformance.moonlight import inputs as moonlight
from tests.conformance.moonlight.control import INPUT, ControlCodec
from tests.conformance.moonlight.violations import Violations

from punktfunk.browser import wire as page
from punktfunk.browser.input_events import PageInput
from punktfunk.browser.pad_feedback import page_message
from punktfunk.client.inputs import InputSender
from punktfunk.client.pad_board import PadState as NativeState
from punktfunk.gamestream.control_session import ControlSession
from punktfunk.input.events import Feedback, InputEvent, PadKind
from punktfunk.native.access import Access
from punktfunk.native.input_decoder import InputDecoder
from punktfunk.native.pad_output import PadOutput
from punktfunk.trust.devices import Grants
from punktfunk.wire.punktfunk1 import rich_input
from punktfunk.wire.punktfunk1.caps import HostCaps
from punktfunk.wire.punktfunk1.datagrams import decode_from_client
from punktfunk.wire.punktfunk1.enums import Gamepad
from punktfunk.wire.punktfunk1.input_event import InputEvent as WireEvent

Deliver = Callable[[InputEvent], None]
Vector = tuple[float, float, float]
PAD = 0
KEY = bytes(range(16))


class Client(Protocol):
    """One client. ``declares`` tells whether it can say this kind; the host's setting does where it cannot."""

    messages: list[bytes]
    """What came back, decrypted."""

    @staticmethod
    def declares(kind: PadKind) -> bool: ...

    def arrive(self, kind: PadKind) -> None: ...

    def state(self, buttons: int = 0, **axes: int) -> None: ...

    def remove(self) -> None: ...

    def touch(self, down: bool, finger: int, x: float, y: float, *, surface: int = 0) -> None: ...

    def motion(self, gyro: Vector, acceleration: Vector) -> None: ...

    def battery(self, state: int, percent: int) -> None: ...

    def feedback(self, feedback: Feedback) -> None: ...


class Mute:
    """What a protocol has no message for."""

    def touch(self, down: bool, finger: int, x: float, y: float, *, surface: int = 0) -> None:
        raise NotImplementedError

    def motion(self, gyro: Vector, acceleration: Vector) -> None:
        raise NotImplementedError

    def battery(self, state: int, percent: int) -> None:
        raise NotImplementedError


ANALOG, RUMBLE, TRIGGER_RUMBLE, TOUCHPAD, MOTION, BATTERY, LED, TWO_TOUCHPADS = 1, 2, 4, 8, 0x30, 0x40, 0x80, 0x100
PLAIN_BUTTONS, PADDLES = 0xF7FF, 0x0F0000
SONY = ANALOG | RUMBLE | TOUCHPAD | MOTION | BATTERY | LED
STEAM = ANALOG | RUMBLE | TOUCHPAD | MOTION | BATTERY | TWO_TOUCHPADS
# Type, capabilities and buttons of the arrival packet, as a client would tell of the real pad.
MOONLIGHT_ARRIVALS = {
    PadKind.XBOX_360: (1, ANALOG | RUMBLE, PLAIN_BUTTONS),
    PadKind.XBOX_ONE: (1, ANALOG | RUMBLE | TRIGGER_RUMBLE, PLAIN_BUTTONS),
    PadKind.XBOX_ELITE: (1, ANALOG | RUMBLE | TRIGGER_RUMBLE, PLAIN_BUTTONS | PADDLES),
    PadKind.DUALSHOCK_4: (2, SONY, PLAIN_BUTTONS),
    PadKind.DUALSENSE: (2, SONY, PLAIN_BUTTONS),
    PadKind.DUALSENSE_EDGE: (2, SONY, PLAIN_BUTTONS | PADDLES),
    PadKind.SWITCH_PRO: (3, RUMBLE | MOTION | BATTERY, PLAIN_BUTTONS),
    PadKind.STEAM_CONTROLLER: (4, STEAM, PLAIN_BUTTONS | PADDLES),
    PadKind.STEAM_DECK: (4, STEAM, PLAIN_BUTTONS | PADDLES),
}
NATIVE_KINDS = {
    PadKind.XBOX_360: Gamepad.XBOX_360,
    PadKind.XBOX_ONE: Gamepad.XBOX_ONE,
    PadKind.XBOX_ELITE: Gamepad.XBOX_ELITE,
    PadKind.DUALSHOCK_4: Gamepad.DUALSHOCK_4,
    PadKind.DUALSENSE: Gamepad.DUALSENSE,
    PadKind.DUALSENSE_EDGE: Gamepad.DUALSENSE_EDGE,
    PadKind.SWITCH_PRO: Gamepad.SWITCH_PRO,
    PadKind.STEAM_CONTROLLER: Gamepad.STEAM_CONTROLLER,
    PadKind.STEAM_DECK: Gamepad.STEAM_DECK,
}


class MoonlightClient:
    """GameStream: sealed control messages both ways (gamestream.md §6.5, §7.6)."""

    def __init__(self, deliver: Deliver) -> None:
        self.messages: list[bytes] = []
        self.violations = Violations()
        self._deliver = deliver
        self._codec = ControlCodec(KEY, True, self.violations)
        self._host = ControlSession(KEY, v2=True, now_ms=0)

    @staticmethod
    def declares(kind: PadKind) -> bool:
        # The wire has families: a DualShock 4 is one of PlayStation's, a Steam Controller one of Steam's.
        return kind not in (PadKind.DUALSHOCK_4, PadKind.STEAM_CONTROLLER)

    def arrive(self, kind: PadKind) -> None:
        self._send(moonlight.controller_arrival(PAD, *MOONLIGHT_ARRIVALS[kind]))
        self.state()

    def state(self, buttons: int = 0, **axes: int) -> None:
        def axis(name: str) -> int:
            return axes.get(name, 0)

        left, right = (axis("left_x"), axis("left_y")), (axis("right_x"), axis("right_y"))
        triggers = axis("left_trigger"), axis("right_trigger")
        self._send(moonlight.controller_state(PAD, 1 << PAD, buttons, *triggers, left, right))

    def remove(self) -> None:
        self._send(moonlight.controller_state(PAD, 0))

    def touch(self, down: bool, finger: int, x: float, y: float, *, surface: int = 0) -> None:
        phase = moonlight.Touch.DOWN if down else moonlight.Touch.UP
        self._send(moonlight.controller_touch(PAD, phase, finger, x, y, 1.0, surface))

    def motion(self, gyro: Vector, acceleration: Vector) -> None:
        self._send(moonlight.controller_motion(PAD, 1, *acceleration))
        self._send(moonlight.controller_motion(PAD, 2, *gyro))

    def battery(self, state: int, percent: int) -> None:
        self._send(moonlight.controller_battery(PAD, state, percent))

    def feedback(self, feedback: Feedback) -> None:
        if (envelope := self._host.feedback(feedback)) is not None:
            opened = self._codec.open(envelope)
            assert opened is not None, self.violations
            self.messages.append(opened[0].to_bytes(2, "little") + opened[1])

    def _send(self, packet: moonlight.InputPacket) -> None:
        for event in self._host.received(self._codec.seal(INPUT, packet.payload), 0):
            if isinstance(event, InputEvent):
                self._deliver(event)
        assert self._host.statistics.last_error == ""


class NativeClient(Mute):
    """punktfunk/1: datagrams both ways (punktfunk1.md §7.3, §7.4, §7.6, §7.7)."""

    def __init__(self, deliver: Deliver) -> None:
        self.messages: list[bytes] = []
        self._deliver = deliver
        self._sender = InputSender(self._send, HostCaps.GAMEPAD_STATE)
        self._decoder = InputDecoder(Access())
        self.output = PadOutput()

    @staticmethod
    def declares(kind: PadKind) -> bool:
        return True

    def arrive(self, kind: PadKind) -> None:
        self._sender.pad_arrived(PAD, NATIVE_KINDS[kind], time.monotonic())

    def state(self, buttons: int = 0, **axes: int) -> None:
        self._sender.pad(PAD, NativeState(buttons, **axes), time.monotonic())

    def remove(self) -> None:
        self._sender.pad_removed(PAD, time.monotonic())

    def touch(self, down: bool, finger: int, x: float, y: float, *, surface: int = 0) -> None:
        if surface:
            place = round(x * 65535) - 32768, round(y * 65535) - 32768
            self._sender.rich(rich_input.TouchpadEx(PAD, 1 + surface, finger, down, False, *place, 0xFFFF))
        else:
            self._sender.rich(rich_input.Touchpad(PAD, finger, down, round(x * 65535), round(y * 65535)))

    def motion(self, gyro: Vector, acceleration: Vector) -> None:
        x, y, z = (round(value / 9.80665 * 10_000) for value in acceleration)
        pitch, yaw, roll = (round(value * 20) for value in gyro)
        self._sender.rich(rich_input.Motion(PAD, (pitch, yaw, roll), (x, y, z)))

    def feedback(self, feedback: Feedback) -> None:
        self.messages += self.output.take((feedback,), time.monotonic())

    def _send(self, datagram: bytes) -> None:
        value = decode_from_client(datagram)
        if isinstance(value, WireEvent):
            events = self._decoder.event(value)
        else:
            assert isinstance(value, rich_input.RichInput)
            events = self._decoder.rich(value, time.monotonic())
        for event in events:
            self._deliver(event)


class BrowserClient(Mute):
    """A page, whose controllers have no kind, no touchpad and no motion."""

    def __init__(self, deliver: Deliver) -> None:
        self.messages: list[bytes] = []
        self._deliver = deliver
        self._input = PageInput(Grants.GAMEPAD)
        self._seq = 0

    @staticmethod
    def declares(kind: PadKind) -> bool:
        return False

    def arrive(self, kind: PadKind) -> None:
        self._send(page.PadPlugged(PAD, ANALOG | RUMBLE))

    def state(self, buttons: int = 0, **axes: int) -> None:
        self._seq += 1
        names = ("left_trigger", "right_trigger", "left_x", "left_y", "right_x", "right_y")
        self._send(page.Pad(self._seq, PAD, buttons, *(axes.get(name, 0) for name in names)))

    def remove(self) -> None:
        self._send(page.PadUnplugged(PAD))

    def feedback(self, feedback: Feedback) -> None:
        if (message := page_message(feedback)) is not None:
            self.messages.append(page.encode(message))

    def _send(self, message: page.Message) -> None:
        event = self._input.event(page.decode_from_page(page.encode(message)))
        if event is not None:
            self._deliver(event)
