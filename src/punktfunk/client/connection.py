"""One running session without its sockets: messages, datagrams, frames and the time in, messages and events out.

``now`` is monotonic seconds, ``wall_ns`` this machine's wall clock. Nothing that a host sends raises or grows without
bound (punktfunk1.md §6-§9).
"""

from __future__ import annotations

from dataclasses import dataclass

from punktfunk.client.arrival import Arrival
from punktfunk.client.audio_order import AudioOrder, AudioPacket
from punktfunk.client.feedback import Delivery, Feedback
from punktfunk.client.in_order import InOrder
from punktfunk.client.latency import StageLatencies
from punktfunk.client.punch import PunchSchedule
from punktfunk.client.reassembly import AccessUnit
from punktfunk.client.receiver import VideoReceiver
from punktfunk.client.rumble import RumbleLevel, RumbleTimer
from punktfunk.client.speed_test import RunningTest, SpeedTest
from punktfunk.wire.clocksync import ClockSync
from punktfunk.wire.punktfunk1 import messages as m
from punktfunk.wire.punktfunk1.audio import AudioFrame, PadAudioFrame, PcmAudioFrame, RedundantAudioFrame
from punktfunk.wire.punktfunk1.caps import Grants
from punktfunk.wire.punktfunk1.control import decode_control
from punktfunk.wire.punktfunk1.datagrams import CursorState, HostTiming, UnknownDatagram, decode_from_host
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.hdr import HdrMetadata
from punktfunk.wire.punktfunk1.pad_feedback import HidOutput, Rumble
from punktfunk.wire.punktfunk1.video import MAX_SHARD_BYTES, MIN_SHARD_BYTES
from punktfunk.wire.punktfunk1.welcome import Welcome

MAX_CURSOR_SHAPES = 64
"""Pointer pictures remembered by serial; the oldest gives way."""


@dataclass(frozen=True, slots=True)
class Mode:
    """Size in pixels and whole refresh rate."""

    width: int
    height: int
    refresh_hz: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}@{self.refresh_hz}"


Event = (
    m.Reconfigured
    | m.BitrateChanged
    | m.PipelineGap
    | m.ClipState
    | m.ClipOffer
    | m.CursorShape
    | m.AccessUpdate
    | m.AudioState
    | m.LaunchOutcome
    | m.PadSlots
    | m.DeliveryChanged
    | m.HostFacts
    | CursorState
    | HdrMetadata
    | HidOutput
    | RumbleLevel
    | PadAudioFrame
    | SpeedTest
)
"""What a host tells beside pictures and sound; ``SpeedTest`` when one is over."""


@dataclass(slots=True)
class ControlStatistics:
    """Counters since the start."""

    malformed: int = 0
    unknown: int = 0


