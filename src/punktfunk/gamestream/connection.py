"""One Moonlight client's connection, from its launch request to its last word (gamestream.md §6, §8)."""

from __future__ import annotations

import logging
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from punktfunk.gamestream.adaptive_fec import AdaptiveFec
from punktfunk.gamestream.control import (
    ClientMessage,
    FrameFecStatus,
    HdrMode,
    InvalidateReferenceFrames,
    RequestIdr,
)
from punktfunk.gamestream.control_session import ControlSession
from punktfunk.gamestream.http_api import Caller
from punktfunk.gamestream.launch import LaunchRequest, StreamRefused
from punktfunk.gamestream.media_ports import PingWaiter
from punktfunk.gamestream.stream_plan import Encryption, StreamPlan
from punktfunk.gamestream.transport import GameStreamTransport, SetFec
from punktfunk.input.events import Feedback, InputEvent
from punktfunk.media.plan import AudioPlan
from punktfunk.session.messages import Address
from punktfunk.session.session import Session
from punktfunk.session.stream import Stream, StreamError, StreamSpec
from punktfunk.wire.udp import TrafficClass, mark_traffic

log = logging.getLogger(__name__)

WORKER_MODULE = "punktfunk.gamestream.worker"
CONNECT_DEADLINE_S = 10.0
"""For the first video ping and the control connection, from the moment that the stream runs."""
SILENCE_DEADLINE_MS = 10_000
RELEASE_AFTER_MS = 700
"""Clients send something every 100 ms: after so long without, whatever the client holds down is released, lest a key
repeats until the connection is given up."""
MAX_FRAME_INDEX = 0xFFFF_FFFF


