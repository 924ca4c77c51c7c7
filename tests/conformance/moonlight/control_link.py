"""The control connection of one stream: socket, ENet, encryption and impairment put together."""

import contextlib
import socket
from collections.abc import Callable

from .control import (
    CHANNEL_GENERIC,
    INPUT,
    PERIODIC_PING,
    PING_PAYLOAD,
    START_A,
    START_B,
    ControlCodec,
    Feedback,
    parse_feedback,
)
from .enet import EnetClient
from .enet_wire import Connected, Disconnected
from .impair import Impairer, Impairment
from .inputs import InputPacket
from .violations import Violations


class ControlLink:
    """Runs on the reactor's thread; the callbacks too."""

    def __init__(
        self,
        sock: socket.socket,
        address: tuple[str, int],
        enet: EnetClient,
        codec: ControlCodec,
        *,
        impairment: Impairment | None,
        violations: Violations,
        on_connected: Callable[[], None],
        on_feedback: Callable[[Feedback, float], None],
        on_closed: Callable[[Disconnected], None],
    ) -> None:
        self.enet = enet
        self.address = address
        self._sock, self._codec, self._violations = sock, codec, violations
        self._incoming: Impairer[bytes] = Impairer("control-in", impairment)
        self._outgoing: Impairer[bytes] = Impairer("control-out", impairment)
        self._on_connected, self._on_feedback, self._on_closed = on_connected, on_feedback, on_closed

    def connect(self, now: float) -> None:
        self.enet.connect(now)
        self._pump(now)

    def start(self, now: float) -> None:
        self.send(START_A, b"\0\0", CHANNEL_GENERIC, now)
        self.send(START_B, b"\0", CHANNEL_GENERIC, now)

    def periodic_ping(self, now: float) -> None:
        self.send(PERIODIC_PING, PING_PAYLOAD, CHANNEL_GENERIC, now)

    def send(self, kind: int, payload: bytes, channel: int, now: float) -> None:
        """Send reliably; dropped silently when the connection is not up."""
        if self.enet.state == "connected":
            self.enet.send_reliable(channel, self._codec.seal(kind, payload), now)
            self._pump(now)

    def send_unsequenced(self, kind: int, payload: bytes, channel: int, now: float) -> None:
        if self.enet.state == "connected":
            self.enet.send_unsequenced(channel, self._codec.seal(kind, payload), now)
            self._pump(now)

    def send_input(self, packet: InputPacket, now: float) -> None:
        if packet.reliable:
            self.send(INPUT, packet.payload, packet.channel, now)
        elif self.enet.state == "connected":
            self.enet.send_unreliable(packet.channel, self._codec.seal(INPUT, packet.payload), now)
            self._pump(now)

    def send_raw(self, message: bytes, channel: int, now: float) -> None:
        """An ENet message exactly as given: for negative tests."""
        self.enet.send_reliable(channel, message, now)
        self._pump(now)

    def disconnect(self, now: float) -> None:
        self.enet.disconnect(now)
        self._pump(now)

    def disconnect_now(self, now: float) -> None:
        self.enet.disconnect_now(now)
        self._pump(now)

    def on_datagram(self, raw: bytes, now: float) -> None:
        for survivor in self._incoming.feed(raw):
            self.enet.receive(survivor, now)
        self._pump(now)

    def tick(self, now: float) -> None:
        self.enet.poll(now)
        self._pump(now)

    def _pump(self, now: float) -> None:
        for datagram in self.enet.take_datagrams():
            for survivor in self._outgoing.feed(datagram):
                with contextlib.suppress(OSError):
                    self._sock.sendto(survivor, self.address)
        for event in self.enet.take_events():
            match event:
                case Connected():
                    self._on_connected()
                case Disconnected():
                    self._on_closed(event)
                case _:
                    self._on_message(event.channel, event.data, event.reliable, now)

    def _on_message(self, channel: int, data: bytes, reliable: bool, now: float) -> None:
        if channel != CHANNEL_GENERIC or not reliable:
            self._violations.add("control.delivery", f"channel {channel} reliable {reliable}")
        opened = self._codec.open(data)
        if opened is not None:
            self._on_feedback(parse_feedback(*opened, self._violations), now)
