"""Opus packets from the encoder to the client's audio port."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from punktfunk.gamestream.audio import AudioPacketizer, AudioPacketTooLarge
from punktfunk.media.frames import OpusPacket
from punktfunk.wire.udp import Address, BatchSender, SendStatistics


@dataclass(slots=True)
class AudioStatistics:
    """What became of the Opus packets; ``datagrams`` counts parity too."""

    packets_sent: int = 0
    packets_dropped: int = 0
    datagrams: SendStatistics = field(default_factory=SendStatistics)


class AudioSender:
    """Sends the Opus packets of one stream as they come, in the encoder's thread; the socket is the caller's."""

    def __init__(self, sock: socket.socket, packetizer: AudioPacketizer) -> None:
        self._packetizer = packetizer
        self._datagrams = BatchSender(sock)
        self._endpoint: Address | None = None
        self.statistics = AudioStatistics(datagrams=self._datagrams.statistics)

    def set_endpoint(self, address: Address) -> None:
        """Where the next packet goes: the source of the client's audio ping. From any thread, at any time."""
        self._endpoint = address

    def send(self, packet: OpusPacket) -> bool:
        """Send one packet, and its block's parity when it is the fourth; False when it was dropped.

        It is dropped, without using a number, until there is an endpoint and when it does not fit the protocol.
        """
        endpoint = self._endpoint
        if endpoint is None:
            return self._drop()
        try:
            datagrams = self._packetizer.packetize(packet.data)
        except AudioPacketTooLarge:
            return self._drop()
        for datagram in datagrams:
            self._datagrams.send(memoryview(datagram), len(datagram), endpoint)
        self.statistics.packets_sent += 1
        return True

    def _drop(self) -> bool:
        self.statistics.packets_dropped += 1
        return False
