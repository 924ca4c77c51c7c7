"""The client's voice: order, gaps, late packets, mute, clock drift, floods, and what libopus makes of it."""

from __future__ import annotations

import math
import struct

import pytest

from punktfunk.client.opus import VoiceEncoder
from punktfunk.media.opus import OpusError
from punktfunk.media.voice import VoiceDecoder, packet_samples
from punktfunk.session.microphone_player import DELAY_S, MAX_DELAY_S, MAX_PACKETS, JitterBuffer, Slot

FRAME_S = 0.01
PACKET = b"\x78\x01"
"""Hybrid, 20 ms, one frame: 0x78 >> 3 is configuration 15."""


def celt(ms: int = 10, fill: int = 0) -> bytes:
    return bytes([{5: 29, 10: 30, 20: 31}[ms] << 3, fill])


def played(buffer: JitterBuffer, now: float) -> list[int | None]:
    return [slot.payload[1] if slot.payload else None for slot in buffer.pop(now)]


@pytest.mark.parametrize(
    ("payload", "samples"),
    [
        (b"", 0),
        (celt(5), 240),
        (celt(10), 480),
        (celt(20), 960),
        (PACKET, 960),
        (bytes([celt(10)[0] | 1, 0]), 960),
        (bytes([celt(10)[0] | 3, 4]), 1920),
        (bytes([celt(10)[0] | 3]), 0),
        (bytes([3 << 3 | 3, 63]), 0),
    ],
)
def test_the_length_stands_in_the_packet(payload: bytes, samples: int) -> None:
    assert packet_samples(payload) == samples


def test_packets_are_played_in_order_a_delay_later() -> None:
    buffer = JitterBuffer()
    for seq in (7, 9, 8):
        buffer.push(seq, celt(fill=seq), 1.0)
    assert played(buffer, 1.0 + DELAY_S - 0.001) == []
    assert played(buffer, 1.0 + DELAY_S) == [7]
    assert played(buffer, 1.0 + DELAY_S + 2 * FRAME_S) == [8, 9]


def test_a_gap_is_concealed_from_the_packet_behind_it() -> None:
    buffer = JitterBuffer()
    for seq in (0, 2):
        buffer.push(seq, celt(fill=seq), 0.0)
    assert buffer.pop(DELAY_S + 2 * FRAME_S) == [
        Slot(celt(), 480),
        Slot(None, 480, celt(fill=2)),
        Slot(celt(fill=2), 480),
    ]
    assert buffer.lost == 1
    buffer.push(1, celt(fill=1), 0.1)
    assert buffer.late == 1


def test_mute_stops_the_clock_and_speech_starts_it_again() -> None:
    buffer = JitterBuffer()
    buffer.push(0, celt(), 0.0)
    assert played(buffer, 5.0) == [0]
    assert buffer.deadline is None
    buffer.push(1, celt(fill=1), 60.0)
    assert buffer.deadline == 60.0 + DELAY_S
    assert played(buffer, 60.0 + DELAY_S) == [1]


def test_numbers_wrap() -> None:
    buffer = JitterBuffer()
    for fill, seq in enumerate((0xFFFF_FFFF, 0, 1)):
        buffer.push(seq, celt(fill=fill), 0.0)
    assert played(buffer, 1.0) == [0, 1, 2]


def test_a_client_that_begins_anew_is_heard() -> None:
    buffer = JitterBuffer()
    buffer.push(100_000, celt(fill=1), 0.0)
    assert played(buffer, 1.0) == [1]
    buffer.push(0, celt(fill=2), 1.0)
    assert played(buffer, 2.0) == [2]


def test_what_piles_up_is_cut_to_the_newest() -> None:
    buffer = JitterBuffer()
    for seq in range(1000):
        buffer.push(seq % 2**32, celt(20, seq % 256), 0.0)
        assert buffer.waiting <= MAX_PACKETS
        assert buffer.waiting * 0.02 <= MAX_DELAY_S + 1e-9
    assert buffer.skipped > 900


def test_junk_is_dropped() -> None:
    buffer = JitterBuffer()
    buffer.push(0, b"", 0.0)
    buffer.push(1, b"\x03", 0.0)
    assert buffer.deadline is None


def test_voice_survives_a_lost_packet() -> None:
    encoder, decoder = VoiceEncoder(), VoiceDecoder()
    packets = []
    for block in range(30):
        tone = (int(8000 * math.sin(i * 440 * math.tau / 48_000)) for i in range(block * 480, (block + 1) * 480))
        packets.append(encoder.encode(struct.pack("<480h", *tone)))
    loudness = []
    for number, packet in enumerate(packets):
        samples = decoder.conceal(480, packets[number + 1]) if number == 20 else decoder.decode(packet)
        assert len(samples) == 960
        loudness.append(max(map(abs, struct.unpack("<480h", samples))))
    assert min(loudness[5:]) > 3000
    with pytest.raises(OpusError):
        decoder.decode(b"\xff\xff\xff")
    encoder.close()
    decoder.close()
