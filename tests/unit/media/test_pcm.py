"""Sound as plain samples, and back."""

from __future__ import annotations

import itertools
import queue

import numpy as np
import pytest
from tests.sound_tools import strongest_hz

from punktfunk.client.audio_order import AudioPacket
from punktfunk.client.sound import SoundDecoder
from punktfunk.media.audio import TONE_HZ, TONE_STEP_HZ, ToneCapture
from punktfunk.media.frames import OpusPacket
from punktfunk.media.pcm import FULL_SCALE, PcmEncoder
from punktfunk.media.plan import AudioPlan
from punktfunk.native.audio_sender import MAX_PTS_ERROR_NS, AudioNumbers, NativeAudioSender
from punktfunk.native.plane_messages import Report, SendDatagram
from punktfunk.wire.punktfunk1.audio import PcmAudioFrame
from punktfunk.wire.punktfunk1.datagrams import decode_from_host
from punktfunk.wire.punktfunk1.welcome import PcmAudio, Welcome


def plan(bits: int, channels: int = 2, packet_us: int = 3000) -> AudioPlan:
    return AudioPlan(channels, pcm_bits=bits, pcm_packet_us=packet_us)


def decoder(bits: int, channels: int = 2, packet_us: int = 3000) -> SoundDecoder:
    audio = PcmAudio(48_000, bits, packet_us)
    return SoundDecoder(Welcome(1, 1280, 720, 60, 1408, bytes(16), b"salt", audio_channels=channels, audio=audio))


@pytest.mark.parametrize("bits", FULL_SCALE)
def test_full_scale_is_symmetric_and_louder_is_cut(bits: int) -> None:
    encoder = PcmEncoder(plan(bits))
    samples = np.zeros(encoder.input_bytes // 4, np.float32)
    samples[:6] = 1.0, -1.0, 2.0, -2.0, 0.5, 1 / FULL_SCALE[bits]
    data = encoder.encode(samples.tobytes())
    size = bits // 8
    assert len(data) == 144 * 2 * size
    values = [int.from_bytes(data[i * size : (i + 1) * size], "little", signed=True) for i in range(6)]
    most = FULL_SCALE[bits]
    assert values == [most, -most, most, -most, most // 2 + 1, 1]


@pytest.mark.parametrize("bits", FULL_SCALE)
def test_every_value_survives_the_way_to_the_client(bits: int) -> None:
    step = 1 if bits == 16 else 256
    integers = np.arange(-FULL_SCALE[bits], FULL_SCALE[bits] + 1, step)
    floats = (integers / FULL_SCALE[bits]).astype(np.float32)
    encoder = PcmEncoder(plan(bits))
    floats = np.pad(floats, (0, -len(floats) % (encoder.input_bytes // 4)))
    heard = decoder(bits).decode(AudioPacket(0, 0, encoder.encode(floats.tobytes())))
    assert np.abs(np.frombuffer(heard, np.float32) - floats).max() <= 1e-7


@pytest.mark.parametrize(("channels", "packet_us"), [(2, 5000), (6, 1500), (8, 1000)])
def test_the_tone_of_every_channel_is_heard_at_its_client(channels: int, packet_us: int) -> None:
    packets: queue.Queue[OpusPacket] = queue.Queue()
    capture = ToneCapture(plan(16, channels, packet_us))
    capture.start(packets.put)
    taken = [bytes(packets.get(timeout=10).data) for _ in range(400_000 // packet_us)]
    capture.stop()
    client = decoder(16, channels, packet_us)
    heard = b"".join(client.decode(AudioPacket(i, 0, data)) for i, data in enumerate(taken))
    by_channel = np.frombuffer(heard, np.float32).reshape(-1, channels).T
    for index, channel in enumerate(by_channel):
        assert strongest_hz(channel) == pytest.approx(TONE_HZ + index * TONE_STEP_HZ, abs=12), f"channel {index}"


def test_a_lost_packet_is_silence_of_its_length() -> None:
    assert decoder(16).decode(AudioPacket(1, 0, None)) == bytes(144 * 2 * 4)


def sent(captures_ns: list[int], size: int = 576, packet_ns: int = 3_000_000) -> list[PcmAudioFrame]:
    reports: list[Report] = []
    numbers = AudioNumbers(bytearray(8))
    sender = NativeAudioSender(numbers, reports.append, wall_offset_ns=7, redundant=True, pcm_packet_ns=packet_ns)
    for at in captures_ns:
        sender.send(OpusPacket(bytes(size), at))
    frames = [decode_from_host(report.data) for report in reports if isinstance(report, SendDatagram)]
    assert all(isinstance(frame, PcmAudioFrame) for frame in frames)
    return [frame for frame in frames if isinstance(frame, PcmAudioFrame)]


def test_time_stamps_advance_by_the_true_duration_however_the_captures_come() -> None:
    start = 10**12
    frames = sent([start + i * 3_000_000 + (i % 4) * 1_000_000 for i in range(1000)])
    assert [frame.seq for frame in frames] == list(range(1000))
    assert {b.pts_ns - a.pts_ns for a, b in itertools.pairwise(frames)} == {3_000_000}
    assert frames[0].pts_ns == start + 7


def test_a_pause_moves_the_time_stamps() -> None:
    start, pause = 10**12, 10 * MAX_PTS_ERROR_NS
    frames = sent([start, start + 3_000_000, start + pause])
    assert frames[2].pts_ns == start + pause + 7


def test_what_fits_no_datagram_is_refused() -> None:
    assert sent([1], size=1200) == []
