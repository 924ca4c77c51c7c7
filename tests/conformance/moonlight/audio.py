"""The audio stream: rules on the wire, recovery, decryption, and the client's small queue (gamestream.md §5)."""

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from .fec import AUDIO_ROWS, encode, recover
from .violations import Violations

BLOCK = 4
DATA, PARITY = 97, 127
RTP_BYTES = 12
FEC_BYTES = 24
MAX_DATAGRAM = 1400
MAX_QUEUED = 30
MAX_BLOCKS = 16
LATE_WAIT_MS = 10
OPUS_FRAME_SAMPLES = {5: 240, 10: 480}

_RTP = struct.Struct("!BBHII")
_FEC = struct.Struct("!BBHII")


class AudioDatagram(NamedTuple):
    """``shard`` is None for data and the parity index for parity packets; ``seq`` is then the block's base."""

    seq: int
    timestamp: int
    shard: int | None
    payload: bytes


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """``opus`` is None where the client's decoder conceals a loss."""

    seq: int
    timestamp_ms: int
    opus: bytes | None
    recovered: bool
    arrived_at: float


class AudioCipher:
    def __init__(self, key: bytes, rikeyid: int) -> None:
        self._key, self._base = key, rikeyid & 0xFFFFFFFF

    def iv(self, seq: int) -> bytes:
        return ((self._base + seq) & 0xFFFFFFFF).to_bytes(4) + bytes(12)

    def decrypt(self, seq: int, payload: bytes) -> bytes:
        """The Opus packet; ValueError when length or padding are wrong."""
        decryptor = Cipher(algorithms.AES(self._key), CBC(self.iv(seq))).decryptor()
        unpadder = PKCS7(128).unpadder()
        return unpadder.update(decryptor.update(payload) + decryptor.finalize()) + unpadder.finalize()


def parse(raw: bytes, violations: Violations) -> AudioDatagram | None:
    if len(raw) <= RTP_BYTES or len(raw) > MAX_DATAGRAM:
        violations.add("audio.size", len(raw))
        return None
    first, kind, seq, timestamp, ssrc = _RTP.unpack_from(raw)
    if first != 0x80 or kind not in (DATA, PARITY) or ssrc:
        violations.add("audio.rtp-header", raw[:RTP_BYTES].hex())
        return None
    if kind == DATA:
        return AudioDatagram(seq, timestamp, None, raw[RTP_BYTES:])
    if len(raw) <= FEC_BYTES:
        violations.add("audio.size", len(raw))
        return None
    shard, inner, base, base_timestamp, inner_ssrc = _FEC.unpack_from(raw, RTP_BYTES)
    if timestamp or inner != DATA or inner_ssrc or shard > 1:
        violations.add("audio.fec-header", raw[:FEC_BYTES].hex())
        return None
    if base % BLOCK:
        violations.add("audio.fec-base", base)
        return None
    return AudioDatagram(base, base_timestamp, shard, raw[FEC_BYTES:])


class AudioAudit:
    """The sender's rules, checked in arrival order before any impairment."""

    def __init__(
        self, packet_ms: int, cipher: AudioCipher | None, violations: Violations, lossless: bool = True
    ) -> None:
        self.packets = self.blocks_proved = 0
        self.packet_bytes: set[int] = set()
        """Sizes of Opus packets seen; constant bitrate gives one."""
        self._ms, self._cipher, self._violations, self._lossless = packet_ms, cipher, violations, lossless
        self._next: tuple[int, int] | None = None
        self._block: list[AudioDatagram] = []
        self._parity_due = 0

    def on_datagram(self, datagram: AudioDatagram) -> None:
        if datagram.shard is None:
            self._on_data(datagram)
        else:
            self._on_parity(datagram)

    def _on_data(self, data: AudioDatagram) -> None:
        add = self._violations.add
        self.packets += 1
        if self._parity_due and self._lossless:
            add("audio.parity-missing", f"before {data.seq}")
        if self._next is None:
            if (data.seq, data.timestamp) != (0, 0):
                add("audio.first-packet", f"sequence {data.seq} timestamp {data.timestamp}")
        elif (data.seq, data.timestamp) != self._next:
            if self._lossless or (data.seq - self._next[0]) & 0xFFFF >= 0x8000:
                add("audio.sequence", f"{data.seq} at {data.timestamp} ms, expected {self._next}")
            self._block = []
        self._next = ((data.seq + 1) & 0xFFFF, (data.timestamp + self._ms) & 0xFFFFFFFF)
        self._block = [data] if data.seq % BLOCK == 0 else [*self._block, data][-BLOCK:]
        self._parity_due = 2 if data.seq % BLOCK == BLOCK - 1 and len(self._block) == BLOCK else 0
        self._check_opus(data)

    def _check_opus(self, data: AudioDatagram) -> None:
        try:
            opus = self._cipher.decrypt(data.seq, data.payload) if self._cipher else data.payload
        except ValueError as error:
            self._violations.add("audio.decrypt", f"{data.seq}: {error}")
            return
        if not opus:
            self._violations.add("audio.empty", data.seq)
            return
        if len(self.packet_bytes) < 64:
            self.packet_bytes.add(len(opus))
        samples = opus_frame_samples(opus[0])
        if samples != OPUS_FRAME_SAMPLES[self._ms] or opus[0] & 3:
            self._violations.add("audio.duration", f"{data.seq}: {samples} samples a frame, code {opus[0] & 3}")

    def _on_parity(self, parity: AudioDatagram) -> None:
        if not self._parity_due or len(self._block) != BLOCK or self._block[0].seq != parity.seq:
            if self._lossless:
                self._violations.add("audio.parity-order", f"shard {parity.shard} of block {parity.seq}")
            return
        expected_shard = 2 - self._parity_due
        self._parity_due -= 1
        if parity.shard != expected_shard:
            self._violations.add("audio.parity-order", f"shard {parity.shard}, expected {expected_shard}")
            return
        if parity.timestamp != self._block[0].timestamp:
            self._violations.add("audio.fec-timestamp", f"{parity.timestamp}, block at {self._block[0].timestamp}")
        payloads = [data.payload for data in self._block]
        if len({len(payload) for payload in [*payloads, parity.payload]}) != 1:
            self._violations.add("audio.block-sizes", [len(payload) for payload in [*payloads, parity.payload]])
            return
        self.blocks_proved += 1
        if encode(AUDIO_ROWS[expected_shard : expected_shard + 1], payloads)[0] != parity.payload:
            self._violations.add("audio.parity", f"block {parity.seq} shard {parity.shard}")


