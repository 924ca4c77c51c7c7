"""The envelope of encrypted RTSP: AES-128-GCM with one counter per direction (gamestream.md §3.3)."""

from __future__ import annotations

import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from punktfunk.gamestream.rtsp.message import MAX_MESSAGE_BYTES, RtspError

HEADER_BYTES = 24
_HEADER = struct.Struct(">II16s")
_ENCRYPTED = 0x8000_0000
_CLIENT_TO_HOST = b"CR"
_HOST_TO_CLIENT = b"HR"


class Unauthentic(Exception):
    """The frame was not made with this key, or it is a repetition."""


def is_encrypted(data: bytes) -> bool:
    """Whether a connection that begins with ``data`` (at least one byte) carries an envelope."""
    return bool(data[0] & 0x80)


def frame_length(data: bytes) -> int | None:
    """The length of the whole frame that ``data`` begins with, None while unknown; raises RtspError."""
    if len(data) < HEADER_BYTES:
        return None
    length = int(_HEADER.unpack_from(data)[0]) & ~_ENCRYPTED
    if not 0 < length <= MAX_MESSAGE_BYTES:
        raise RtspError("encrypted frame has an unacceptable length")
    return HEADER_BYTES + length


class Envelope:
    """Opens the client's frames and seals the host's, over all connections of one handshake."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._last_received = 0
        self._last_sent = 0

    def open(self, frame: bytes) -> bytes:
        """The text inside a whole frame. Raises Unauthentic, and then nothing has changed."""
        _, sequence, tag = _HEADER.unpack_from(frame)
        if sequence <= self._last_received:
            raise Unauthentic
        try:
            text = self._aead.decrypt(_nonce(sequence, _CLIENT_TO_HOST), frame[HEADER_BYTES:] + tag, None)
        except InvalidTag:
            raise Unauthentic from None
        self._last_received = sequence
        return text

    def seal(self, text: bytes) -> bytes:
        """The frame of the next reply."""
        self._last_sent += 1
        sealed = self._aead.encrypt(_nonce(self._last_sent, _HOST_TO_CLIENT), text, None)
        return _HEADER.pack(_ENCRYPTED | len(text), self._last_sent, sealed[-16:]) + sealed[:-16]


def _nonce(sequence: int, direction: bytes) -> bytes:
    return sequence.to_bytes(4, "little") + bytes(6) + direction
