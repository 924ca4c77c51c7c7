from __future__ import annotations

import mmap
import os
import subprocess
import sys

import pytest

from punktfunk.gamestream.numbers import MAX_GENERATION, AudioNumbers, FrameNumbers, VideoNumbers

FIRST_CAPTURE_NS = 5_000_000_000


def test_a_new_stream() -> None:
    numbers = VideoNumbers()
    assert numbers.reserve(5) == FrameNumbers(frame_index=1, sequence=0, nonce=0)
    assert numbers.reserve(3) == FrameNumbers(frame_index=2, sequence=5, nonce=5)
    assert numbers.generation == 0


def test_a_replacement_process_goes_on_with_other_nonces() -> None:
    with mmap.mmap(-1, mmap.PAGESIZE) as shared:
        storage = memoryview(shared)
        first = VideoNumbers(storage)
        first.reserve(7)
        first.rtp_timestamp(FIRST_CAPTURE_NS)
        second = VideoNumbers(storage)
        second.take_over()
        assert second.reserve(1) == FrameNumbers(frame_index=2, sequence=7, nonce=7)
        assert second.generation == 1
        assert second.rtp_timestamp(FIRST_CAPTURE_NS + 1_000_000_000) == 90_000
        del first, second, storage


def test_a_killed_process_has_reserved_all_that_it_sent() -> None:
    packetize_for_ever = """
import mmap, os, sys
from punktfunk.gamestream.numbers import VideoNumbers
from punktfunk.gamestream.video import FrameType, VideoPacketizer
from punktfunk.wire.aead import BatchSealer
storage, wire = int(sys.argv[1]), int(sys.argv[2])
packetizer = VideoPacketizer(64, 20, 2, BatchSealer(bytes(16)), VideoNumbers(memoryview(mmap.mmap(storage, 4096))))
while True:
    batch = packetizer.packetize(bytes(100), FrameType.PREDICTED, 0, 0)
    os.write(wire, batch.data)
"""
    storage = os.memfd_create("numbers")
    os.truncate(storage, 4096)
    read_end, write_end = os.pipe()
    arguments = [sys.executable, "-c", packetize_for_ever, str(storage), str(write_end)]
    child = subprocess.Popen(arguments, pass_fds=(storage, write_end))
    os.close(write_end)
    sent = bytearray()
    with os.fdopen(read_end, "rb", buffering=0) as wire:
        while len(sent) < 100_000:
            sent += wire.read(65_536)
        child.kill()
        child.wait()
        while rest := wire.read(65_536):
            sent += rest
    with mmap.mmap(storage, 4096) as shared:
        os.close(storage)
        numbers = VideoNumbers(memoryview(shared))
        first_free = numbers.reserve(1)
        del numbers
    last = sent[len(sent) // 112 * 112 - 112 :][:112]
    assert first_free.nonce > int.from_bytes(last[:8], "little")
    assert first_free.frame_index > int.from_bytes(last[12:16], "little")


def test_generations_do_not_wrap() -> None:
    numbers = VideoNumbers()
    for _ in range(MAX_GENERATION):
        numbers.take_over()
    with pytest.raises(OverflowError):
        numbers.take_over()
    assert numbers.generation == MAX_GENERATION


def test_timestamps_rise_even_when_the_capture_clock_does_not() -> None:
    numbers = VideoNumbers()
    captures = [0, 16_666_667, 16_666_667, -1_000_000_000, 33_333_333]
    stamps = [numbers.rtp_timestamp(FIRST_CAPTURE_NS + capture) for capture in captures]
    assert stamps == [1, 1500, 1501, 1502, 2999]


def test_timestamps_wrap_at_32_bits() -> None:
    numbers = VideoNumbers()
    numbers.rtp_timestamp(FIRST_CAPTURE_NS)
    assert numbers.rtp_timestamp(FIRST_CAPTURE_NS + ((1 << 32) + 9) * 100_000 // 9 + 1) == 9


@pytest.mark.parametrize("storage", [bytearray(47), memoryview(bytes(48))], ids=["short", "read-only"])
def test_unusable_storage(storage: bytearray | memoryview) -> None:
    with pytest.raises(ValueError, match="48 writable bytes"):
        VideoNumbers(storage)


def test_audio_numbers_go_on_too() -> None:
    storage = bytearray(AudioNumbers.STORAGE_BYTES)
    assert [AudioNumbers(storage).reserve() for _ in range(3)] == [0, 1, 2]