@dataclass
class _Block:
    timestamp: int = 0
    data: dict[int, bytes] = field(default_factory=dict)
    parity: dict[int, bytes] = field(default_factory=dict)


class AudioQueue:
    """What reaches the Opus decoder: in order, recovered where parity allows, None where a packet stays lost."""

    def __init__(self, packet_ms: int, cipher: AudioCipher | None, violations: Violations, discard_s: float) -> None:
        self.delivered = self.recovered = self.concealed = self.late = self.overflows = 0
        self._ms, self._cipher, self._violations = packet_ms, cipher, violations
        self._to_discard = int(discard_s * 1000 / packet_ms)
        self._next: int | None = None
        self._waiting_since: float | None = None
        self._late_wait_s = (BLOCK * packet_ms + LATE_WAIT_MS) / 1000
        self._data: dict[int, tuple[AudioDatagram, float, bool]] = {}
        self._blocks: dict[int, _Block] = {}

    def on_datagram(self, datagram: AudioDatagram, now: float) -> list[AudioPacket]:
        if self._next is None and not self._start(datagram):
            return []
        assert self._next is not None
        base = datagram.seq - datagram.seq % BLOCK
        if _before(base + BLOCK - 1, self._next):
            self.late += datagram.shard is None
            return []
        block = self._blocks.setdefault(base, _Block())
        if datagram.shard is not None:
            block.parity[datagram.shard], block.timestamp = datagram.payload, datagram.timestamp
        elif datagram.seq - base not in block.data:
            block.data[datagram.seq - base] = datagram.payload
            if _before(datagram.seq, self._next):
                self.late += 1
            else:
                self._data[datagram.seq] = (datagram, now, False)
        self._recover(base, block, now)
        if len(self._data) > MAX_QUEUED:
            self.overflows += 1
            self._next = min(self._data, key=lambda seq: (seq - (self._next or 0)) & 0xFFFF)
        return self.poll(now)

    def poll(self, now: float) -> list[AudioPacket]:
        """Packets that are due at ``now``; call also when nothing arrives."""
        packets: list[AudioPacket] = []
        while self._next is not None:
            held = self._data.pop(self._next, None)
            if held is not None:
                self._waiting_since = None
                packets.append(self._deliver(*held))
            elif not self._data:
                break
            elif self._waiting_since is None:
                self._waiting_since = now
                break
            elif now - self._waiting_since < self._late_wait_s:
                break
            else:
                self.concealed += 1
                packets.append(AudioPacket(self._next, 0, None, False, now))
            self._next = (self._next + 1) & 0xFFFF
        self._forget_old_blocks()
        return packets

    def _start(self, datagram: AudioDatagram) -> bool:
        if datagram.shard is not None:
            return False
        if self._to_discard > 0:
            self._to_discard -= 1
            return False
        if datagram.seq % BLOCK:
            return False
        self._next = datagram.seq
        return True

    def _recover(self, base: int, block: "_Block", now: float) -> None:
        missing = BLOCK - len(block.data)
        if not missing or missing > len(block.parity):
            return
        if len({len(payload) for payload in [*block.data.values(), *block.parity.values()]}) != 1:
            return
        for index, payload in recover(AUDIO_ROWS, block.data, block.parity).items():
            block.data[index] = payload
            seq = base + index
            if self._next is not None and not _before(seq, self._next):
                self.recovered += 1
                timestamp = (block.timestamp + index * self._ms) & 0xFFFFFFFF
                self._data[seq] = (AudioDatagram(seq, timestamp, None, payload), now, True)

    def _deliver(self, datagram: AudioDatagram, arrived_at: float, recovered: bool) -> AudioPacket:
        self.delivered += 1
        opus: bytes | None = datagram.payload
        if self._cipher is not None:
            try:
                opus = self._cipher.decrypt(datagram.seq, datagram.payload)
            except ValueError:
                rule = "audio.recovered-decrypt" if recovered else "audio.decrypt"
                self._violations.add(rule, datagram.seq)
                opus = None
        return AudioPacket(datagram.seq, datagram.timestamp, opus, recovered, arrived_at)

    def _forget_old_blocks(self) -> None:
        if self._next is not None:
            current = {base: block for base, block in self._blocks.items() if not _before(base + BLOCK - 1, self._next)}
            self._blocks = dict(list(current.items())[-MAX_BLOCKS:])


def opus_frame_samples(toc: int) -> int:
    """Samples per frame at 48 kHz that an Opus TOC byte announces (RFC 6716 §3.1)."""
    config = toc >> 3
    if config < 12:
        return (480, 960, 1920, 2880)[config & 3]
    if config < 16:
        return (480, 960)[config & 1]
    return (120, 240, 480, 960)[config & 3]


def _before(seq: int, other: int) -> bool:
    return (seq - other) & 0xFFFF >= 0x8000
