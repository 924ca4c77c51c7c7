"""The client's microphone: packets put in order and in time, decoded, gaps concealed (punktfunk1.md §8.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from punktfunk.media.opus import SAMPLE_RATE_HZ, OpusError
from punktfunk.media.voice import VoiceDecoder, packet_samples

DELAY_S = 0.03
"""A packet is played so long after it could have been: what jitter may eat."""
MAX_DELAY_S = 0.12
"""More than that waiting means that the client's clock is faster: the oldest packets go."""
MAX_PACKETS = 32
"""Packets that wait, and the largest gap in numbers that is not a new beginning."""

_U32 = 1 << 32


class Slot(NamedTuple):
    """What is to be played next: a packet, or ``samples`` of concealment, with the packet behind the gap if it is
    there."""

    payload: bytes | None
    samples: int
    following: bytes | None = None


class JitterBuffer:
    """Sans-IO; times in seconds. The clock starts with a packet and stops when nothing waits: a client that is muted
    sends nothing."""

    def __init__(self) -> None:
        self.late = 0
        self.lost = 0
        self.skipped = 0
        self._next: int | None = None
        self._due: float | None = None
        self._samples = SAMPLE_RATE_HZ // 100
        self._waiting: dict[int, bytes] = {}

    @property
    def deadline(self) -> float | None:
        """When ``pop`` has something to give."""
        return self._due

    @property
    def waiting(self) -> int:
        """Packets that wait."""
        return len(self._waiting)

    def push(self, seq: int, payload: bytes, now: float) -> None:
        """One packet as it comes; what is no Opus is dropped."""
        samples = packet_samples(payload)
        if not samples:
            return
        ahead = 0 if self._next is None else (seq - self._next + _U32 // 2) % _U32 - _U32 // 2
        if ahead < 0 and ahead >= -MAX_PACKETS:
            self.late += 1
            return
        if abs(ahead) >= MAX_PACKETS:
            self._waiting.clear()
            self._next = self._due = None
        if self._due is None:
            self._next, self._due = seq, now + DELAY_S
        self._waiting[seq] = payload
        while self._delay_s(samples) > MAX_DELAY_S:
            self._skip()

    def pop(self, now: float) -> list[Slot]:
        """What is due."""
        slots: list[Slot] = []
        while self._next is not None and self._due is not None and now >= self._due:
            payload = self._waiting.pop(self._next, None)
            if payload is None and not self._waiting:
                self._due = None
                break
            if payload is not None:
                self._samples = packet_samples(payload)
                slots.append(Slot(payload, self._samples))
            else:
                self.lost += 1
                slots.append(Slot(None, self._samples, self._waiting.get((self._next + 1) % _U32)))
            self._next = (self._next + 1) % _U32
            self._due += self._samples / SAMPLE_RATE_HZ
        return slots

    def _delay_s(self, samples: int) -> float:
        return len(self._waiting) * samples / SAMPLE_RATE_HZ

    def _skip(self) -> None:
        assert self._next is not None
        self.skipped += self._waiting.pop(self._next, None) is not None
        self._next = (self._next + 1) % _U32


class MicrophonePlayer:
    """Decodes one client's voice in time and hands the samples to ``play``. Runs on the event loop."""

    def __init__(self, play: Callable[[bytes], None]) -> None:
        """Raises OpusError without libopus."""
        self._play = play
        self._decoder = VoiceDecoder()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.buffer = JitterBuffer()

    def receive(self, seq: int, payload: bytes) -> None:
        """One packet of the client."""
        self.buffer.push(seq, payload, self._loop.time())
        if self._timer is None:
            self._arm()

    def close(self) -> None:
        """Stop playing."""
        if self._timer is not None:
            self._timer.cancel()
        self._decoder.close()

    def _arm(self) -> None:
        due = self.buffer.deadline
        self._timer = self._loop.call_at(due, self._tick) if due is not None else None

    def _tick(self) -> None:
        for slot in self.buffer.pop(self._loop.time()):
            self._play(self._samples(slot))
        self._arm()

    def _samples(self, slot: Slot) -> bytes:
        try:
            if slot.payload is not None:
                return self._decoder.decode(slot.payload)
            return self._decoder.conceal(slot.samples, slot.following)
        except OpusError:
            return bytes(2 * slot.samples)
