"""The host's side of one PIN ceremony (punktfunk1.md §3.2, §3.3). Sans-IO; times in seconds."""

from __future__ import annotations

import os
from dataclasses import dataclass

from punktfunk.native.arming import PairingWindow
from punktfunk.wire.punktfunk1.enums import CloseCode
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.messages import (
    ControlMessage,
    PairChallenge,
    PairProof,
    PairRequest,
    PairResult,
)
from punktfunk.wire.punktfunk1.pairing import Entropy, PakeHost

PROOF_TIMEOUT_S = 60.0
CLOSE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Reply:
    """Send this message. ``paired_name`` is set when the device is to be stored under that name first."""

    message: PairChallenge | PairResult
    paired_name: str | None = None


class PairingCeremony:
    """One connection's ceremony: request, proof, then the client closes. Anything out of order ends it."""

    def __init__(
        self,
        window: PairingWindow,
        client_fingerprint: bytes | None,
        host_fingerprint: bytes,
        entropy: Entropy = os.urandom,
    ) -> None:
        self._window = window
        self._client = client_fingerprint
        self._host = host_fingerprint
        self._entropy = entropy
        self._pake: PakeHost | None = None
        self._name = ""
        self._over = False
        self.deadline: float | None = None
        """When to close the connection: with ``DONE`` after the result, with ``ERROR`` before."""

    @property
    def over(self) -> bool:
        """Whether the result has been given."""
        return self._over

    def receive(self, message: ControlMessage, now: float) -> Reply | CloseCode:
        """Take the client's next message; the reply, or the code to close with."""
        if isinstance(message, PairRequest) and self._pake is None and not self._over:
            return self._challenge(message, now)
        if isinstance(message, PairProof) and self._pake is not None:
            return self._result(message, self._pake, now)
        return CloseCode.ERROR

    def _challenge(self, request: PairRequest, now: float) -> Reply | CloseCode:
        if self._client is None:
            return CloseCode.IDENTITY_REQUIRED
        pin = self._window.attempt(self._client, now)
        if isinstance(pin, CloseCode):
            return pin
        pake = PakeHost(pin, self._client, self._host, self._entropy)
        try:
            pake.receive(request.spake_a)
        except MalformedError:
            return CloseCode.ERROR
        self._window.disarm()
        self._pake, self._name = pake, request.name
        self.deadline = now + PROOF_TIMEOUT_S
        return Reply(PairChallenge(pake.message, pake.confirmation()))

    def _result(self, proof: PairProof, pake: PakeHost, now: float) -> Reply:
        ok = pake.verify_client(proof.confirmation)
        self._pake, self._over = None, True
        self.deadline = now + CLOSE_TIMEOUT_S
        return Reply(PairResult(ok), self._name if ok else None)
