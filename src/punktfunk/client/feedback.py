"""What a client tells its host about the video: losses, broken references, the rate it wants (punktfunk1.md §9).

Sans-IO: access units, figures and the time in; control messages out. Times in seconds of a monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from punktfunk.client.abr import BitrateController
from punktfunk.client.abr_signals import Window
from punktfunk.client.jump_to_live import JumpToLive
from punktfunk.client.loss_recovery import LossRecovery, Request
from punktfunk.client.loss_window import Losses, LossWindow
from punktfunk.client.reassembly import AccessUnit
from punktfunk.client.receiver import VideoReceiver
from punktfunk.wire.punktfunk1.messages import (
    UNRECOVERABLE_PPM,
    BitrateChanged,
    ControlMessage,
    LossReport,
    ProbeRequest,
    RequestKeyframe,
    SetBitrate,
)
from punktfunk.wire.punktfunk1.video import FrameFlags

MAX_REPAIRABLE_PPM = 150_000
"""More is a path too narrow for the stream: the parity that a host would add on such a report makes that worse."""

UNKNOWN_DELAY_MS = 1000.0
"""For the bitrate controller while no frame has arrived. It looks at differences from the least, so a large one is
forgotten with the first frame."""


@dataclass(slots=True)
class FeedbackStatistics:
    """Counters since the start; ``hidden`` frames arrived whole and could not be shown before a recovery."""

    frames: int = 0
    keyframes: int = 0
    hidden: int = 0
    keyframe_requests: int = 0
    rfi_requests: int = 0
    jumps: int = 0
    bitrate_requests: int = 0


@dataclass(slots=True)
class _Sums:
    """Figures of the window that is open."""

    since: float
    frames: int = 0
    delays: int = 0
    delay_ms: float = 0.0
    fec_percent: float = 0.0
    decodes: int = 0
    decode_ms: float = 0.0
    encodes: int = 0
    encode_ms: float = 0.0
    keyframe_requests: int = 0
    flushed: bool = False


@dataclass(frozen=True, slots=True)
class _Counts:
    """The receiver's counters when a window began. Unlike the recovered shards, packet numbers also tell what was lost
    of frames that never became whole."""

    sent: int
    arrived: int
    video_bytes: int

    @classmethod
    def of(cls, receiver: VideoReceiver) -> _Counts:
        return cls(receiver.sent_packets, receiver.packets, receiver.video_bytes)

    def lost_ppm(self, before: _Counts) -> int:
        sent, arrived = self.sent - before.sent, self.arrived - before.arrived
        return max(0, sent - arrived) * 1_000_000 // sent if sent > 0 else 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """What to do with a frame: ``show`` it once decoded (else only decode it), or ``flush`` everything and drop it."""

    show: bool
    flush: bool = False


class Feedback:
    """Watches the video of one session. ``adaptive``: the client chooses the bitrate."""

    def __init__(self, receiver: VideoReceiver, bitrate_kbps: int, now: float, *, adaptive: bool) -> None:
        self.statistics = FeedbackStatistics()
        self.bitrate_kbps = bitrate_kbps
        """The rate that the host is believed to run at."""
        self.outgoing: list[ControlMessage] = []
        """Messages to send; the caller empties it."""
        losses = receiver.reassembler.statistics
        self._receiver, self._losses = receiver, losses
        self._dropped = losses.dropped
        self._recovery = LossRecovery(now)
        self._window = LossWindow(losses, now)
        self._jump = JumpToLive()
        self._controller = BitrateController(bitrate_kbps, now) if adaptive else None
        self._sums = _Sums(now)
        self._counts = _Counts.of(receiver)
        self._delay_ms, self._fec_percent = UNKNOWN_DELAY_MS, 0.0
        self._discard = False
        self._probing = False

    @property
    def holding(self) -> bool:
        """Whether the last good picture is to stay."""
        return self._recovery.holding

    @property
    def adapting(self) -> bool:
        """Whether the bitrate is still being adapted: asked for, and answered by the host."""
        return self._controller is not None and not self._controller.stopped

    def delivered(self, unit: AccessUnit, wire_bytes: int, delay_s: float | None, queued: int, now: float) -> Delivery:
        """A whole frame arrived: with ``wire_bytes`` since the one before, ``delay_s`` after its capture (None while
        the clocks are not compared), while ``queued`` frames wait for the decoder."""
        counts, sums = self.statistics, self._sums
        counts.frames += 1
        counts.keyframes += FrameFlags.KEYFRAME in unit.flags
        self._send(self._recovery.delivered(unit.frame_index, unit.flags, now))
        self._watch_drops(now)
        sums.frames += 1
        sums.fec_percent += unit.fec_percent
        if delay_s is not None:
            sums.delays += 1
            sums.delay_ms += 1000 * delay_s
            if self._controller is not None:
                self._ask(self._controller.frame(1000 * delay_s, wire_bytes, now))
        if self._jump.frame(delay_s or 0.0, queued, now):
            counts.jumps += 1
            sums.flushed = True
            self._send(self._recovery.frames_dropped(now))
            return Delivery(show=False, flush=True)
        counts.hidden += self._recovery.holding
        return Delivery(show=not self._recovery.holding)

    def decoded(self, seconds: float) -> None:
        """The decoder took this long for a frame."""
        self._sums.decodes += 1
        self._sums.decode_ms += 1000 * seconds

    def decoder_failed(self, now: float) -> None:
        """The decoder refused a frame."""
        self._send(self._recovery.decoder_failed(now))

    def frames_dropped(self, now: float) -> None:
        """Frames were thrown away on this side, so what follows has no references."""
        self._send(self._recovery.frames_dropped(now))

    def encoded(self, seconds: float) -> None:
        """The host says how long a frame was in its encoder."""
        self._sums.encodes += 1
        self._sums.encode_ms += 1000 * seconds

    def pipeline_gap(self, now: float) -> None:
        """The host stood still; the window that saw it says nothing about the path."""
        self._restart_window(now)

    def probe_started(self) -> None:
        """Filler is on its way: nothing is measured meanwhile."""
        self._probing = self._discard = True

    def probe_finished(self, wire_kbps: float, now: float) -> None:
        """The filler arrived at this rate; 0 = the host declined."""
        self._probing = False
        self._restart_window(now)
        if self._controller is not None:
            self._controller.probe_measured(wire_kbps, now)

    def bitrate_changed(self, changed: BitrateChanged, now: float) -> None:
        """The host runs at another rate."""
        self.bitrate_kbps = changed.kbps
        if self._controller is not None:
            self._controller.bitrate_changed(changed.kbps, now)

    def poll(self, now: float) -> ProbeRequest | None:
        """Do what is due by time; a speed test that the bitrate controller wants."""
        self._watch_drops(now)
        self._send(self._recovery.poll(now))
        if now >= self._window.due:
            self._close_window(now)
        return self._controller.poll(now) if self._controller is not None and not self._probing else None

    def next_deadline(self) -> float:
        """When ``poll`` has something to do, apart from the start of a speed test, which no window outlasts."""
        recovery = self._recovery.next_deadline()
        return self._window.due if recovery is None else min(recovery, self._window.due)

    def _watch_drops(self, now: float) -> None:
        losses = self._losses
        if losses.dropped > self._dropped and losses.newest_dropped is not None:
            self._dropped = losses.dropped
            self._send(self._recovery.frames_given_up(losses.newest_dropped, now))

    def _close_window(self, now: float) -> None:
        if self._discard or self._probing:
            self._restart_window(now)
            return
        sums, self._sums = self._sums, _Sums(now)
        before, self._counts = self._counts, _Counts.of(self._receiver)
        losses = self._window.close(now)
        lost_ppm = self._counts.lost_ppm(before)
        wanted_kbps, full = None, False
        if self._controller is not None and losses.packets and (sums.delays or losses.dropped):
            wanted_kbps = self._controller.window(self._window_of(sums, losses, lost_ppm, before, now), now)
            full = self._controller.path_full
        repairable_ppm = lost_ppm if lost_ppm <= MAX_REPAIRABLE_PPM else 0
        self.outgoing.append(LossReport(0 if full else max(losses.loss_ppm, repairable_ppm)))
        self._ask(wanted_kbps)

    def _window_of(self, sums: _Sums, losses: Losses, lost_ppm: int, before: _Counts, now: float) -> Window:
        if sums.delays:
            self._delay_ms, self._fec_percent = sums.delay_ms / sums.delays, sums.fec_percent / sums.frames
        penalty = UNRECOVERABLE_PPM if losses.dropped else 0
        # The stream may have begun within the window.
        since = max(sums.since, self._receiver.first_at or sums.since)
        return Window(
            loss_ppm=max(losses.loss_ppm - penalty, lost_ppm),
            dropped_frames=losses.dropped,
            delay_ms=self._delay_ms,
            wire_kbps=(self._counts.video_bytes - before.video_bytes) * 8 / 1000 / max(0.1, now - since),
            fec_percent=self._fec_percent,
            decode_ms=sums.decode_ms / max(1, sums.decodes),
            encode_ms=sums.encode_ms / max(1, sums.encodes),
            keyframe_requests=sums.keyframe_requests,
            flushed=sums.flushed,
        )

    def _restart_window(self, now: float) -> None:
        self._window.discard(now)
        self._counts = _Counts.of(self._receiver)
        self._sums, self._discard = _Sums(now), False

    def _ask(self, kbps: int | None) -> None:
        if kbps is not None:
            self.statistics.bitrate_requests += 1
            self.outgoing.append(SetBitrate(kbps))

    def _send(self, requests: list[Request]) -> None:
        keyframes = sum(isinstance(request, RequestKeyframe) for request in requests)
        self.statistics.keyframe_requests += keyframes
        self.statistics.rfi_requests += len(requests) - keyframes
        self._sums.keyframe_requests += keyframes
        self.outgoing += requests
