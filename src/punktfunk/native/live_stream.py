"""A punktfunk/1 client's stream: what the session core decides, done to the neutral stream, and what comes back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from punktfunk.input.events import Feedback, PadArrived, PadRemoved
from punktfunk.media.plan import VideoPlan
from punktfunk.native import session_events as ev
from punktfunk.native.adaptive_fec import Protection
from punktfunk.native.agreement import Agreement, display_mode, wire_mode
from punktfunk.native.data_socket import DataSocket
from punktfunk.native.modes import Mode
from punktfunk.native.plane_messages import (
    Command,
    FrameSent,
    LastFrameSent,
    ProbeDone,
    RunProbe,
    SendDatagram,
    SetFec,
    SetShardBytes,
    decode_report,
    encode,
)
from punktfunk.session.messages import Started
from punktfunk.session.pad_memory import PadMemory
from punktfunk.session.path_report import PPM
from punktfunk.session.session import Session
from punktfunk.session.stream import Stream, StreamError, StreamSpec
from punktfunk.wire.punktfunk1.messages import ProbeResult
from punktfunk.wire.udp import Address

log = logging.getLogger(__name__)

WORKER_MODULE = "punktfunk.native.worker"
MAX_EARLY = 64
"""What a client may ask of a stream that is not there yet; released ones ask for a speed test in the same moment."""
_MOOT_BEFORE_A_PICTURE = (ev.KeyframeWanted, ev.InvalidationWanted)


class StreamListener(Protocol):
    """Who hears about the stream; called on the event loop."""

    def datagram_ready(self, data: bytes) -> None:
        """Send this to the client."""
        ...

    def pads_told(self, feedback: tuple[Feedback, ...]) -> None:
        """What games send to controllers."""
        ...

    def pad_changed(self, pad: int) -> None:
        """The client plugged a controller in, or out."""
        ...

    def frame_sent(self, frame_index: int, *, keyframe: bool) -> None:
        """A keyframe, or the first clean frame after an invalidation, has left."""
        ...

    def frames_over(self) -> None:
        """The stream has had its number of frames."""
        ...

    def probe_finished(self, result: ProbeResult) -> None:
        """The speed test's burst is over."""
        ...

    def mode_became(self, mode: Mode) -> None:
        """The mode that pictures have now."""
        ...

    def bitrate_became(self, kbps: int) -> None:
        """The rate that was applied."""
        ...

    def pipeline_gap(self, gap_ms: int) -> None:
        """Pictures stood still for so long and go on."""
        ...


