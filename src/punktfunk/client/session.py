"""Connecting to a host and what a program does with a session: the client library's front (punktfunk1.md §4, §9).

async with connect("192.0.2.7", identity) as session:
    async for picture in session.pictures():
        ...
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from punktfunk.client.arrival import Arrival
from punktfunk.client.audio_order import AudioPacket, AudioStatistics
from punktfunk.client.channel import Channel
from punktfunk.client.clipboard import Clipboard
from punktfunk.client.connection import Connection, ControlStatistics, Event, Mode
from punktfunk.client.decoder import Decoded, Picture, VideoDecoder
from punktfunk.client.endpoint import Endpoint, dial
from punktfunk.client.errors import ClientError, ConnectionLostError, NotApprovedError, ProtocolError
from punktfunk.client.feedback import FeedbackStatistics
from punktfunk.client.identity import ClientIdentity
from punktfunk.client.inputs import InputSender
from punktfunk.client.latency import StageLatencies
from punktfunk.client.media import MediaReader, bind_data_socket
from punktfunk.client.reassembly import ReassemblyStatistics
from punktfunk.client.receiver import VideoReceiver, key_of, limits_of
from punktfunk.client.speed_test import SpeedTest
from punktfunk.wire.punktfunk1 import DEFAULT_PORT, WIRE_VERSION
from punktfunk.wire.punktfunk1 import messages as m
from punktfunk.wire.punktfunk1.caps import ClientCaps, VideoCaps
from punktfunk.wire.punktfunk1.control import encode_control
from punktfunk.wire.punktfunk1.enums import CloseCode, Compositor, Gamepad, VideoCodec
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.hello import Hello, encode_hello
from punktfunk.wire.punktfunk1.video import MAX_SHARD_BYTES
from punktfunk.wire.punktfunk1.welcome import Start, Welcome, decode_welcome, encode_start

APPROVAL_TIMEOUT_S = 185.0
ANSWER_TIMEOUT_S = 5.0
MAX_FRAMES = 64
MAX_PICTURES = 3
MAX_AUDIO_PACKETS = 64
MAX_EVENTS = 256
DEFAULT_MODE = Mode(1280, 720, 60)
_SOFTWARE_CODECS = VideoCodec.H264 | VideoCodec.HEVC | VideoCodec.AV1

DataRoute = Callable[[str, int], Awaitable[tuple[str, int]]]
"""Where to reach the host's data port: (host address, port of the Welcome) to an address of this side's network."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to ask of a host. ``bitrate_kbps`` 0: the client adapts it to the path. ``codecs``: those that can be
    decoded, ``preferred`` one of them or NONE. ``decode`` False: access units only. ``pin``: the host's fingerprint,
    None trusts any. ``data_route``: for port forwardings and tests."""

    mode: Mode = DEFAULT_MODE
    bitrate_kbps: int = 0
    codecs: VideoCodec = _SOFTWARE_CODECS
    preferred: VideoCodec = VideoCodec.NONE
    name: str = "punktfunk client"
    launch_id: str | None = None
    audio_channels: int = 2
    gamepad: Gamepad = Gamepad.AUTO
    compositor: Compositor = Compositor.AUTO
    video_caps: VideoCaps = VideoCaps.NONE
    client_caps: ClientCaps = ClientCaps.AUDIO_RED
    audio_rate_hz: int = 48_000
    audio_bits: int = 16
    decode: bool = True
    pin: bytes | None = None
    dial_budget_s: float = 10.0
    approval_timeout_s: float = APPROVAL_TIMEOUT_S
    data_route: DataRoute | None = field(default=None, repr=False)

    def hello(self) -> Hello:
        """The first message."""
        always = VideoCaps.HOST_TIMING | VideoCaps.PROBE_SEQ | VideoCaps.STREAMED_AU | VideoCaps.MULTI_SLICE
        return Hello(
            width=self.mode.width,
            height=self.mode.height,
            refresh_hz=self.mode.refresh_hz,
            compositor=self.compositor,
            gamepad=self.gamepad,
            bitrate_kbps=self.bitrate_kbps,
            name=self.name,
            launch_id=self.launch_id,
            video_caps=self.video_caps | always,
            audio_channels=self.audio_channels,
            video_codecs=self.codecs,
            preferred_codec=self.preferred,
            client_caps=self.client_caps,
            max_shard_payload=MAX_SHARD_BYTES,
            audio_rate_hz=self.audio_rate_hz,
            audio_bits=self.audio_bits,
        )


@dataclass(frozen=True, slots=True)
class VideoUnit:
    """An access unit for a program that decodes by itself; see ``Picture`` for ``show``."""

    arrival: Arrival
    show: bool


@dataclass(frozen=True, slots=True)
class Statistics:
    """All counters of a session; they go on counting. ``refused`` datagrams were not authentic or repeated;
    ``unread`` values were dropped because nobody took them in time."""

    packets: int
    refused: int
    wire_bytes: int
    video: ReassemblyStatistics
    feedback: FeedbackStatistics
    audio: AudioStatistics
    control: ControlStatistics
    latencies: StageLatencies
    bitrate_kbps: int
    decoder_failures: int
    unread: int
    clock_offset_ns: int | None
    rtt_ns: int | None


class Session:
    """A running session; made by ``connect``. All methods belong to the event loop that made it.

    The iterators end with the session; ``closed`` then holds why. Each of them takes one reader at a time.
    """

    def __init__(
        self, endpoint: Endpoint, welcome: Welcome, options: Options, data_socket: socket.socket, data: tuple[str, int]
    ) -> None:
        self.welcome = welcome
        self.closed: ClientError | None = None
        self.clipboard = Clipboard(endpoint)
        self.input = InputSender(endpoint.send_datagram, welcome.host_caps)
        self._loop = asyncio.get_running_loop()
        self._endpoint = endpoint
        now = self._loop.time()
        self._receiver = VideoReceiver(key_of(welcome), limits_of(welcome))
        self.connection = Connection(welcome, self._receiver, now, adaptive=options.bitrate_kbps == 0)
        self._frames: Channel[VideoUnit] = Channel(MAX_FRAMES)
        self._pictures: Channel[Picture] = Channel(MAX_PICTURES)
        self._audio: Channel[AudioPacket] = Channel(MAX_AUDIO_PACKETS)
        self._events: Channel[Event] = Channel(MAX_EVENTS)
        self._frames_wanted = False
        self._decoder_failures = 0
        self._answers: dict[type[Event], asyncio.Future[Event]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()
        # A number of frames means frames to be checked byte by byte, which no decoder takes.
        decode = options.decode and not welcome.frames
        self._decoder = VideoDecoder(welcome.codec, self._on_decoder) if decode else None
        self._reader = MediaReader(data_socket, data, self._receiver, self._on_reader)
        endpoint.on_closed = self._on_closed

    @property
    def mode(self) -> Mode:
        """The mode that the host streams now."""
        return self.connection.mode

    @property
    def host_fingerprint(self) -> bytes:
        """The fingerprint of the host, to be pinned."""
        return self._endpoint.host_fingerprint

    @property
    def statistics(self) -> Statistics:
        """The counters."""
        connection, receiver = self.connection, self._receiver
        channels: tuple[Channel[VideoUnit] | Channel[Picture] | Channel[AudioPacket] | Channel[Event], ...]
        channels = (self._frames, self._audio, self._events)
        return Statistics(
            packets=receiver.packets,
            refused=receiver.refused,
            wire_bytes=self._reader.wire_bytes,
            video=receiver.reassembler.statistics,
            feedback=connection.feedback.statistics,
            audio=connection.audio.statistics,
            control=connection.statistics,
            latencies=connection.latencies,
            bitrate_kbps=connection.feedback.bitrate_kbps,
            decoder_failures=self._decoder_failures,
            unread=sum(channel.dropped for channel in channels),
            clock_offset_ns=connection.offset_ns,
            rtt_ns=connection.clock.rtt_ns,
        )

    async def frames(self) -> AsyncIterator[VideoUnit]:
        """Access units as they become whole. A reader that falls ``MAX_FRAMES`` behind loses the oldest, and the host
        is asked for a keyframe."""
        self._frames_wanted = True
        async for unit in self._frames:
            yield unit

    async def pictures(self) -> AsyncIterator[Picture]:
        """Decoded pictures; a reader that is too slow misses some."""
        async for picture in self._pictures:
            yield picture

    async def audio(self) -> AsyncIterator[AudioPacket]:
        """Sound in order, lost frames marked."""
        async for packet in self._audio:
            yield packet

    async def events(self) -> AsyncIterator[Event]:
        """Everything else that the host tells."""
        async for event in self._events:
            yield event

    async def reconfigure(self, mode: Mode) -> m.Reconfigured:
        """Ask for another mode; the host's answer. Raises ``ConnectionLostError`` without one."""
        self._endpoint.send_control(encode_control(m.Reconfigure(mode.width, mode.height, mode.refresh_hz)))
        answer = await self._answer(m.Reconfigured, ANSWER_TIMEOUT_S)
        assert isinstance(answer, m.Reconfigured)
        return answer

    async def speed_test(self, target_kbps: int, duration_ms: int = 800) -> SpeedTest:
        """Let the host send filler at this rate, and measure. Waits for one that runs already."""
        while self.connection.testing:
            await self._answer(SpeedTest, 30.0)
        self.connection.start_test(m.ProbeRequest(target_kbps, duration_ms), self._loop.time())
        self._pump()
        answer = await self._answer(SpeedTest, 30.0)
        assert isinstance(answer, SpeedTest)
        return answer

    def request_keyframe(self) -> None:
        """Ask for a keyframe."""
        self._endpoint.send_control(encode_control(m.RequestKeyframe()))

    def set_bitrate(self, kbps: int) -> None:
        """Ask for a bitrate once; a ``BitrateChanged`` event answers. 0 = the host's default."""
        self._endpoint.send_control(encode_control(m.SetBitrate(kbps)))

    def draw_cursor(self, client_draws: bool) -> None:
        """Who draws the pointer from now on, where the cursor channel was agreed on."""
        self._endpoint.send_control(encode_control(m.CursorRender(client_draws)))

    def send_datagram(self, data: bytes) -> None:
        """An encoded datagram, such as microphone sound."""
        self._endpoint.send_datagram(data)

    async def wait_closed(self) -> ClientError:
        """Wait for the end; why it came."""
        await self._ended.wait()
        assert self.closed is not None
        return self.closed

    async def close(self, code: int = CloseCode.DONE) -> None:
        """End the session; ``CloseCode.USER_QUIT`` lets the host tear down at once. Safe to repeat."""
        if self._timer is not None:
            self._timer.cancel()
        await self._endpoint.shut(code)
        await asyncio.to_thread(self._stop_threads)

    def start(self) -> None:
        """Begin to receive; ``connect`` does it."""
        self._reader.start()
        self._endpoint.attach(self._on_control, self._on_datagram)
        self._pump()

    def _stop_threads(self) -> None:
        self._reader.close()
        if self._decoder is not None:
            self._decoder.close()

    def _on_control(self, payload: bytes) -> None:
        self.connection.control(payload, self._loop.time(), time.time_ns())
        self._pump()

    def _on_datagram(self, data: bytes) -> None:
        self.connection.datagram(data, self._loop.time())
        self._deliver()

    def _on_reader(self) -> None:
        # The loop may be closed already when a last packet arrives.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._take_arrivals)

    def _on_decoder(self, decoded: Decoded) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._take_decoded, decoded)

    def _take_arrivals(self) -> None:
        now = self._loop.time()
        for arrival in self._reader.take():
            for ready in self.connection.ordered(arrival, now):
                self._take_frame(ready, now)
        self._pump()

    def _take_frame(self, arrival: Arrival, now: float) -> None:
        decoder = self._decoder
        queued = decoder.queued if decoder is not None else len(self._frames)
        delivery = self.connection.frame(arrival, queued, now, decoding=decoder is not None)
        if delivery.flush:
            self._frames.clear()
            if decoder is not None:
                decoder.flush()
            return
        if decoder is not None and not decoder.put(arrival, show=delivery.show):
            decoder.flush()
            self.connection.feedback.frames_dropped(now)
        if self._frames_wanted:
            lost = self._frames.dropped
            self._frames.put(VideoUnit(arrival, delivery.show))
            if self._frames.dropped > lost and decoder is None:
                self.connection.feedback.frames_dropped(now)

    def _take_decoded(self, decoded: Decoded) -> None:
        if decoded.failed:
            self._decoder_failures += 1
            self.connection.feedback.decoder_failed(self._loop.time())
            self._pump()
        for picture in decoded.pictures:
            self.connection.decoded(decoded.arrival, decoded.seconds, picture.decoded_ns)
            self._pictures.put(picture)

    def _pump(self) -> None:
        """Do what is due, send, deliver, and set the timer for the next time."""
        if self.closed is not None:
            return
        now = self._loop.time()
        connection = self.connection
        for ready in connection.overdue(now):
            self._take_frame(ready, now)
        connection.poll(now, time.time_ns())
        self.input.poll(now)
        if connection.punch_due:
            connection.punch_due = False
            self._reader.punch()
        for message in connection.take_messages():
            self._endpoint.send_control(encode_control(message))
        self._deliver()
        inputs_at = self.input.next_deadline()
        due = connection.next_deadline() if inputs_at is None else min(connection.next_deadline(), inputs_at)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(max(due, now + 0.001), self._pump)

    def _deliver(self) -> None:
        connection = self.connection
        packets, connection.audio_packets = connection.audio_packets, []
        for packet in packets:
            self._audio.put(packet)
        events, connection.events = connection.events, []
        for event in events:
            if isinstance(event, m.ClipState | m.ClipOffer):
                self.clipboard.received(event)
            waiter = self._answers.pop(type(event), None)
            if waiter is not None and not waiter.done():
                waiter.set_result(event)
            self._events.put(event)

    async def _answer(self, kind: type[Event], timeout_s: float) -> Event:
        waiter = self._answers.get(kind)
        if waiter is None or waiter.done():
            waiter = self._answers[kind] = self._loop.create_future()
        if self.closed is not None:
            raise self.closed
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(waiter)
        except TimeoutError:
            raise ConnectionLostError(f"the host did not answer within {timeout_s:.0f} s") from None

    def _on_closed(self, error: ClientError) -> None:
        self.closed = error
        if self._timer is not None:
            self._timer.cancel()
        for channel in (self._frames, self._pictures, self._audio, self._events):
            channel.close()
        for waiter in self._answers.values():
            if not waiter.done():
                waiter.set_exception(error)
                # Nobody may be waiting any more.
                waiter.exception()
        self._ended.set()


