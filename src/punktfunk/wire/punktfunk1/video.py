"""The video plane's packet header, sealing and sizes (punktfunk1.md §5.1-5.4)."""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

SEQ_BYTES = 8
HEADER_BYTES = 40
TAG_BYTES = 16
OVERHEAD_BYTES = SEQ_BYTES + HEADER_BYTES + TAG_BYTES

HEADER_MAGIC = 0xC9
HEADER_VERSION = 1
FLAG_PIC, FLAG_EOF, FLAG_SOF = 1, 2, 4

PUNCH = b"PFpunch1"

MIN_SHARD_BYTES = 512
MAX_SHARD_BYTES = 9152
MAX_DATAGRAM_BYTES = 9216
MAX_FEC_PERCENT = 90
MAX_BLOCK_SHARDS = 65_535
REPLAY_WINDOW = 131_072

IPV4_OVERHEAD_BYTES = 28
IPV6_OVERHEAD_BYTES = 48

HEADER = struct.Struct("<QIIIIHHHHHHBBBB")
HEADER_DTYPE = np.dtype(
    [
        ("pts_ns", "<u8"),
        ("frame_index", "<u4"),
        ("stream_seq", "<u4"),
        ("frame_bytes", "<u4"),
        ("user_flags", "<u4"),
        ("block_index", "<u2"),
        ("block_count", "<u2"),
        ("data_shards", "<u2"),
        ("recovery_shards", "<u2"),
        ("shard_index", "<u2"),
        ("shard_bytes", "<u2"),
        ("magic", "u1"),
        ("version", "u1"),
        ("fec_scheme", "u1"),
        ("flags", "u1"),
    ]
)


class FrameFlags(enum.IntFlag, boundary=enum.KEEP):
    """``user_flags`` of the header (§5.3); KEYFRAME is the bit that the reference calls SOF."""

    NONE = 0
    PICTURE = 0x01
    KEYFRAME = 0x04
    PROBE = 0x08
    RECOVERY_POINT = 0x10
    RECOVERY_ANCHOR = 0x20
    CHUNK_ALIGNED = 0x40
    SLICE_STREAM = 0x80
    REPEAT = 0x100


class Role(enum.IntEnum):
    """Who sends; the top bit of the nonce, so that both directions can share a key."""

    HOST = 0
    CLIENT = 1


@dataclass(frozen=True, slots=True)
class SealKey:
    """A session's AEAD key and nonce salt. One key serves one session; sequence numbers are never used twice."""

    key: bytes
    salt: bytes
    chacha: bool = False

    def __repr__(self) -> str:
        return f"SealKey(chacha={self.chacha})"

    def aead(self) -> AESGCM | ChaCha20Poly1305:
        """The cipher."""
        return ChaCha20Poly1305(self.key) if self.chacha else AESGCM(self.key)

    def nonce_prefix(self, role: Role) -> bytes:
        """The four bytes before the sequence number in a nonce of ``role``."""
        return bytes([self.salt[0] & 0x7F | role << 7]) + self.salt[1:4]


def seal(key: SealKey, role: Role, seq: int, plain: bytes) -> bytes:
    """One datagram: ``seq ‖ ciphertext ‖ tag``."""
    prefix = seq.to_bytes(SEQ_BYTES, "big")
    return prefix + key.aead().encrypt(key.nonce_prefix(role) + prefix, plain, prefix)


def opener(key: SealKey, role: Role) -> Callable[[bytes], bytes]:
    """A function that opens datagrams sealed by ``role``; it raises ``InvalidTag`` for anything else."""
    decrypt = key.aead().decrypt
    nonce_prefix = key.nonce_prefix(role)

    def open_datagram(datagram: bytes) -> bytes:
        prefix = datagram[:SEQ_BYTES]
        return decrypt(nonce_prefix + prefix, datagram[SEQ_BYTES:], prefix)

    return open_datagram


def shard_bytes_for_mtu(wire_mtu: int, *, ipv6: bool) -> int:
    """Largest even shard payload whose datagram fits ``wire_mtu`` (§5.11); 1500 gives 1408, or 1388 for IPv6."""
    size = wire_mtu - (IPV6_OVERHEAD_BYTES if ipv6 else IPV4_OVERHEAD_BYTES) - OVERHEAD_BYTES
    return max(MIN_SHARD_BYTES, min(MAX_SHARD_BYTES, size & ~1))


def recovery_shards(data_shards: int, percent: int) -> int:
    """Recovery shards of a block: the percentage, rounded up."""
    return -(-data_shards * percent // 100)
