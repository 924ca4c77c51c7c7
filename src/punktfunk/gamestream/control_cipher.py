"""The encrypted envelope of every message on the control stream, both directions (gamestream.md §6.5)."""

from __future__ import annotations

import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from punktfunk.wire.replay import ReplayWindow

REPLAY_WINDOW = 32_768
"""How far a message may lag behind the newest one: more than a client can send while one channel waits for a
retransmission."""
KEY_BYTES = 16

_ENVELOPE = struct.Struct("<HHI")
_ENCRYPTED_TYPE = 0x0001
_TAG_BYTES = 16
_INNER = struct.Struct("<HH")
_MIN_ENVELOPE_BYTES = _ENVELOPE.size + _TAG_BYTES + _INNER.size
_SEQUENCE_END = 1 << 32


class EnvelopeError(Exception):
    """An envelope that is malformed, replayed, or not made with the session's key."""


class ControlCipher:
    """Opens a client's envelopes and seals the host's.

    ``v2`` follows bit 1 of the client's ``encryptionEnabled``. The old mode repeats its nonces after 256 messages and
    does not protect its sequence number, so only v2 can tell a replay.
    """

    def __init__(self, key: bytes, *, v2: bool) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the control key must have {KEY_BYTES} bytes")
        self._aead = AESGCM(key)
        self._v2 = v2
        self._seen = ReplayWindow(REPLAY_WINDOW)
        self._next_sequence = 0

    def open(self, envelope: bytes) -> tuple[int, int, bytes]:
        """Decrypt a client's envelope to (sequence number, type, payload); each v2 sequence number opens once.

        Raises :class:`EnvelopeError`.
        """
        sequence, inner = self._decrypt(envelope)
        if self._v2:
            self._seen.accept(sequence)
        kind, payload_bytes = _INNER.unpack_from(inner)
        if payload_bytes != len(inner) - _INNER.size:
            raise EnvelopeError("the inner length is not the message's length")
        return sequence, kind, inner[_INNER.size :]

    def is_authentic(self, envelope: bytes) -> bool:
        """Whether :meth:`open` would accept the envelope; it stays unopened."""
        try:
            self._decrypt(envelope)
        except EnvelopeError:
            return False
        return True

    def seal(self, kind: int, payload: bytes) -> bytes:
        """The next envelope of the host. Raises :class:`EnvelopeError` after 2^32 messages."""
        sequence = self._next_sequence
        if sequence >= _SEQUENCE_END:
            raise EnvelopeError("the sequence numbers of this key are used up")
        self._next_sequence += 1
        inner = _INNER.pack(kind, len(payload)) + payload
        sealed = self._aead.encrypt(self._nonce(sequence, b"HC"), inner, None)
        ciphertext, tag = sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:]
        length = _ENVELOPE.size - 4 + len(sealed)
        return b"".join((_ENVELOPE.pack(_ENCRYPTED_TYPE, length, sequence), tag, ciphertext))

    def _decrypt(self, envelope: bytes) -> tuple[int, bytes]:
        if len(envelope) < _MIN_ENVELOPE_BYTES:
            raise EnvelopeError("the envelope is too short")
        kind, length, sequence = _ENVELOPE.unpack_from(envelope)
        if kind != _ENCRYPTED_TYPE or length != len(envelope) - 4:
            raise EnvelopeError("the envelope's header is not one")
        if self._v2 and not self._seen.is_fresh(sequence):
            raise EnvelopeError("the sequence number was used before")
        tag_end = _ENVELOPE.size + _TAG_BYTES
        sealed = envelope[tag_end:] + envelope[_ENVELOPE.size : tag_end]
        try:
            return sequence, self._aead.decrypt(self._nonce(sequence, b"CC"), sealed, None)
        except InvalidTag:
            raise EnvelopeError("the tag does not match") from None

    def _nonce(self, sequence: int, origin: bytes) -> bytes:
        if self._v2:
            return struct.pack("<I6x2s", sequence, origin)
        return struct.pack("<B15x", sequence & 0xFF)