@contextlib.asynccontextmanager
async def connect(
    host: str, identity: ClientIdentity, options: Options | None = None, *, port: int = DEFAULT_PORT
) -> AsyncIterator[Session]:
    """A session with a host; left, it is closed as a user's quit. Raises what ``dial`` raises, and the host's reason
    when it refuses (``errors.closed``)."""
    options = options or Options()
    endpoint = await dial(host, port, identity, pin=options.pin, budget_s=options.dial_budget_s)
    try:
        session = await _handshake(endpoint, options)
    except BaseException:
        await endpoint.shut(CloseCode.ERROR)
        raise
    try:
        session.start()
        yield session
    finally:
        await session.close(CloseCode.USER_QUIT)


async def _handshake(endpoint: Endpoint, options: Options) -> Session:
    endpoint.send_control(encode_hello(options.hello()))
    try:
        payload = await endpoint.next_payload(options.approval_timeout_s)
    except ConnectionLostError:
        if endpoint.closed_error is not None:
            raise
        raise NotApprovedError(
            f"nobody let this device in within {options.approval_timeout_s:.0f} s: approve it at the host, or pair"
        ) from None
    try:
        welcome = decode_welcome(payload)
    except MalformedError as error:
        raise ProtocolError(f"the host's welcome cannot be understood ({error})") from None
    if welcome.abi_version != WIRE_VERSION or not welcome.encrypted:
        raise ProtocolError("the host speaks another version, or does not encrypt")
    address = endpoint.remote_address
    route = await options.data_route(address, welcome.data_port) if options.data_route else (address, welcome.data_port)
    try:
        data_socket = bind_data_socket(address)
    except OSError as error:
        raise ClientError(f"no socket for the video: {error.strerror}") from error
    try:
        session = Session(endpoint, welcome, options, data_socket, route)
    except BaseException:
        data_socket.close()
        raise
    endpoint.send_control(encode_start(Start(data_socket.getsockname()[1])))
    return session
