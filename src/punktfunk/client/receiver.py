"""Video datagrams into access units: opening, replay window, probe filler apart (punktfunk1.md §5.4, §5.8, §5.12)."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag

from punktfunk.client.frame import Limits
from punktfunk.client.reassembly import AccessUnit, Reassembler
from punktfunk.wire.punktfunk1.video import (
    HEADER_BYTES,
    MAX_DATAGRAM_BYTES,
    OVERHEAD_BYTES,
    REPLAY_WINDOW,
    SEQ_BYTES,
    FrameFlags,
    Role,
    SealKey,
)
from punktfunk.wire.punktfunk1.welcome import Welcome
from punktfunk.wire.replay import ReplayWindow

_FLAGS_OFFSET = 20
_PROBE_BIT = int(FrameFlags.PROBE)
_MIN_FRAME_LIMIT = 8 * 1024 * 1024
_MAX_FRAME_LIMIT = 64 * 1024 * 1024


def limits_of(welcome: Welcome) -> Limits:
    """The limits that a session's Welcome implies."""
    average = welcome.bitrate_kbps * 125 // max(1, welcome.refresh_hz)
    most = max(_MIN_FRAME_LIMIT, min(_MAX_FRAME_LIMIT, 4 * average)) if welcome.bitrate_kbps else _MAX_FRAME_LIMIT
    return Limits(welcome.max_data_shards, most, scheme=welcome.fec_scheme)


def key_of(welcome: Welcome) -> SealKey:
    """The key that seals a session's video."""
    if welcome.chacha_key is not None:
        return SealKey(welcome.chacha_key, welcome.salt, chacha=True)
    return SealKey(welcome.key, welcome.salt)


@dataclass(slots=True)
class ProbeCount:
    """What arrived of a speed test's filler, with its headers and tags, and when (seconds)."""

    packets: int = 0
    wire_bytes: int = 0
    first: float = 0.0
    last: float = 0.0

    def add(self, wire_bytes: int, now: float) -> None:
        """One filler packet."""
        if self.packets == 0:
            self.first = now
        self.packets += 1
        self.wire_bytes += wire_bytes
        self.last = now


class VideoReceiver:
    """The receiving end of one session's video plane. Whatever arrives, nothing is raised and memory is bounded."""

    def __init__(self, key: SealKey, limits: Limits) -> None:
        self._decrypt = key.aead().decrypt
        self._nonce_prefix = key.nonce_prefix(Role.HOST)
        self._replay = ReplayWindow(REPLAY_WINDOW)
        self.reassembler = Reassembler(limits)
        self.probe = ProbeCount()
        self.packets = 0
        """Authentic packets, each counted once; filler included."""
        self.first_at: float | None = None
        """When the first of them came."""
        self.video_bytes = 0
        """UDP payload of authentic packets, filler left out."""
        self.refused = 0
        """Datagrams of a wrong size, not authentic, or seen before."""

    def receive(self, run: bytes | memoryview, now: float, datagram_bytes: int = 0) -> list[AccessUnit]:
        """Take a datagram, or a run of datagrams of ``datagram_bytes`` each (the last may be shorter) as the kernel's
        receive offload hands them up; the access units that they complete."""
        size = datagram_bytes or len(run)
        if not OVERHEAD_BYTES < size <= MAX_DATAGRAM_BYTES:
            self.refused += 1
            return []
        whole: list[AccessUnit] = []
        data, add = bytes(run), self.reassembler.add
        for start in range(0, len(data), size):
            plain = self._open(data[start : start + size])
            if plain is None:
                self.refused += 1
            elif len(plain) > _FLAGS_OFFSET and plain[_FLAGS_OFFSET] & _PROBE_BIT:
                self.packets += 1
                self.probe.add(len(plain) + OVERHEAD_BYTES - HEADER_BYTES, now)
            else:
                self.packets += 1
                self.video_bytes += len(plain) + OVERHEAD_BYTES - HEADER_BYTES
                unit = add(plain)
                if unit is not None:
                    whole.append(unit)
        if self.first_at is None and self.packets:
            self.first_at = now
        return whole

    @property
    def sent_packets(self) -> int:
        """Packets that the host has sent, as the newest one's number tells."""
        return self._replay.highest + 1

    def start_probe(self) -> None:
        """Count a new speed test from zero."""
        self.probe = ProbeCount()

    def _open(self, datagram: bytes) -> bytes | None:
        seq = datagram[:SEQ_BYTES]
        try:
            plain = self._decrypt(self._nonce_prefix + seq, datagram[SEQ_BYTES:], seq)
        except (InvalidTag, ValueError):
            return None
        return plain if self._replay.accept(int.from_bytes(seq, "big")) else None
