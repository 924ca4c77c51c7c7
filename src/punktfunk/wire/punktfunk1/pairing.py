"""The PIN ceremony's mathematics: SPAKE2 over Ed25519 and the key confirmations (punktfunk1.md §3.3)."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable

import spake2
from spake2.ed25519_basic import NotOnCurve

from punktfunk.wire.punktfunk1.control import SPAKE_MESSAGE_BYTES
from punktfunk.wire.punktfunk1.errors import MalformedError

FINGERPRINT_BYTES = 32
PIN_DIGITS = 4

_HOST_LABEL = b"punktfunk-pair-host"
_CLIENT_LABEL = b"punktfunk-pair-client"

Entropy = Callable[[int], bytes]


class _Side:
    """What both sides share; a side serves one ceremony."""

    _make: Callable[..., spake2.SPAKE2_A | spake2.SPAKE2_B]

    def __init__(self, pin: str, client_fingerprint: bytes, host_fingerprint: bytes, entropy: Entropy) -> None:
        for name, value in (("client", client_fingerprint), ("host", host_fingerprint)):
            if len(value) != FINGERPRINT_BYTES:
                raise ValueError(f"{name} fingerprint has {len(value)} bytes instead of {FINGERPRINT_BYTES}")
        self._spake = type(self)._make(
            pin.encode("ascii"), idA=client_fingerprint, idB=host_fingerprint, entropy_f=entropy
        )
        self._fingerprints = client_fingerprint + host_fingerprint
        self._key: bytes | None = None
        self.message: bytes = self._spake.start()
        """This side's SPAKE2 message, 33 bytes."""

    def receive(self, message: bytes) -> None:
        """Take the other side's message; raises ``MalformedError`` if it is no point of the group for this side."""
        if len(message) != SPAKE_MESSAGE_BYTES:
            raise MalformedError("spake", f"{len(message)} bytes instead of {SPAKE_MESSAGE_BYTES}")
        try:
            self._key = self._spake.finish(message)
        except (spake2.SPAKEError, NotOnCurve, ValueError, AssertionError):
            raise MalformedError("spake", "not a message of the other side") from None

    def _confirmation(self, label: bytes) -> bytes:
        if self._key is None:
            raise RuntimeError("the other side's message has not been received")
        return hmac.digest(self._key, label + self._fingerprints, hashlib.sha256)


class PakeClient(_Side):
    """Side A."""

    _make = spake2.SPAKE2_A

    def __init__(
        self, pin: str, client_fingerprint: bytes, host_fingerprint: bytes, entropy: Entropy = os.urandom
    ) -> None:
        super().__init__(pin, client_fingerprint, host_fingerprint, entropy)

    def proof(self) -> bytes:
        """The client's confirmation."""
        return self._confirmation(_CLIENT_LABEL)

    def verify_host(self, confirmation: bytes) -> bool:
        """Whether the host knows the PIN and saw the same two certificates."""
        return hmac.compare_digest(self._confirmation(_HOST_LABEL), confirmation)


class PakeHost(_Side):
    """Side B."""

    _make = spake2.SPAKE2_B

    def __init__(
        self, pin: str, client_fingerprint: bytes, host_fingerprint: bytes, entropy: Entropy = os.urandom
    ) -> None:
        super().__init__(pin, client_fingerprint, host_fingerprint, entropy)

    def confirmation(self) -> bytes:
        """The host's confirmation."""
        return self._confirmation(_HOST_LABEL)

    def verify_client(self, proof: bytes) -> bool:
        """Whether the client knows the PIN and saw the same two certificates."""
        return hmac.compare_digest(self._confirmation(_CLIENT_LABEL), proof)