class Connection:
    """The state of one session after Start. ``adaptive``: the host was asked for automatic bitrate."""

    def __init__(self, welcome: Welcome, receiver: VideoReceiver, now: float, *, adaptive: bool = False) -> None:
        self.statistics = ControlStatistics()
        self.mode = Mode(welcome.width, welcome.height, welcome.refresh_hz)
        self.grants = welcome.grants
        self.receiver = receiver
        self.clock = ClockSync(now)
        self.latencies = StageLatencies()
        self.feedback = Feedback(receiver, welcome.bitrate_kbps, now, adaptive=adaptive)
        self.audio = AudioOrder()
        self.cursor_shapes: dict[int, m.CursorShape] = {}
        self.messages: list[m.ControlMessage] = []
        """To be sent; the caller empties it, like ``events`` and ``audio_packets``."""
        self.events: list[Event] = []
        self.audio_packets: list[AudioPacket] = []
        self.punch_due = False
        """Whether to punch now; the caller resets it."""
        self._order = InOrder()
        self._held: dict[int, Arrival] = {}
        self._punches = PunchSchedule(now)
        self._rumble = RumbleTimer()
        self._test: RunningTest | None = None

    @property
    def offset_ns(self) -> int | None:
        """Host minus client clock; None while unknown."""
        return self.clock.offset_ns if self.clock.rtt_ns is not None else None

    @property
    def testing(self) -> bool:
        """Whether a speed test runs."""
        return self._test is not None

    def control(self, payload: bytes, now: float, wall_ns: int) -> None:
        """One payload of the control stream."""
        try:
            message = decode_control(payload)
        except MalformedError:
            self.statistics.malformed += 1
            return
        match message:
            case m.ClockEcho():
                self.clock.echo(message.t1_ns, message.t2_ns, message.t3_ns, wall_ns, now)
            case m.Reconfigured():
                if message.accepted:
                    self.mode = Mode(message.width, message.height, message.refresh_hz)
                self.events.append(message)
            case m.BitrateChanged():
                self.feedback.bitrate_changed(message, now)
                self.events.append(message)
            case m.ShardPayloadChanged(shard_payload=size):
                if MIN_SHARD_BYTES <= size <= MAX_SHARD_BYTES and size % 2 == 0:
                    self.messages.append(m.ShardPayloadAck(size))
            case m.PipelineGap():
                self.feedback.pipeline_gap(now)
                self.events.append(message)
            case m.ProbeResult():
                if self._test is not None:
                    self._test.answered(message, now)
            case m.CursorShape():
                self._remember_shape(message)
                self.events.append(message)
            case m.AccessUpdate():
                self.grants = Grants(message.grants)
                self.events.append(message)
            case m.ClipState() | m.ClipOffer() | m.AudioState() | m.LaunchOutcome() | m.PadSlots():
                self.events.append(message)
            case m.DeliveryChanged() | m.HostFacts():
                self.events.append(message)
            case _:
                self.statistics.unknown += 1

    def datagram(self, data: bytes, now: float) -> None:
        """One QUIC datagram."""
        try:
            value = decode_from_host(data)
        except MalformedError:
            self.statistics.malformed += 1
            return
        match value:
            case AudioFrame() | RedundantAudioFrame() | PcmAudioFrame():
                self.audio_packets += self.audio.receive(value)
            case HostTiming():
                self.latencies.timed(value)
                if value.encode_us is not None:
                    self.feedback.encoded(value.encode_us / 1e6)
            case Rumble():
                level = self._rumble.receive(value, now)
                if level is not None:
                    self.events.append(level)
            case UnknownDatagram():
                self.statistics.unknown += 1
            case _:
                self.events.append(value)

    def ordered(self, arrival: Arrival, now: float) -> list[Arrival]:
        """One access unit became whole; those whose turn it is now, to be given to ``frame``. One that comes after
        its successor is dropped."""
        self._held[arrival.unit.frame_index] = arrival
        return self._release(self._order.push(arrival.unit, now))

    def overdue(self, now: float) -> list[Arrival]:
        """Access units that have waited long enough for the ones before them."""
        return self._release(self._order.poll(now)) if self._held else []

    def _release(self, units: list[AccessUnit]) -> list[Arrival]:
        ready = [self._held.pop(unit.frame_index) for unit in units]
        if self._order.next_deadline() is None:
            self._held.clear()
        return ready

    def frame(self, arrival: Arrival, queued: int, now: float, *, decoding: bool) -> Delivery:
        """One access unit, while ``queued`` others wait for the decoder."""
        offset_ns = self.offset_ns
        self.latencies.arrived(arrival, offset_ns, decoding=decoding)
        delay_s = None if offset_ns is None else (arrival.received_ns + offset_ns - arrival.unit.pts_ns) / 1e9
        return self.feedback.delivered(arrival.unit, arrival.wire_bytes, delay_s, queued, now)

    def decoded(self, arrival: Arrival, seconds: float, decoded_ns: int) -> None:
        """The picture of an access unit is there, after ``seconds`` in the decoder."""
        self.latencies.decoded(arrival, decoded_ns, self.offset_ns)
        self.feedback.decoded(seconds)

    def start_test(self, request: m.ProbeRequest, now: float) -> None:
        """Ask for filler; a ``SpeedTest`` event follows. One at a time: raises ``RuntimeError``."""
        if self._test is not None:
            raise RuntimeError("a speed test runs already")
        self._test = RunningTest(request, now)
        self.receiver.start_probe()
        self.feedback.probe_started()
        self.messages.append(request)

    def poll(self, now: float, wall_ns: int) -> None:
        """Do what is due by time."""
        t1_ns = self.clock.poll(now, wall_ns)
        if t1_ns is not None:
            self.messages.append(m.ClockProbe(t1_ns))
        if self._test is not None and now >= self._test.due:
            self._finish_test(self._test, now)
        wanted = self.feedback.poll(now)
        if wanted is not None and self._test is None:
            self.start_test(wanted, now)
        self.events += self._rumble.expire(now)
        self.punch_due |= self._punches.poll(now)

    def next_deadline(self) -> float:
        """When ``poll`` has something to do."""
        due = [self.clock.next_deadline(), self.feedback.next_deadline(), self._punches.next_at]
        for at in (self._rumble.next_deadline(), self._order.next_deadline()):
            if at is not None:
                due.append(at)
        if self._test is not None:
            due.append(self._test.due)
        return min(due)

    def take_messages(self) -> list[m.ControlMessage]:
        """Everything to send now."""
        messages = self.messages + self.feedback.outgoing
        self.messages, self.feedback.outgoing = [], []
        return messages

    def _finish_test(self, test: RunningTest, now: float) -> None:
        self._test = None
        outcome = test.finish(self.receiver.probe)
        self.feedback.probe_finished(outcome.throughput_kbps, now)
        self.events.append(outcome)

    def _remember_shape(self, shape: m.CursorShape) -> None:
        self.cursor_shapes.pop(shape.serial, None)
        self.cursor_shapes[shape.serial] = shape
        if len(self.cursor_shapes) > MAX_CURSOR_SHAPES:
            del self.cursor_shapes[next(iter(self.cursor_shapes))]