class LiveStream:
    """One stream of a session, from Start to the connection's end. Owns the data socket."""

    def __init__(self, session: Session, agreement: Agreement, data: DataSocket, listener: StreamListener) -> None:
        self._session = session
        self._agreement = agreement
        self._data = data
        self._listener = listener
        self._video: VideoPlan = agreement.video
        self._stream: Stream | None = None
        self._protection = Protection(agreement.transport.fec_percent)
        self._shard_bytes = agreement.transport.shard_bytes
        self._wanted: Mode | None = None
        self._switching: asyncio.Task[None] | None = None
        self._punch: asyncio.Task[Address] | None = None
        self._gap_since: float | None = None
        self._early: list[ev.SessionEvent] = []
        self._early_pads = PadMemory()
        self._sent_before = 0
        self._connected = False
        self._closed = False

    async def start(self, client_port: int) -> None:
        """Start the worker and wait for the punch, both at once. Raises StreamError."""
        spec = StreamSpec(
            WORKER_MODULE,
            self._agreement.video,
            self._agreement.audio,
            msgspec.msgpack.encode(self._agreement.transport),
            (self._data.socket,),
        )
        punch = self._punch = asyncio.create_task(self._data.connect(client_port))
        try:
            stream = await self._session.start_stream(spec)
        except StreamError:
            punch.cancel()
            raise
        self._attach(stream)
        if stream.started is not None:
            # A desktop that keeps its mode: the client was promised its own.
            self._reconfigured(stream.started)
        await asyncio.wait((punch,))
        if punch.cancelled():
            return
        if isinstance(error := punch.exception(), OSError):
            raise StreamError(f"the client's data port cannot be reached: {error.strerror}") from error
        self._connected = True
        stream.set_video_endpoint(punch.result())
        early, self._early = self._early, []
        for event in early:
            self.carry_out(event)

    def give_up(self) -> None:
        """The client is gone: do nothing for it any more. ``start`` returns soon; ``close`` is still to be called."""
        self._closed, self._wanted = True, None
        if self._punch is not None:
            self._punch.cancel()

    async def close(self) -> None:
        """End the stream, after ``give_up`` and the end of ``start``; the desktop goes on."""
        if self._switching is not None:
            await asyncio.wait((self._switching,))
        if self._stream is not None:
            await self._session.stop_stream(self._stream)
        self._data.close()

    def path_mtu(self) -> int | None:
        """What the kernel knows of the path, once connected."""
        return self._data.path_mtu() if self._connected and not self._closed else None

    def carry_out(self, event: ev.SessionEvent) -> None:
        """Do what the core decided, as far as it concerns the stream; once it can, while the stream is coming up."""
        stream = self._stream
        if self._closed:
            return
        if isinstance(event, ev.InputReceived):
            for each in event.events:
                if isinstance(each, PadArrived | PadRemoved):
                    self._listener.pad_changed(each.pad)
            if stream is not None:
                stream.inject(event.events)
            else:
                # A client says only once which controllers it has.
                self._early_pads.note(event.events)
            return
        if stream is None or not self._connected:
            if not isinstance(event, _MOOT_BEFORE_A_PICTURE) and len(self._early) < MAX_EARLY:
                self._early.append(event)
            return
        match event:
            case ev.KeyframeWanted():
                stream.request_keyframe()
            case ev.InvalidationWanted(first_frame=first, last_frame=last):
                stream.invalidate(first, last)
            case ev.BitrateRequested(kbps=kbps):
                self._set_bitrate(stream, min(kbps, self._agreement.max_bitrate_kbps))
            case ev.LossReported() as report:
                self._lost(stream, report)
            case ev.FecChanged(protection=protection):
                self._protection = protection
                stream.path = msgspec.structs.replace(stream.path, fec_percent=protection.percent)
                self._command(SetFec(protection.percent, protection.loss_ppm))
            case ev.ShardSizeChanged(shard_bytes=shard_bytes):
                self._shard_bytes = shard_bytes
                self._command(SetShardBytes(shard_bytes))
            case ev.ProbeStarted(burst=burst):
                if not self._command(RunProbe(burst.request.target_kbps, burst.request.duration_ms)):
                    self._listener.probe_finished(ProbeResult(0, 0, 0, 0, 0))
            case ev.ModeRequested(mode=mode):
                self._wanted = mode
                if self._switching is None or self._switching.done():
                    self._switching = asyncio.create_task(self._switch(stream))
            case _:
                pass

    def _attach(self, stream: Stream) -> None:
        self._stream = stream
        stream.path = msgspec.structs.replace(stream.path, fec_percent=self._protection.percent)
        stream.on_report = self._report
        stream.on_feedback = self._listener.pads_told
        stream.on_reconfigured = self._reconfigured
        stream.on_recovering = _after(stream.on_recovering, self._recovering)
        live = stream.on_live

        def on_live() -> None:
            live()
            self._recovered()

        stream.on_live = on_live
        if pads := self._early_pads.replay():
            stream.inject(pads)

    def _lost(self, stream: Stream, report: ev.LossReported) -> None:
        """The report is a share of what was sent since the one before; the worker counts that once a second."""
        sent = stream.statistics.video_packets
        new, self._sent_before = max(0, sent - self._sent_before), sent
        path = stream.path
        stream.path = msgspec.structs.replace(
            path,
            loss_ppm=report.loss_ppm,
            lost_packets=path.lost_packets + new * report.loss_ppm // PPM,
            recovered_packets=path.recovered_packets + new * report.mended_ppm // PPM,
        )

    def _set_bitrate(self, stream: Stream, kbps: int) -> None:
        self._video = msgspec.structs.replace(self._video, bitrate_kbps=kbps)
        stream.set_bitrate(kbps)
        self._listener.bitrate_became(kbps)

    async def _switch(self, stream: Stream) -> None:
        """Follow the newest wish; wishes that come meanwhile replace each other."""
        while self._wanted is not None:
            mode, self._wanted = self._wanted, None
            before = self._video
            self._video = msgspec.structs.replace(before, mode=display_mode(mode))
            self._gap_since = time.monotonic()
            try:
                await self._session.reconfigure(stream, self._video)
            except StreamError as error:
                log.warning("the client's mode %s cannot be had: %s", self._video.mode, error)
                self._video = before
                self._listener.mode_became(wire_mode(before.mode))

    def _reconfigured(self, info: Started) -> None:
        if self._wanted is None:
            self._listener.mode_became(wire_mode(info.mode))

    def _recovering(self, _reason: str) -> None:
        if self._gap_since is None:
            self._gap_since = time.monotonic()

    def _recovered(self) -> None:
        self._command(SetFec(self._protection.percent, self._protection.loss_ppm))
        self._command(SetShardBytes(self._shard_bytes))
        since, self._gap_since = self._gap_since, None
        if since is not None:
            self._listener.pipeline_gap(round(1000 * (time.monotonic() - since)))

    def _command(self, command: Command) -> bool:
        return self._stream is not None and self._stream.command(encode(command))

    def _report(self, data: bytes) -> None:
        match decode_report(data):
            case SendDatagram(data=datagram):
                self._listener.datagram_ready(datagram)
            case FrameSent(frame_index=index, keyframe=keyframe):
                self._listener.frame_sent(index, keyframe=keyframe)
            case LastFrameSent():
                self._listener.frames_over()
            case ProbeDone() as done:
                self._listener.probe_finished(
                    ProbeResult(done.bytes_sent, done.access_units, done.duration_ms, done.packets, done.dropped)
                )


def _after(first: Callable[[str], None], second: Callable[[str], None]) -> Callable[[str], None]:
    def both(text: str) -> None:
        first(text)
        second(text)

    return both
