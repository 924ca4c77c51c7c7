"""A session's sound as packets: captured from its sink, or a test tone that needs no sound server."""

from __future__ import annotations

import array
import logging
import math
import threading
import time

import msgspec

from punktfunk.media.frames import OpusPacket, PacketHandler
from punktfunk.media.opus import SAMPLE_RATE_HZ, OpusEncoder
from punktfunk.media.pcm import PcmEncoder
from punktfunk.media.plan import AudioPlan
from punktfunk.media.pulse import PulseError, PulseRecorder

TONE_HZ = 440.0
TONE_STEP_HZ = 110.0
"""Each channel of the test tone is this much higher than the one before."""
MAX_BACKLOG_PACKETS = 20
"""What a stalled encoder may have waiting; older sound is dropped."""
_SILENT_SERVER_S = 0.5
"""A sink's monitor delivers all the time: this long without a sample means that the server hangs."""
_RETRY_S = 0.1
_STOP_TIMEOUT_S = 3.0

Encoder = OpusEncoder | PcmEncoder

logger = logging.getLogger(__name__)


class AudioTarget(msgspec.Struct, frozen=True):
    """What to capture: a PulseAudio server's address and the name of one of its sources."""

    server: str
    source: str


class _Capture:
    """A thread that produces packets from ``start`` to ``stop``. The handler runs in that thread."""

    def __init__(self, plan: AudioPlan) -> None:
        self._plan = plan
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, on_packet: PacketHandler) -> None:
        """Begin; raises OpusError at once when the plan has a layout that Opus has not."""
        encoder: Encoder = PcmEncoder(self._plan) if self._plan.pcm_bits else OpusEncoder(self._plan)
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(encoder, on_packet), name="audio", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; after it returns no packet is delivered. Safe to repeat; not to be called from the handler."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)
            self._thread = None

    def _run(self, encoder: Encoder, on_packet: PacketHandler) -> None:
        raise NotImplementedError


class AudioCapture(_Capture):
    """Packets of what is played into a sink, silence included, from the sink's monitor.

    When the server or the source goes away, packets pause and go on by themselves once it is back.
    """

    def __init__(self, target: AudioTarget, plan: AudioPlan) -> None:
        super().__init__(plan)
        self._target = target
        self.reconnects = 0
        self.dropped_packets = 0

    def _run(self, encoder: Encoder, on_packet: PacketHandler) -> None:
        problem = ""
        while not self._stopping.is_set():
            try:
                with PulseRecorder(
                    self._target.server, self._target.source, self._plan.channels, self._plan.packet_us
                ) as recorder:
                    if problem:
                        logger.info("sound is back")
                        self.reconnects += 1
                    problem = ""
                    self._pump(recorder, encoder, on_packet)
            except PulseError as error:
                if not problem:
                    logger.warning("no sound for now: %s", error)
                problem = str(error)
                self._stopping.wait(_RETRY_S)
        encoder.close()

    def _pump(self, recorder: PulseRecorder, encoder: Encoder, on_packet: PacketHandler) -> None:
        size = encoder.input_bytes
        pending = bytearray()
        while not self._stopping.is_set():
            data = recorder.read(_SILENT_SERVER_S)
            if not data:
                raise PulseError(f"no samples for {_SILENT_SERVER_S:g} s")
            captured_ns = time.monotonic_ns()
            pending += data
            excess = len(pending) // size - MAX_BACKLOG_PACKETS
            if excess > 0:
                del pending[: excess * size]
                self.dropped_packets += excess
            while len(pending) >= size and not self._stopping.is_set():
                packet = encoder.encode(pending[:size])
                del pending[:size]
                on_packet(OpusPacket(packet, captured_ns))


class ToneCapture(_Capture):
    """A steady tone, another one on each channel, in real time: ``TONE_HZ`` and up in steps of ``TONE_STEP_HZ``."""

    def _run(self, encoder: Encoder, on_packet: PacketHandler) -> None:
        packets = _tone_packets(self._plan, encoder.samples_per_packet)
        period_s = self._plan.packet_us / 1_000_000
        due = time.monotonic()
        index = 0
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            on_packet(OpusPacket(encoder.encode(packets[index % len(packets)]), time.monotonic_ns()))
            index += 1
            # After a stall (a suspended machine) go on from now rather than catch up in a burst.
            due = max(due + period_s, time.monotonic() - MAX_BACKLOG_PACKETS * period_s)
        encoder.close()


def _tone_packets(plan: AudioPlan, samples: int) -> list[bytes]:
    """Samples of as many packets as hold whole periods of every channel's tone: they can be repeated for ever."""
    period_samples = SAMPLE_RATE_HZ // math.gcd(round(TONE_HZ), round(TONE_STEP_HZ), SAMPLE_RATE_HZ)
    total = math.lcm(period_samples, samples)
    steps = [math.tau * (TONE_HZ + TONE_STEP_HZ * channel) / SAMPLE_RATE_HZ for channel in range(plan.channels)]
    tone = array.array("f", (0.25 * math.sin(step * sample) for sample in range(total) for step in steps))
    data, size = tone.tobytes(), samples * plan.channels * 4
    return [data[start : start + size] for start in range(0, len(data), size)]