@dataclass(eq=False)
class Connection:
    """What belongs to one connection of one client; a resume makes a new one. Runs on the event loop.

    ``send`` puts an envelope on the client's ENet connection; ``ended`` is called once, when the connection is over.
    """

    caller: Caller
    launch: LaunchRequest
    session: Session
    sockets: tuple[socket.socket, ...]
    send: Callable[[int, bytes], bool]
    disconnect: Callable[[int], None]
    ended: Callable[[Connection], None]
    ping_payload: str = field(default_factory=lambda: secrets.token_hex(8).upper())
    connect_data: int = field(default_factory=lambda: secrets.randbits(32))
    stream: Stream | None = None
    peer: int | None = None
    over: bool = False

    def __post_init__(self) -> None:
        self._control: ControlSession | None = None
        self._video_endpoint: Address | None = None
        self._audio_endpoint: Address | None = None
        self._started_at = 0.0
        self._released = False
        self._agreed_kbps = 0
        self._fec: AdaptiveFec | None = None
        self.waiter = PingWaiter(
            self.ping_payload.encode(), self.caller.address, self._video_ping, self._audio_ping, legacy=True
        )

    async def start(self, plan: StreamPlan) -> None:
        """Start the announced stream; raises StreamRefused."""
        transport = plan.transport
        encryption = transport.encryption
        if not encryption & Encryption.CONTROL_V2:
            log.warning("%s uses the old control encryption, which repeats nonces", self.caller.device.name)
        spec = StreamSpec(
            WORKER_MODULE,
            plan.video,
            plan.audio,
            self._transport(plan, plan.audio),
            self.sockets,
        )
        self._mark_traffic(plan)
        try:
            stream = await self.session.start_stream(spec)
        except StreamError as error:
            raise StreamRefused(503, f"The stream could not be started: {error}") from error
        if self.over:
            await self.session.stop_stream(stream)
            raise StreamRefused(503, "The session ended while its stream started")
        stream.on_feedback = self._feedback
        self._control = ControlSession(self.launch.key, v2=bool(encryption & Encryption.CONTROL_V2), now_ms=_now_ms())
        self._started_at = time.monotonic()
        self.stream = stream
        self._agreed_kbps = plan.video.bitrate_kbps
        self._fec = AdaptiveFec(transport.fec_percentage, plan.video.mode.refresh_hz)
        if self._video_endpoint is not None:
            stream.set_video_endpoint(self._video_endpoint)
        if self._audio_endpoint is not None:
            stream.set_audio_endpoint(self._audio_endpoint)

    def connected(self, peer: int) -> None:
        """The client's control connection is open."""
        self.peer = peer
        if self._control is not None:
            self._send(self._control.hdr(HdrMode(enabled=False)))

    def received(self, data: bytes) -> None:
        """One control message of the client."""
        if self._control is None or self.stream is None:
            return
        events: list[InputEvent] = []
        for result in self._control.received(data, _now_ms()):
            if isinstance(result, InputEvent):
                events.append(result)
            else:
                self._message(result, self.stream)
        if events:
            self.stream.inject(tuple(events))

    def is_authentic(self, data: bytes) -> bool:
        """Whether a message from another address really is this client's."""
        return self._control is not None and self._control.is_authentic(data)

    def release_when_silent(self) -> None:
        """Several times a second: release held input, once for each silence."""
        if self.stream is None or self._control is None:
            return
        silent = self._control.silent_ms(_now_ms()) > RELEASE_AFTER_MS
        if silent and not self._released:
            self.stream.release_input()
        self._released = silent

    def tick(self, now: float) -> None:
        """Once a second: parity follows the losses that the client reports."""
        stream, fec = self.stream, self._fec
        if stream is None or fec is None:
            return
        changed = fec.update(now, stream.statistics.video_packets)
        percent = fec.percentage if fec.base else 0
        stream.path = msgspec.structs.replace(stream.path, fec_percent=percent, loss_ppm=fec.loss_ppm)
        if not fec.base:
            return
        if changed:
            log.debug("%s: parity is %d %% now", self.caller.device.name, fec.percentage)
            stream.set_bitrate(fec.bitrate_kbps(self._agreed_kbps))
        # Told every second, because a worker that took over knows only the base.
        stream.command(msgspec.msgpack.encode(SetFec(fec.percentage)))

    def expired(self, now: float) -> str | None:
        """Why the connection is to be given up, None when all is well."""
        if self.stream is None or self._control is None:
            return None
        if now - self._started_at < CONNECT_DEADLINE_S:
            return None
        if self._video_endpoint is None:
            return "no video ping came"
        if self.peer is None:
            return "the control stream was not opened"
        if self._control.silent_ms(_now_ms()) > SILENCE_DEADLINE_MS:
            return "nothing was heard from it any more"
        return None

    def end(self, *, tell: bool) -> None:
        """The connection is over; with ``tell`` the client gets the termination message first."""
        if self.over:
            return
        self.over = True
        if tell and self._control is not None:
            self._send(self._control.termination())
        if self.peer is not None:
            self.disconnect(self.peer)
        self.ended(self)

    def _message(self, message: ClientMessage, stream: Stream) -> None:
        match message:
            case RequestIdr():
                stream.request_keyframe()
            case InvalidateReferenceFrames(first=first, last=last):
                if 0 < first <= last <= MAX_FRAME_INDEX:
                    stream.invalidate(first, last)
                else:
                    stream.request_keyframe()
            case FrameFecStatus():
                self._block_needed_parity(message, stream)
            case _:
                pass

    def _block_needed_parity(self, status: FrameFecStatus, stream: Stream) -> None:
        missing = status.missing_before_highest
        if self._fec is not None:
            self._fec.lost(missing)
        is_whole = status.received_data + status.received_parity >= status.data_packets
        recovered = max(0, status.data_packets - status.received_data) if is_whole else 0
        path = stream.path
        stream.path = msgspec.structs.replace(
            path, lost_packets=path.lost_packets + missing, recovered_packets=path.recovered_packets + recovered
        )

    def _mark_traffic(self, plan: StreamPlan) -> None:
        """Priority on the network where the client asks for it (§3.6); one client of the shared sockets is enough."""
        video, audio = self.sockets
        if plan.transport.video_qos:
            mark_traffic(video, TrafficClass.VIDEO)
        if plan.transport.audio_qos:
            mark_traffic(audio, TrafficClass.AUDIO)

    def _video_ping(self, address: Address) -> None:
        self._video_endpoint = address
        if self.stream is not None:
            self.stream.set_video_endpoint(address)

    def _audio_ping(self, address: Address) -> None:
        self._audio_endpoint = address
        if self.stream is not None:
            self.stream.set_audio_endpoint(address)

    def _feedback(self, feedback: tuple[Feedback, ...]) -> None:
        if self._control is not None:
            for event in feedback:
                self._send(self._control.feedback(event))

    def _send(self, envelope: bytes | None) -> None:
        if envelope and self.peer is not None:
            self.send(self.peer, envelope)

    def _transport(self, plan: StreamPlan, audio: AudioPlan) -> bytes:
        transport, key = plan.transport, self.launch.key
        return msgspec.msgpack.encode(
            GameStreamTransport(
                transport.packet_size,
                transport.fec_percentage,
                transport.min_fec_packets,
                audio.packet_ms,
                key if transport.encryption & Encryption.VIDEO else None,
                key if transport.encryption & Encryption.AUDIO else None,
                self.launch.key_id,
            )
        )


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
