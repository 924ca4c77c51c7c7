"""The sender's side of video and audio, as small as the tests need it (gamestream.md §4.5, §5.4)."""

import struct
from dataclasses import dataclass

from tests.conformance.moonlight.fec import AUDIO_ROWS, encode, video_rows
from tests.conformance.moonlight.shard import expected_flags, parity_count


@dataclass
class VideoSender:
    packet_size: int = 64
    percentage: int = 20
    min_parity: int = 2
    seq: int = 0
    frame: int = 0

    def send(self, access_unit: bytes, kind: int, timestamp: int, extra: int = 0) -> list[bytes]:
        self.frame += 1
        payload = self.packet_size - 16
        body = bytes(8) + access_unit
        last = len(body) % payload or payload
        body = struct.pack("<BHBHH", 1, 0, kind, last, 0) + access_unit
        pieces = [body[at : at + payload].ljust(payload, b"\0") for at in range(0, len(body), payload)]
        most = 25500 // (100 + self.percentage)
        blocks = -(-len(pieces) // most)
        each = -(-len(pieces) // blocks)
        out: list[bytes] = []
        for number in range(blocks):
            out += self._block(pieces[number * each : (number + 1) * each], number, blocks - 1, timestamp, extra)
        return out

    def _block(self, pieces: list[bytes], number: int, last: int, timestamp: int, extra: int) -> list[bytes]:
        count, percentage = len(pieces), self.percentage
        parity = parity_count(count, percentage)
        if percentage and parity < self.min_parity:
            parity, percentage = self.min_parity, 100 * self.min_parity // count
        blocks = number << 4 | last << 6
        data = []
        for index, piece in enumerate(pieces):
            stream_index = ((self.seq + index) & 0xFFFFFF) << 8
            head = struct.pack(
                "<IIBBBBI", stream_index, self.frame, expected_flags(index, count), extra, 0x10, blocks, 0
            )
            data.append(bytes(16) + head + piece)
        shards = data + (encode(video_rows(count, parity), data) if parity else [])
        out = []
        for index, shard in enumerate(shards):
            rtp = struct.pack("!BBHIII", 0x90, 0, (self.seq + index) & 0xFFFF, timestamp & 0xFFFFFFFF, 0, 0)
            fec = percentage << 4 | index << 12 | count << 22
            out.append(
                rtp + shard[16:20] + struct.pack("<I", self.frame) + shard[24:27] + bytes([blocks])
                + struct.pack("<I", fec) + shard[32:]
            )  # fmt: skip
        self.seq += len(shards)
        return out


@dataclass
class AudioSender:
    packet_ms: int = 5
    seq: int = 0

    def block(self, payloads: list[bytes]) -> list[bytes]:
        """Four payloads as four data and two parity datagrams."""
        base, timestamp = self.seq, self.seq * self.packet_ms
        out = [
            struct.pack("!BBHII", 0x80, 97, (base + x) & 0xFFFF, timestamp + x * self.packet_ms, 0) + payload
            for x, payload in enumerate(payloads)
        ]
        for x, parity in enumerate(encode(AUDIO_ROWS, payloads)):
            head = struct.pack("!BBHII", 0x80, 127, (base + 4 + x) & 0xFFFF, 0, 0)
            out.append(head + struct.pack("!BBHII", x, 97, base & 0xFFFF, timestamp, 0) + parity)
        self.seq += 4
        return out
