from __future__ import annotations

import ctypes
import queue

import numpy as np
import pytest
from tests.sound_tools import decode, strongest_hz

from punktfunk.media.audio import TONE_HZ, TONE_STEP_HZ, AudioCapture, AudioTarget, ToneCapture
from punktfunk.media.frames import OpusPacket
from punktfunk.media.opus import OpusEncoder, OpusError
from punktfunk.media.plan import AudioPlan

# gamestream.md §5.1: plan and the length of every packet.
LAYOUTS = {
    "stereo": (AudioPlan(), 60),
    "stereo 10 ms": (AudioPlan(packet_ms=10), 120),
    "stereo high": (AudioPlan(bitrate_bps=512_000), 320),
    "5.1": (AudioPlan(6, 4, 2, (0, 1, 2, 3, 4, 5), 256_000), 160),
    "5.1 high": (AudioPlan(6, 6, 0, (0, 1, 2, 3, 4, 5), 1_536_000), 960),
    "7.1": (AudioPlan(8, 5, 3, (0, 1, 2, 3, 4, 5, 6, 7), 450_000), 281),
    "7.1 high": (AudioPlan(8, 8, 0, (0, 1, 2, 3, 4, 5, 6, 7), 2_048_000), 1280),
    "5.1 of another order": (AudioPlan(6, 4, 2, (0, 1, 4, 5, 2, 3), 256_000), 160),
}


def collect(capture: ToneCapture, count: int) -> list[OpusPacket]:
    packets: queue.Queue[OpusPacket] = queue.Queue()
    capture.start(packets.put)
    try:
        return [packets.get(timeout=10) for _ in range(count)]
    finally:
        capture.stop()


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_channel_keeps_its_place_and_each_packet_its_length(name: str) -> None:
    plan, length = LAYOUTS[name]
    packets = [bytes(packet.data) for packet in collect(ToneCapture(plan), 60)]
    assert {len(packet) for packet in packets} == {length}
    channels = decode(plan, packets)[:, 4800:]
    for index, channel in enumerate(channels):
        assert strongest_hz(channel) == pytest.approx(TONE_HZ + index * TONE_STEP_HZ, abs=12), f"channel {index}"


def test_silence_has_the_same_length_as_sound() -> None:
    encoder = OpusEncoder(AudioPlan())
    lengths = {len(encoder.encode(bytes(encoder.input_bytes))) for _ in range(50)}
    lengths.add(len(encoder.encode(np.random.default_rng(1).random(480, np.float32).tobytes())))
    encoder.close()
    assert lengths == {60}


def test_packets_come_in_real_time() -> None:
    packets = collect(ToneCapture(AudioPlan()), 41)
    span_ms = (packets[-1].capture_ns - packets[0].capture_ns) / 1e6
    assert span_ms >= 180


@pytest.mark.parametrize(
    "plan",
    [
        AudioPlan(2, 1, 1, (0,)),
        AudioPlan(2, 1, 1, (0, 300)),
        AudioPlan(2, 0, 0, (0, 1)),
        AudioPlan(6, 4, 3, (0, 1, 2, 3, 4, 9)),
        AudioPlan(2, 1, 2, (0, 1)),
        AudioPlan(bitrate_bps=-5),
        AudioPlan(0, 1, 1, ()),
        AudioPlan(65_535, 1, 1, (0,) * 65_535),
    ],
)
def test_impossible_layout_is_refused_at_start(plan: AudioPlan) -> None:
    with pytest.raises(OpusError):
        ToneCapture(plan).start(lambda packet: None)


def test_wrong_number_of_samples_is_refused() -> None:
    encoder = OpusEncoder(AudioPlan())
    with pytest.raises(OpusError, match="1920 bytes"):
        encoder.encode(b"\0" * 1919)
    encoder.close()


def test_application_is_restricted_low_delay() -> None:
    encoder = OpusEncoder(AudioPlan())
    value = ctypes.c_int32()
    get_lookahead = 4027
    encoder._lib.opus_multistream_encoder_ctl(ctypes.c_void_p(encoder._handle), get_lookahead, ctypes.byref(value))
    encoder.close()
    assert value.value == 120


def test_capture_without_a_server_waits_and_stops() -> None:
    capture = AudioCapture(AudioTarget("unix:/nonexistent", "x.monitor"), AudioPlan())
    packets: list[OpusPacket] = []
    capture.start(packets.append)
    capture.stop()
    capture.stop()
    assert packets == []
