"""A small punktfunk/1 host on loopback that does as it is told."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from tests.wire.native_stream import datagrams

from punktfunk.client.identity import new_identity
from punktfunk.native.adaptive_fec import Protection
from punktfunk.native.numbers import VideoNumbers
from punktfunk.native.packetizer import Geometry, VideoPacketizer
from punktfunk.wire.punktfunk1 import messages as m
from punktfunk.wire.punktfunk1.caps import HostCaps
from punktfunk.wire.punktfunk1.control import decode_control, encode_control
from punktfunk.wire.punktfunk1.datagrams import FromClient, FromHost, decode_from_client, encode_datagram
from punktfunk.wire.punktfunk1.enums import VideoCodec
from punktfunk.wire.punktfunk1.framing import FrameDecoder, encode_frame
from punktfunk.wire.punktfunk1.hello import Hello, decode_hello
from punktfunk.wire.punktfunk1.pairing import PakeHost
from punktfunk.wire.punktfunk1.video import PUNCH, FrameFlags, SealKey
from punktfunk.wire.punktfunk1.welcome import Start, Welcome, decode_start, encode_welcome

IDENTITY = new_identity()
KEY, SALT = bytes(range(16)), b"salt"
ALL_CAPS = HostCaps.GAMEPAD_STATE | HostCaps.CLIPBOARD | HostCaps.TEXT_INPUT | HostCaps.CURSOR | HostCaps.PEN


class FakeHost(asyncio.DatagramProtocol):
    """``answers`` maps a type of client message to what is answered. Everything received is kept."""

    def __init__(self) -> None:
        self.pin = "0042"
        self.client_fingerprint = bytes(32)
        self.refuse: int | None = None
        self.raw_welcome: bytes | None = None
        self.caps = ALL_CAPS
        self.codec = VideoCodec.H264
        self.answers: dict[type, Callable[[Any], list[m.ControlMessage]]] = {
            m.ClockProbe: lambda probe: [m.ClockEcho(probe.t1_ns, time.time_ns(), time.time_ns())],
            m.Reconfigure: lambda wish: [m.Reconfigured(True, wish.width, wish.height, wish.refresh_hz)],
        }
        self.hello: Hello | None = None
        self.start: Start | None = None
        self.messages: list[m.ControlMessage] = []
        self.datagrams: list[FromClient] = []
        self.streams: dict[int, bytes] = {}
        self.stream_answer = b""
        self.closed: tuple[int, str] | None = None
        self.connections: list[_Connection] = []
        self.changed = asyncio.Condition()
        self.packetizer = VideoPacketizer(SealKey(KEY, SALT), Geometry(1408), VideoNumbers())
        self.packetizer.protection = Protection(20)
        self.punched_from: tuple[str, int] | None = None
        self.port = 0
        self.data_port = 0
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def connection(self) -> _Connection:
        return self.connections[-1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.data_port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data == PUNCH:
            self.punched_from = addr
            self.notify()

    def notify(self) -> None:
        async def wake() -> None:
            async with self.changed:
                self.changed.notify_all()

        task = asyncio.get_running_loop().create_task(wake())
        self._tasks = getattr(self, "_tasks", set()) | {task}

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(condition)

    def frame(self, data: bytes, flags: FrameFlags = FrameFlags.PICTURE, *, lose: int = 0, pts_ns: int = 0) -> None:
        """Send an access unit, without its first ``lose`` packets."""
        assert self._transport is not None
        assert self.punched_from is not None
        for packet in datagrams(self.packetizer.frame(data, pts_ns or time.time_ns(), flags))[lose:]:
            self._transport.sendto(packet, self.punched_from)

    def filler(self, count: int) -> None:
        assert self._transport is not None
        for _ in range(count):
            for packet in datagrams(self.packetizer.probe(1200, time.time_ns())):
                self._transport.sendto(packet, self.punched_from)

    def say(self, *messages: m.ControlMessage) -> None:
        self.connection.say(*messages)

    def tell(self, value: FromHost) -> None:
        self.connection.tell(encode_datagram(value))

    def welcome(self) -> Welcome:
        assert self.hello is not None
        return Welcome(
            self.data_port,
            self.hello.width,
            self.hello.height,
            self.hello.refresh_hz,
            1408,
            KEY,
            SALT,
            codec=self.codec,
            bitrate_kbps=self.hello.bitrate_kbps or 20_000,
            host_caps=self.caps,
        )

    async def received(self, kind: type) -> Any:
        """The first message or datagram of a kind."""
        await self.until(lambda: any(isinstance(v, kind) for v in [*self.messages, *self.datagrams]))
        return next(v for v in [*self.messages, *self.datagrams] if isinstance(v, kind))


class _Connection(QuicConnectionProtocol):
    def __init__(self, *args: Any, host: FakeHost, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.host = host
        host.connections.append(self)
        self._frames = FrameDecoder()
        self._pake: PakeHost | None = None

    def say(self, *messages: m.ControlMessage) -> None:
        for message in messages:
            self._quic.send_stream_data(0, encode_frame(encode_control(message)))
        self.transmit()

    def raw(self, data: bytes, stream_id: int = 0, end: bool = False) -> None:
        self._quic.send_stream_data(stream_id, data, end)
        self.transmit()

    def open(self, data: bytes) -> int:
        stream_id = self._quic.get_next_available_stream_id()
        self.raw(data, stream_id)
        return stream_id

    def tell(self, data: bytes) -> None:
        self._quic.send_datagram_frame(data)
        self.transmit()

    def quic_event_received(self, event: events.QuicEvent) -> None:
        host = self.host
        match event:
            case events.StreamDataReceived(stream_id=0, data=data):
                for payload in self._frames.feed(data):
                    self._payload(payload)
            case events.StreamDataReceived(stream_id=stream_id, data=data, end_stream=end):
                host.streams[stream_id] = host.streams.get(stream_id, b"") + data
                if host.stream_answer and stream_id % 4 == 0 and end:
                    self.raw(host.stream_answer, stream_id, True)
            case events.DatagramFrameReceived(data=data):
                host.datagrams.append(decode_from_client(data))
            case events.ConnectionTerminated():
                host.closed = event.error_code, event.reason_phrase
        host.notify()

    def _payload(self, payload: bytes) -> None:
        host = self.host
        if payload.startswith(b"PKF1") and len(payload) < 20:
            host.start = decode_start(payload)
            return
        if payload.startswith(b"PKF1"):
            host.hello = decode_hello(payload)
            if host.refuse is not None:
                self.close(host.refuse, "said the test")
            elif host.raw_welcome is None:
                self.raw(encode_frame(encode_welcome(host.welcome())))
            elif host.raw_welcome:
                self.raw(host.raw_welcome)
            return
        message = decode_control(payload)
        host.messages.append(message)
        if isinstance(message, m.PairRequest):
            self._pake = PakeHost(host.pin, host.client_fingerprint, IDENTITY.fingerprint)
            self._pake.receive(message.spake_a)
            self.say(m.PairChallenge(self._pake.message, self._pake.confirmation()))
        elif isinstance(message, m.PairProof):
            assert self._pake is not None
            self.say(m.PairResult(self._pake.verify_client(message.confirmation)))
        answer = host.answers.get(type(message))
        if answer is not None:
            self.say(*answer(message))


@asynccontextmanager
async def fake_host() -> AsyncIterator[FakeHost]:
    """A running fake host."""
    host = FakeHost()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: host, local_addr=("127.0.0.1", 0))
    configuration = QuicConfiguration(
        is_client=False,
        alpn_protocols=["pkf1"],
        certificate=IDENTITY.certificate,
        private_key=IDENTITY.private_key,
        max_datagram_frame_size=65536,
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as finder:
        finder.bind(("127.0.0.1", 0))
        host.port = finder.getsockname()[1]
    server = await serve(
        "127.0.0.1",
        host.port,
        configuration=configuration,
        create_protocol=lambda *args, **kwargs: _Connection(*args, host=host, **kwargs),
    )
    try:
        yield host
    finally:
        server.close()
        transport.close()
