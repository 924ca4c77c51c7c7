"""Opus packets into GameStream audio datagrams with 4 + 2 parity (gamestream.md §5.2-5.4). Sans-IO."""

from __future__ import annotations

import struct

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC

from punktfunk.gamestream.numbers import AudioNumbers
from punktfunk.wire.gf256 import ErasureCode

BLOCK_PACKETS = 4
MAX_PAYLOAD_BYTES = 1376
"""The client receives into 1400 bytes, of which a parity packet's headers take 24."""

PARITY_MATRIX = np.array([[0x77, 0x40, 0x38, 0x0E], [0xC7, 0xA7, 0x0D, 0x6C]], np.uint8)
"""Not the video code's Cauchy matrix: the audio code has coefficients of its own."""
_CODE = ErasureCode(PARITY_MATRIX)

_RTP_HEADER = struct.Struct(">BBHII")
_FEC_HEADER = struct.Struct(">BBHIIBBHII")
_RTP_VERSION = 0x80
_DATA, _PARITY = 97, 127
_AES_BLOCK_BYTES = 16


class AudioPacketTooLarge(ValueError):
    """An Opus packet does not fit the client's receive buffer."""


def audio_iv(rikeyid: int, sequence: int) -> bytes:
    """The CBC initialisation vector of one packet; ``rikeyid`` is signed, ``sequence`` a u16 (gamestream.md §5.3)."""
    return struct.pack(">I12x", (rikeyid + sequence) & 0xFFFF_FFFF)


class AudioCipher:
    """AES-128-CBC with PKCS#7 padding and an IV from the sequence number (gamestream.md §5.3)."""

    def __init__(self, key: bytes, rikeyid: int) -> None:
        self._algorithm = AES128(key)
        self._rikeyid = rikeyid

    def encrypt(self, payload: bytes | memoryview, sequence: int) -> bytes:
        """The ciphertext, 1 to 16 bytes longer."""
        padding = _AES_BLOCK_BYTES - len(payload) % _AES_BLOCK_BYTES
        encryptor = Cipher(self._algorithm, CBC(audio_iv(self._rikeyid, sequence))).encryptor()
        return encryptor.update(bytes(payload) + bytes([padding]) * padding) + encryptor.finalize()


class AudioPacketizer:
    """Numbers Opus packets of ``packet_ms`` each, and adds two parity packets after every fourth.

    A block whose payloads differ in length gets no parity: the client would switch audio FEC off for the session. So
    does the block in which a replacement process takes over, since its first packets are gone.
    """

    def __init__(self, packet_ms: int, cipher: AudioCipher | None, numbers: AudioNumbers) -> None:
        if packet_ms not in (5, 10):
            raise ValueError("packet_ms must be 5 or 10")
        self._packet_ms = packet_ms
        self._cipher = cipher
        self._numbers = numbers
        self._block: list[bytes] = []
        self.blocks_without_parity = 0

    def packetize(self, opus: bytes | memoryview) -> list[bytes]:
        """One datagram, or three when it completes a block. Its number is reserved before this returns.

        Raises AudioPacketTooLarge, with no number used, when the payload would pass 1376 bytes.
        """
        padded = len(opus) if self._cipher is None else len(opus) // _AES_BLOCK_BYTES * _AES_BLOCK_BYTES + 16
        if padded > MAX_PAYLOAD_BYTES:
            raise AudioPacketTooLarge(f"an audio packet of {len(opus)} bytes exceeds the client's buffer")
        index = self._numbers.reserve()
        sequence = index & 0xFFFF
        payload = bytes(opus) if self._cipher is None else self._cipher.encrypt(opus, sequence)
        header = _RTP_HEADER.pack(_RTP_VERSION, _DATA, sequence, self._timestamp(index), 0)
        if index % BLOCK_PACKETS == 0:
            self._block.clear()
        self._block.append(payload)
        datagrams = [header + payload]
        if index % BLOCK_PACKETS == BLOCK_PACKETS - 1:
            datagrams += self._parity(index - BLOCK_PACKETS + 1)
        return datagrams

    def _timestamp(self, index: int) -> int:
        return index * self._packet_ms & 0xFFFF_FFFF

    def _parity(self, base: int) -> list[bytes]:
        size = len(self._block[0])
        if size == 0 or [len(payload) for payload in self._block] != [size] * BLOCK_PACKETS:
            self.blocks_without_parity += 1
            return []
        shards = np.empty((BLOCK_PACKETS + len(PARITY_MATRIX), size), np.uint8)
        shards[:BLOCK_PACKETS] = np.frombuffer(b"".join(self._block), np.uint8).reshape(BLOCK_PACKETS, size)
        _CODE.encode(shards)
        return [
            self._fec_header(base, shard) + shards[BLOCK_PACKETS + shard].tobytes()
            for shard in range(len(PARITY_MATRIX))
        ]

    def _fec_header(self, base: int, shard: int) -> bytes:
        sequence = base + BLOCK_PACKETS + shard & 0xFFFF
        return _FEC_HEADER.pack(
            _RTP_VERSION, _PARITY, sequence, 0, 0, shard, _DATA, base & 0xFFFF, self._timestamp(base), 0
        )
