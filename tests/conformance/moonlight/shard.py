"""One video datagram as a value (gamestream.md §4.2, §4.3, §4.8)."""

import struct
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .violations import Violations

HEADER_BYTES = 32
ENCRYPTION_BYTES = 32
FRAME_HEADER_BYTES = 8
FLAG_PICTURE, FLAG_END, FLAG_START = 1, 2, 4
EXTRA_LTR = 1
MAX_REMEMBERED_NONCES = 1 << 16
FOREIGN_SUFFIXES = frozenset({b"CC", b"HC", b"CR", b"HR"})

_HEADER = struct.Struct("!BBHIII")
_VIDEO = struct.Struct("<IIBBBBI")


class Shard(NamedTuple):
    seq: int
    timestamp: int
    stream_index: int
    frame: int
    flags: int
    extra_flags: int
    block: int
    last_block: int
    position: int
    """Place in the block: data shards first, then parity."""
    data_shards: int
    percentage: int
    raw: bytes

    @property
    def parity_shards(self) -> int:
        return parity_count(self.data_shards, self.percentage)

    @property
    def is_data(self) -> bool:
        return self.position < self.data_shards


def parity_count(data_shards: int, percentage: int) -> int:
    return (data_shards * percentage + 99) // 100


class ShardParser:
    """Datagrams to shards, with every rule that a single datagram can break."""

    def __init__(self, packet_size: int, key: bytes | None, violations: Violations) -> None:
        self.shard_bytes = packet_size + 16
        self._aead = AESGCM(key) if key is not None else None
        self._nonces: dict[bytes, None] = {}
        self._violations = violations

    def parse(self, datagram: bytes) -> Shard | None:
        """The shard, or None when a client would drop the datagram."""
        if self._aead is None:
            return self._parse_plain(datagram)
        if len(datagram) != self.shard_bytes + ENCRYPTION_BYTES:
            self._violations.add("video.size", f"{len(datagram)}, expected {self.shard_bytes + ENCRYPTION_BYTES}")
            return None
        nonce = datagram[:12]
        self._check_nonce(nonce)
        try:
            raw = self._aead.decrypt(nonce, datagram[32:] + datagram[16:32], None)
        except InvalidTag:
            self._violations.add("video.tag", f"nonce {nonce.hex()}")
            return None
        shard = self._parse_plain(raw)
        if shard is not None and shard.frame != int.from_bytes(datagram[12:16], "little"):
            self._violations.add("video.frame-hint", f"{datagram[12:16].hex()} on frame {shard.frame}")
        return shard

    def _check_nonce(self, nonce: bytes) -> None:
        if nonce in self._nonces:
            self._violations.add("video.nonce-reused", nonce.hex())
        if nonce[10:] in FOREIGN_SUFFIXES:
            self._violations.add("video.nonce-collides", nonce.hex())
        self._nonces[nonce] = None
        if len(self._nonces) > MAX_REMEMBERED_NONCES:
            del self._nonces[next(iter(self._nonces))]

    def _parse_plain(self, raw: bytes) -> Shard | None:
        add = self._violations.add
        if len(raw) != self.shard_bytes:
            add("video.size", f"{len(raw)}, expected {self.shard_bytes}")
            return None
        rtp, kind, seq, timestamp, ssrc, reserved = _HEADER.unpack_from(raw)
        index, frame, flags, extra, multi_flags, multi_blocks, fec = _VIDEO.unpack_from(raw, 16)
        if rtp != 0x90 or kind or ssrc or reserved:
            add("video.rtp-header", raw[:16].hex())
            if not rtp & 0x10:
                return None
        shard = Shard(
            seq, timestamp, index, frame, flags, extra, multi_blocks >> 4 & 3, multi_blocks >> 6,
            fec >> 12 & 0x3FF, fec >> 22, fec >> 4 & 0xFF, raw,
        )  # fmt: skip
        if fec & 0xF or multi_blocks & 0xF or shard.block > shard.last_block or not shard.data_shards:
            add("video.fec-header", f"fecInfo {fec:#010x} multiFecBlocks {multi_blocks:#04x}")
            if not shard.data_shards or shard.block > shard.last_block:
                return None
        if shard.is_data:
            if multi_flags != 0x10:
                add("video.multi-fec-flags", f"{multi_flags:#04x}")
            if index & 0xFF:
                add("video.stream-index-low-byte", f"{index:#010x}")
            if extra & ~EXTRA_LTR:
                add("video.extra-flags", f"{extra:#04x}")
        parity = shard.parity_shards
        if shard.position >= shard.data_shards + parity:
            add("video.shard-index", f"{shard.position} of {shard.data_shards} + {parity}")
            return None
        if parity and shard.data_shards + parity > 255:
            add("video.block-too-large", f"{shard.data_shards} + {parity}")
            return None
        return shard


def expected_flags(index: int, data_shards: int) -> int:
    return FLAG_PICTURE | (FLAG_START if index == 0 else 0) | (FLAG_END if index == data_shards - 1 else 0)
