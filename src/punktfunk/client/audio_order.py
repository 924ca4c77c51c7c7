"""Audio datagrams into an unbroken row of frames (punktfunk1.md §8.2-8.4). Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass

from punktfunk.wire.punktfunk1.audio import AudioFrame, PcmAudioFrame, RedundantAudioFrame

REORDER_FRAMES = 2
"""A missing frame is waited for until so many later ones are there."""

MAX_CONCEALED_FRAMES = 10
"""A longer gap is a pause: the row goes on after it."""

_U32 = 1 << 32


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """One frame to decode: Opus or PCM as the Welcome says; ``payload`` None = lost, to be concealed, and empty =
    silence. ``pts_ns`` is the host's wall clock, 0 of a lost frame."""

    seq: int
    pts_ns: int
    payload: bytes | None


@dataclass(slots=True)
class AudioStatistics:
    """Counters since the start; ``restored`` frames came from the redundant copy in the next datagram."""

    frames: int = 0
    lost: int = 0
    restored: int = 0
    late: int = 0


class AudioOrder:
    """Puts frames in order, takes each once, restores from redundancy and marks what is lost."""

    def __init__(self) -> None:
        self.statistics = AudioStatistics()
        self._next: int | None = None
        self._ahead: dict[int, AudioPacket] = {}

    def receive(self, frame: AudioFrame | RedundantAudioFrame | PcmAudioFrame) -> list[AudioPacket]:
        """One datagram; the packets that are ready, in order."""
        if self._next is None:
            self._next = frame.seq
        ahead = (frame.seq - self._next) % _U32
        if ahead >= _U32 // 2:
            self.statistics.late += 1
            return []
        self._ahead.setdefault(frame.seq, AudioPacket(frame.seq, frame.pts_ns, frame.payload))
        if isinstance(frame, RedundantAudioFrame) and frame.previous and ahead:
            before = (frame.seq - 1) % _U32
            if before not in self._ahead:
                self.statistics.restored += 1
                self._ahead[before] = AudioPacket(before, 0, frame.previous)
        return self._ready()

    def _ready(self) -> list[AudioPacket]:
        assert self._next is not None
        ready: list[AudioPacket] = []
        while self._ahead:
            packet = self._ahead.pop(self._next, None)
            if packet is None:
                if len(self._ahead) < REORDER_FRAMES:
                    break
                gap = min((seq - self._next) % _U32 for seq in self._ahead)
                self.statistics.lost += gap
                concealed = min(gap, MAX_CONCEALED_FRAMES)
                ready += [AudioPacket((self._next + i) % _U32, 0, None) for i in range(concealed)]
                self._next = (self._next + gap) % _U32
                continue
            ready.append(packet)
            self.statistics.frames += 1
            self._next = (self._next + 1) % _U32
        return ready
