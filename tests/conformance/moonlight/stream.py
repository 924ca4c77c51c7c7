"""One running stream: handshake, sockets, pings, control, and what arrives."""

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable

from .audio import AudioCipher, AudioPacket
from .bitstream import BitstreamChecker, Expected
from .control import (
    CHANNEL_GENERIC,
    CHANNEL_URGENT,
    FRAME_FEC_STATUS,
    INVALIDATE_REFERENCES,
    LTR_ACK,
    NO_VIDEO_FRAME,
    NO_VIDEO_TRAFFIC,
    REQUEST_IDR,
    ControlCodec,
    Feedback,
    Termination,
    invalidate_references,
    ltr_ack,
    termination_result,
)
from .control_link import ControlLink
from .depacketiser import AcknowledgeLtr, Depacketiser, Frame, InvalidateReferences, Request
from .describe import Agreement
from .enet import CONNECT_TIMEOUT_S, EnetClient
from .enet_wire import Disconnected
from .errors import StreamFailed
from .handshake import Endpoint, Handshake, Launch
from .idr_clock import IdrClock
from .impair import Impairer, Impairment
from .input_methods import InputMethods
from .inputs import InputPacket, enable_haptics
from .media import PING_INTERVAL_S, AudioPipeline, Pinger, VideoPipeline, kernel_drops, open_udp
from .options import Encryption, StreamOptions
from .reactor import Reactor
from .shard import ShardParser
from .statistics import Statistics
from .video_audit import VideoAudit
from .violations import Violations

MAX_FRAMES = 600
MAX_AUDIO_PACKETS = 24000
MAX_FEEDBACK = 4096
NO_VIDEO_S = 10.0
TICK_S = 0.005
CONTROL_PING_S = 0.1
STATUS_INTERVAL_S = 0.1
CLOSE_TIMEOUT_S = 6.0
MIN_RATED_S = 2.0


