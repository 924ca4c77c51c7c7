"""Sound from the encoder to the client, as QUIC datagrams of the supervisor (punktfunk1.md §8.2-8.4)."""

from __future__ import annotations

import struct
from collections.abc import Callable

from punktfunk.media.frames import OpusPacket
from punktfunk.native.plane_messages import Report, SendDatagram
from punktfunk.wire.punktfunk1.audio import AudioFrame, PcmAudioFrame, RedundantAudioFrame
from punktfunk.wire.punktfunk1.datagrams import encode_datagram
from punktfunk.wire.udp import Address

MAX_PAYLOAD_BYTES = 1100
"""What fits a QUIC datagram with its head; a redundant frame that does not goes out plain."""
MAX_PCM_BYTES = 1136
MAX_PTS_ERROR_NS = 20_000_000
"""Time stamps of samples follow one another by their duration; this far from the clock they begin anew."""


class AudioNumbers:
    """The count of audio frames, in a native 64-bit word that outlives the worker: a replacement goes on in it."""

    STORAGE_BYTES = struct.calcsize("Q")

    def __init__(self, storage: memoryview | bytearray) -> None:
        self._word = memoryview(storage).cast("B")[: self.STORAGE_BYTES].cast("Q")

    def take(self) -> int:
        """The next sequence number, u32."""
        seq = self._word[0]
        self._word[0] = seq + 1
        return seq & 0xFFFF_FFFF


class NativeAudioSender:
    """Reports each packet as one datagram; with ``redundant`` it carries a copy of the packet before. Packets are Opus,
    or samples of the duration ``pcm_packet_ns``."""

    def __init__(
        self,
        numbers: AudioNumbers,
        report: Callable[[Report], None],
        *,
        wall_offset_ns: int,
        redundant: bool,
        pcm_packet_ns: int = 0,
    ) -> None:
        self._numbers = numbers
        self._report = report
        self._wall_offset_ns = wall_offset_ns
        self._redundant = redundant
        self._previous = b""
        self._pcm_packet_ns = pcm_packet_ns
        self._pts_ns = 0

    def set_endpoint(self, address: Address) -> None:
        """Audio needs none: it travels on the connection."""

    def send(self, packet: OpusPacket) -> bool:
        """Send one packet; False when it fits no datagram."""
        if self._pcm_packet_ns:
            return self._send_samples(packet)
        payload, previous = bytes(packet.data), self._previous
        self._previous = payload
        if len(payload) > MAX_PAYLOAD_BYTES:
            return False
        seq, pts_ns = self._numbers.take(), packet.capture_ns + self._wall_offset_ns
        if self._redundant and len(payload) + len(previous) <= MAX_PAYLOAD_BYTES:
            datagram = encode_datagram(RedundantAudioFrame(seq, pts_ns, payload, previous))
        else:
            datagram = encode_datagram(AudioFrame(seq, pts_ns, payload))
        self._report(SendDatagram(datagram))
        return True

    def _send_samples(self, packet: OpusPacket) -> bool:
        if len(packet.data) > MAX_PCM_BYTES:
            return False
        clock_ns, self._pts_ns = packet.capture_ns + self._wall_offset_ns, self._pts_ns + self._pcm_packet_ns
        if abs(clock_ns - self._pts_ns) > MAX_PTS_ERROR_NS:
            self._pts_ns = clock_ns
        frame = PcmAudioFrame(self._numbers.take(), self._pts_ns, bytes(packet.data))
        self._report(SendDatagram(encode_datagram(frame)))
        return True