class Stream(InputMethods):
    """A started stream, from ``MoonlightClient.launch`` or ``resume``; ends with :meth:`close` or :meth:`vanish`."""

    def __init__(
        self,
        host: str,
        launch: Launch,
        options: StreamOptions,
        impairment: Impairment | None,
        violations: Violations,
    ) -> None:
        self.host, self.launch, self.options, self.violations = host, launch, options, violations
        self.audio_packets: deque[AudioPacket] = deque(maxlen=MAX_AUDIO_PACKETS)
        self.feedback: deque[Feedback] = deque(maxlen=MAX_FEEDBACK)
        self.result: int | None = None
        """The client library's code once the stream has ended: 0 after a graceful end, else negative."""
        self.end_reason = ""
        self.agreement: Agreement
        self.handshake = Handshake(host, launch, options, violations)
        self._impairment = impairment
        self._loop = asyncio.get_running_loop()
        self._changed, self._ended = asyncio.Event(), asyncio.Event()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._reactor = Reactor(f"moonlight-{options.mode}", self._on_reactor_end)
        self._sockets: list[socket.socket] = []
        self._frames: deque[Frame] = deque(maxlen=MAX_FRAMES)
        self._unread = 0
        self._video: VideoPipeline | None = None
        self._audio: AudioPipeline | None = None
        self._link: ControlLink | None = None
        self._video_pinger: Pinger | None = None
        self._idr_clock = IdrClock(violations)
        self._first_frame_at: float | None = None
        self._last_frame_at: float | None = None
        self._longest_stall_s = 0.0
        self._closing = self._finished = False
        self._kernel_drops = 0

    async def start(self) -> None:
        """Handshake, control connection, pings. Raises RtspFailed or StreamFailed; nothing is left open then."""
        self._reactor.start()
        try:
            self.agreement, video, control = await self.handshake.run(self._start_audio)
            self._start_control(control)
            async with asyncio.timeout(CONNECT_TIMEOUT_S + 2):
                await self._connected
            self._start_video(video)
            if self.options.startup_input:
                self.send_input(enable_haptics())
                self.mouse_move(1, 1)
                await asyncio.sleep(0.01)
                self.mouse_move(-1, -1)
        except BaseException:
            await self._shut_down()
            raise

    async def frames(self) -> AsyncIterator[Frame]:
        """Delivered frames in order until the stream ends. Unread frames beyond 600 push out the oldest."""
        while True:
            while self._frames:
                yield self._frames.popleft()
            if self._ended.is_set():
                self._raise_failure()
                return
            self._changed.clear()
            if not self._frames and not self._ended.is_set():
                await self._changed.wait()

    async def wait_for_frames(self, count: int, timeout_s: float = 10) -> list[Frame]:
        """The next ``count`` frames; TimeoutError or StreamFailed when they do not come."""
        taken: list[Frame] = []
        async with asyncio.timeout(timeout_s):
            async for frame in self.frames():
                taken.append(frame)
                if len(taken) == count:
                    return taken
        raise StreamFailed(f"ended after {len(taken)} of {count} frames: {self.end_reason}", self.result or 0)

    async def wait_ended(self, timeout_s: float = 15) -> int:
        """The result code, once the host or a fault has ended the stream."""
        async with asyncio.timeout(timeout_s):
            await self._ended.wait()
        self._raise_failure()
        return self.result if self.result is not None else -1

    def send_input(self, packet: InputPacket) -> None:
        self._reactor.post(lambda now: self._link.send_input(packet, now) if self._link else None)

    def request_idr(self) -> None:
        """Ask for an IDR as a client does whose decoder is in trouble."""

        def ask(now: float) -> None:
            if self._video is not None:
                self._on_request(self._video.depacketiser.expect_idr(), now)

        self._reactor.post(ask)

    def invalidate(self, first: int, last: int) -> None:
        """Report frames as lost, whatever was really received."""
        self._reactor.post(lambda now: self._on_request(InvalidateReferences(first, last), now))

    def send_control(self, kind: int, payload: bytes, channel: int = CHANNEL_GENERIC) -> None:
        """Any control message, sealed correctly: for negative tests."""
        self._reactor.post(lambda now: self._link.send(kind, payload, channel, now) if self._link else None)

    def send_raw_control(self, message: bytes, channel: int = CHANNEL_GENERIC) -> None:
        """Any ENet message, not sealed: for negative tests."""
        self._reactor.post(lambda now: self._link.send_raw(message, channel, now) if self._link else None)

    def impair(self, impairment: Impairment | None) -> None:
        """Replace the impairment of video and audio from the next packet on."""

        def replace(now: float) -> None:
            if self._video is not None:
                self._video.impairer = Impairer("video", impairment)
            if self._audio is not None:
                self._audio.impairer = Impairer("audio", impairment)

        self._reactor.post(replace)

    async def close(self) -> None:
        """Orderly end: ENet disconnect, then everything is closed. Safe to call twice."""
        if not self._closing and not self._ended.is_set():
            self._closing = True
            self._reactor.post(lambda now: self._link.disconnect(now) if self._link else None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await self._ended.wait()
        await self._shut_down()
        self._raise_failure()

    async def vanish(self, keep_sockets: bool = False) -> None:
        """Stop without a word. With ``keep_sockets`` the ports stay bound and silent until :meth:`release`."""
        self._closing = True
        await self._shut_down(keep_sockets=keep_sockets)

    def release(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()

    def statistics(self) -> Statistics:
        """Counters up to now; callable at any time after :meth:`start`."""
        assert self._video is not None
        assert self._audio is not None
        video, audio = self._video, self._audio
        audit, assembler, units = video.audit, video.assembler, video.depacketiser
        first = self._first_frame_at
        return Statistics(
            duration_s=video.last_at - video.first_at if video.first_at is not None else 0.0,
            shards_wire=audit.shards,
            video_bytes_wire=audit.bytes,
            frames_wire=audit.frames,
            idrs_wire=len(audit.idr_times),
            sequence_gaps_wire=audit.gaps,
            kernel_drops=self._kernel_drops or self._count_kernel_drops(),
            blocks_proved=audit.blocks_proved,
            frames_delivered=units.delivered,
            frames_dropped=units.dropped,
            frames_lost=units.lost,
            frames_recovered=assembler.frames_recovered,
            frames_unread=self._unread,
            shards_recovered=assembler.shards_recovered,
            late_shards=assembler.late_shards,
            idrs_seen=units.idrs,
            idr_requests=units.idr_requests,
            rfi_requests=units.rfi_requests,
            idr_response_s=tuple(self._idr_clock.answers_s),
            first_idr_s=self._idr_clock.first_s,
            longest_stall_s=self._longest_stall_s,
            audio_packets_wire=audio.audit.packets,
            audio_delivered=audio.queue.delivered,
            audio_recovered=audio.queue.recovered,
            audio_concealed=audio.queue.concealed,
            audio_packet_bytes=tuple(sorted(audio.audit.packet_bytes)),
            audio_blocks_proved=audio.audit.blocks_proved,
            control_rtt_ms=self._link.enet.rtt_ms if self._link else 0.0,
            launch_to_first_frame_s=first - self.launch.launched_at if first is not None else None,
        )

    def _socket(self) -> socket.socket:
        sock = open_udp(self.host)
        self._sockets.append(sock)
        return sock

    def _start_audio(self, endpoint: Endpoint, agreement: Agreement) -> None:
        options, sock = self.options, self._socket()
        encrypted = Encryption.AUDIO in agreement.encryption
        self._audio = audio = AudioPipeline(
            options.packet_ms,
            AudioCipher(self.launch.key, self.launch.rikeyid) if encrypted else None,
            lossless=options.lossless_path,
            discard_s=options.audio_discard_s,
            impairment=self._impairment,
            violations=self.violations,
            on_packet=self.audio_packets.append,
        )
        pinger = Pinger(sock, (self.host, endpoint.port), endpoint.ping_payload)

        def begin(now: float) -> None:
            self._reactor.watch(sock, audio.on_datagram)
            self._reactor.every(PING_INTERVAL_S, pinger.ping)
            self._reactor.every(TICK_S, audio.tick)

        self._reactor.post(begin)

    def _start_control(self, endpoint: Endpoint) -> None:
        sock = self._socket()
        impaired = self._impairment is not None and any("control" in flow for flow in self._impairment.flows)
        enet = EnetClient(endpoint.connect_data, self.violations, judge_acks=not impaired)
        codec = ControlCodec(self.launch.key, Encryption.CONTROL in self.agreement.encryption, self.violations)
        link = self._link = ControlLink(
            sock,
            (self.host, endpoint.port),
            enet,
            codec,
            impairment=self._impairment,
            violations=self.violations,
            on_connected=self._on_connected,
            on_feedback=self._on_feedback,
            on_closed=self._on_control_closed,
        )

        def begin(now: float) -> None:
            self._reactor.watch(sock, link.on_datagram)
            link.connect(now)
            self._reactor.every(TICK_S, link.tick)

        self._reactor.post(begin)

    def _start_video(self, endpoint: Endpoint) -> None:
        options, agreement, violations, sock = self.options, self.agreement, self.violations, self._socket()
        expected = Expected(
            options.width, options.height, agreement.bits_per_sample, agreement.chroma444, not agreement.rfi
        )
        checker = BitstreamChecker(agreement.codec, expected, violations)
        encrypted = Encryption.VIDEO in agreement.encryption
        self._video = video = VideoPipeline(
            ShardParser(agreement.packet_size, self.launch.key if encrypted else None, violations),
            VideoAudit(
                violations,
                min_parity=options.min_fec_packets,
                lossless=options.lossless_path,
                proof_every=options.fec_proof_every,
            ),
            Depacketiser(agreement.codec, checker, agreement.rfi, violations),
            speculative=agreement.rfi,
            impairment=self._impairment,
            violations=violations,
            on_frame=self._on_frame,
            on_request=self._on_request,
        )
        pinger = self._video_pinger = Pinger(sock, (self.host, endpoint.port), endpoint.ping_payload)

        def begin(now: float) -> None:
            assert self._link is not None
            self._reactor.watch(sock, video.on_datagram)
            self._reactor.every(PING_INTERVAL_S, pinger.ping)
            self._reactor.every(CONTROL_PING_S, self._link.periodic_ping)
            self._reactor.every(STATUS_INTERVAL_S, self._send_fec_status)
            self._reactor.every(STATUS_INTERVAL_S, self._judge_progress)

        self._reactor.post(begin)

    def _on_connected(self) -> None:
        assert self._link is not None
        self._link.start(time.monotonic())
        self._tell_loop(self._note_connected)

    def _note_connected(self) -> None:
        if not self._connected.done():
            self._connected.set_result(None)

    def _on_control_closed(self, event: Disconnected) -> None:
        if event.by_host and self._connected.done() and not self._closing:
            self.violations.add("control.disconnect-without-termination", event.why)
        self._end(0 if self._closing else -1, event.why)

    def _on_feedback(self, message: Feedback, now: float) -> None:
        self.feedback.append(message)
        self._tell_loop(self._changed.set)
        if isinstance(message, Termination):
            assert self._link is not None
            self._link.disconnect_now(now)
            self._end(termination_result(message.code, self._first_frame_at is not None), f"host: {message.code:#x}")

    def _on_frame(self, frame: Frame) -> None:
        if self._last_frame_at is None:
            self._first_frame_at = frame.arrived_at
        else:
            self._longest_stall_s = max(self._longest_stall_s, frame.arrived_at - self._last_frame_at)
        self._last_frame_at = frame.arrived_at
        self._unread += len(self._frames) == MAX_FRAMES
        self._frames.append(frame)
        self._tell_loop(self._changed.set)

    def _on_request(self, request: Request, now: float) -> None:
        if self._link is None:
            return
        match request:
            case InvalidateReferences(first, last):
                self._link.send(INVALIDATE_REFERENCES, invalidate_references(first, last), CHANNEL_URGENT, now)
            case AcknowledgeLtr(frame):
                self._link.send(LTR_ACK, ltr_ack(frame), CHANNEL_URGENT, now)
            case _:
                self._idr_clock.asked(now)
                self._link.send(REQUEST_IDR, b"\0\0", CHANNEL_URGENT, now)

    def _send_fec_status(self, now: float) -> None:
        if self._video is None or self._link is None:
            return
        statuses, self._video.assembler.statuses = self._video.assembler.statuses, []
        for status in statuses:
            self._link.send_unsequenced(FRAME_FEC_STATUS, status.pack(), CHANNEL_GENERIC, now)

    def _judge_progress(self, now: float) -> None:
        assert self._video is not None
        assert self._video_pinger is not None
        pinged, first = self._video_pinger.started_at, self._video.first_at
        self._idr_clock.judge(self._video.audit.idr_times, pinged, now)
        if first is None and pinged is not None and now - pinged > NO_VIDEO_S:
            self._give_up(NO_VIDEO_TRAFFIC, "no video packet within 10 s", now)
        elif first is not None and self._first_frame_at is None and now - first > NO_VIDEO_S:
            self._give_up(NO_VIDEO_FRAME, "no complete IDR within 10 s of the first packet", now)

    def _give_up(self, code: int, why: str, now: float) -> None:
        if self._link is not None:
            self._link.disconnect_now(now)
        self._end(code, why)

    def _end(self, code: int, why: str) -> None:
        if self.result is None:
            self.result, self.end_reason = code, why
        self._reactor.stop()

    def _on_reactor_end(self) -> None:
        self._tell_loop(self._wake_everybody)

    def _wake_everybody(self) -> None:
        self._ended.set()
        self._changed.set()
        if not self._connected.done():
            self._connected.set_exception(StreamFailed(f"control connection: {self.end_reason}", self.result or -1))
            self._connected.exception()

    def _tell_loop(self, action: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(action)

    async def _shut_down(self, keep_sockets: bool = False) -> None:
        if self._reactor.is_alive():
            self._reactor.stop()
            await self._loop.run_in_executor(None, self._reactor.join)
        self._finish()
        self._ended.set()
        self._changed.set()
        if not keep_sockets:
            self.release()

    def _count_kernel_drops(self) -> int:
        return sum(kernel_drops(sock.getsockname()[1]) for sock in self._sockets)

    def _finish(self) -> None:
        """Judge what only the whole stream shows. Once, after the reactor's end."""
        if self._finished or self._video is None or self._video.first_at is None:
            return
        self._finished = True
        self._kernel_drops = self._count_kernel_drops()
        if self._kernel_drops:
            self.violations.add("local.kernel-drops", self._kernel_drops)
        self._video.audit.finish()
        elapsed = self._video.last_at - self._video.first_at
        rate = self._video.audit.frames / elapsed if elapsed >= MIN_RATED_S else None
        if rate is not None and rate < self.options.fps / 2 * 0.9:
            self.violations.add("timing.frame-rate", f"{rate:.1f} of {self.options.fps}")

    def _raise_failure(self) -> None:
        if self._reactor.failure is not None:
            raise StreamFailed(f"the client itself failed: {self._reactor.failure!r}") from self._reactor.failure
