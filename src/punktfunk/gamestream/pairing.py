"""Pairing: the five phases by which a PIN turns a client's certificate into a trusted one (gamestream.md §2.5).

No sockets and no clock: requests and the time go in, answers come out. Phase 1 is answered later, when the user has
entered the PIN. Each attempt belongs to one (unique id, source address) pair and the newest wins; anything out of
order forgets the attempt, so that phases of two clients can never be mixed.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from punktfunk.gamestream.pairing_crypto import (
    derive_key,
    ecb_decrypt,
    ecb_encrypt,
    fixed_hex,
    read_client_certificate,
    sha256,
    signature_is_valid,
)
from punktfunk.trust.certificate import Certificate
from punktfunk.trust.devices import clean_name
from punktfunk.trust.errors import CertificateError, TrustError
from punktfunk.trust.identity import Identity
from punktfunk.trust.ratelimit import RateLimiter

PIN_LIFETIME_S = 300.0
PHASE_LIFETIME_S = 30.0
MAX_ATTEMPTS = 16
MAX_ATTEMPTS_PER_ADDRESS = 4
MAX_UNIQUE_ID_CHARACTERS = 64

ONE_TIME_PIN_LIFETIME_S = 180.0
MAX_ONE_TIME_PIN_GUESSES = 3

_SECRET_BYTES = 16
_HASH_BYTES = 32
_PHASES = ("clientchallenge", "serverchallengeresp", "clientpairingsecret")


class PinError(Exception):
    """The PIN could not be used; the message says why in words for the user."""


@dataclass(frozen=True, slots=True)
class PairReply:
    """The answer to one phase: ``status`` and ``message`` for the root element, then the child elements in order."""

    status: int
    message: str
    elements: tuple[tuple[str, str], ...]

    @classmethod
    def ok(cls, **elements: str) -> PairReply:
        """A step that went well."""
        return cls(200, "OK", (("paired", "1"), *elements.items()))

    @classmethod
    def refused(cls, message: str, status: int = 400) -> PairReply:
        """A step that ended the attempt."""
        return cls(status, message, (("paired", "0"),))


@dataclass(frozen=True, slots=True)
class Parked:
    """Phase 1 waits for the PIN; its reply comes through ``on_answer`` with this number."""

    attempt: int


@dataclass(frozen=True, slots=True)
class PendingAttempt:
    """An attempt that waits for its PIN, for the user to choose from."""

    attempt: int
    address: str
    name: str
    fingerprint: str
    age_s: float


@dataclass(frozen=True, slots=True)
class PairedClient:
    """The result of a finished pairing."""

    name: str
    certificate: Certificate


class _Phase(enum.Enum):
    PIN = "waiting for the PIN"
    CHALLENGE = "waiting for clientchallenge"
    RESPONSE = "waiting for serverchallengeresp"
    SECRET = "waiting for clientpairingsecret"


@dataclass(slots=True)
class _Attempt:
    number: int
    unique_id: str
    address: str
    name: str
    certificate: Certificate
    public_key: rsa.RSAPublicKey
    salt: bytes = field(repr=False)
    started: float
    deadline: float
    phase: _Phase = _Phase.PIN
    key: bytes = field(default=b"", repr=False)
    server_challenge: bytes = field(default=b"", repr=False)
    client_hash: bytes = field(default=b"", repr=False)
    server_secret: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class _OneTimePin:
    pin: str = field(repr=False)
    passphrase: str = field(repr=False)
    name: str
    deadline: float
    guesses_left: int = MAX_ONE_TIME_PIN_GUESSES

    def proved_by(self, otpauth: str, salt_text: str) -> bool:
        expected = hashlib.sha256(f"{self.pin}{salt_text}{self.passphrase}".encode()).hexdigest()
        return hmac.compare_digest(expected.encode(), otpauth.lower().encode())


class Pairing:
    """All pairing attempts of the host.

    ``admit`` stores a client that proved the PIN and may raise TrustError. ``on_answer`` receives the reply of a parked
    phase 1, exactly once for each Parked that ``handle`` returned unless ``abandon`` was called. ``random_bytes``
    exists for known-answer tests.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        admit: Callable[[PairedClient], None],
        on_answer: Callable[[int, PairReply], None],
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        if not isinstance(identity.private_key, rsa.RSAPrivateKey):
            raise TypeError("GameStream pairing needs an RSA identity")
        self._key = identity.private_key
        self._identity = identity
        self._admit = admit
        self._on_answer = on_answer
        self._random_bytes = random_bytes
        self._attempts: dict[tuple[str, str], _Attempt] = {}
        self._last_number = 0
        self._one_time_pin: _OneTimePin | None = None
        self._per_address = RateLimiter(burst=30, interval_s=3)
        self._overall = RateLimiter(burst=60, interval_s=1)

    def __len__(self) -> int:
        return len(self._attempts)

    def handle(self, query: Mapping[str, str], address: str, now: float) -> PairReply | Parked:
        """Answer one plain-HTTP ``/pair`` request from ``address``."""
        self.expire(now)
        unique_id = query.get("uniqueid", "")
        if not 0 < len(unique_id) <= MAX_UNIQUE_ID_CHARACTERS:
            return PairReply.refused("Invalid or missing uniqueid parameter")
        key = (unique_id, address)
        if query.get("phrase") == "getservercert":
            return self._begin(query, key, now)
        phases = [name for name in _PHASES if name in query]
        attempt = self._attempts.get(key)
        if attempt is None:
            return PairReply.refused(
                f"Out of order call to {phases[0]}" if phases else "Invalid pairing request", 400 if phases else 404
            )
        if len(phases) != 1:
            return self._fail(attempt, "Invalid pairing request")
        return self._advance(attempt, phases[0], query[phases[0]], now)

    def submit_pin(self, pin: str, now: float, *, name: str = "", attempt: int | None = None) -> int:
        """Use ``pin`` for the attempt (the only pending one when not named) and return the attempt's number.

        The attempt's one guess is spent by this. Raises PinError when the PIN is malformed, nothing is pending, or
        several attempts are pending and none is named.
        """
        self.expire(now)
        _check_pin(pin)
        chosen = self._choose(attempt)
        if name:
            chosen.name = clean_name(name, chosen.name)
        self._answer(chosen.number, self._accept_pin(chosen, pin, now))
        return chosen.number

    def pending(self, now: float) -> list[PendingAttempt]:
        """The attempts that wait for a PIN, oldest first."""
        self.expire(now)
        return [
            PendingAttempt(a.number, a.address, a.name, a.certificate.fingerprint, now - a.started)
            for a in self._waiting()
        ]

    def arm_one_time_pin(self, pin: str, passphrase: str, now: float, *, name: str = "") -> None:
        """Let one client that knows ``passphrase`` pair without the user entering its PIN, for three minutes."""
        _check_pin(pin)
        if not passphrase:
            raise PinError("The passphrase must not be empty.")
        self._one_time_pin = _OneTimePin(pin, passphrase, name, now + ONE_TIME_PIN_LIFETIME_S)

    def abandon(self, attempt: int) -> None:
        """Forget an attempt whose client went away while its phase 1 was parked; no answer is produced."""
        for key, candidate in list(self._attempts.items()):
            if candidate.number == attempt and candidate.phase is _Phase.PIN:
                del self._attempts[key]

    def expire(self, now: float) -> None:
        """Forget what took too long. Call it now and then; every other method does."""
        for attempt in [a for a in self._attempts.values() if now >= a.deadline]:
            self._forget(attempt, "No PIN was entered in time")
        if self._one_time_pin and now >= self._one_time_pin.deadline:
            self._one_time_pin = None

    def _begin(self, query: Mapping[str, str], key: tuple[str, str], now: float) -> PairReply | Parked:
        unique_id, address = key
        if not (self._per_address.allow(address, now) and self._overall.allow("all", now)):
            return PairReply.refused("Too many pairing attempts; wait a minute")
        if previous := self._attempts.get(key):
            self._forget(previous, "Another pairing attempt replaced this one")
        same_address = sum(1 for a in self._attempts.values() if a.address == address)
        if same_address >= MAX_ATTEMPTS_PER_ADDRESS or len(self._attempts) >= MAX_ATTEMPTS:
            return PairReply.refused("Too many pairing attempts are waiting for a PIN")
        salt = fixed_hex(query.get("salt", ""), _SECRET_BYTES)
        if salt is None:
            return PairReply.refused("Salt too short")
        try:
            certificate, public_key = read_client_certificate(query.get("clientcert", ""))
        except CertificateError as error:
            return PairReply.refused(f"Invalid client certificate: {error}")
        pin = None
        if "otpauth" in query:
            pin = self._redeem(query["otpauth"], query["salt"])
            if pin is None:
                return PairReply.refused("The one-time passphrase is wrong or has expired")
        self._last_number += 1
        attempt = _Attempt(
            number=self._last_number,
            unique_id=unique_id,
            address=address,
            name=_device_name(query.get("devicename", "")),
            certificate=certificate,
            public_key=public_key,
            salt=salt,
            started=now,
            deadline=now + PIN_LIFETIME_S,
        )
        self._attempts[key] = attempt
        if pin is None:
            return Parked(attempt.number)
        attempt.name = clean_name(pin.name, attempt.name)
        return self._accept_pin(attempt, pin.pin, now)

    def _redeem(self, otpauth: str, salt_text: str) -> _OneTimePin | None:
        """The one-time PIN when ``otpauth`` proves its passphrase; it is spent by success and by a few bad guesses."""
        armed = self._one_time_pin
        if armed is None:
            return None
        matches = armed.proved_by(otpauth, salt_text)
        armed.guesses_left -= 1
        if matches or armed.guesses_left == 0:
            self._one_time_pin = None
        return armed if matches else None

    def _accept_pin(self, attempt: _Attempt, pin: str, now: float) -> PairReply:
        attempt.key = derive_key(attempt.salt, pin)
        self._enter(attempt, _Phase.CHALLENGE, now)
        return PairReply.ok(plaincert=self._identity.certificate_pem.encode("ascii").hex())

    def _advance(self, attempt: _Attempt, name: str, value: str, now: float) -> PairReply:
        if name == "clientchallenge" and attempt.phase is _Phase.CHALLENGE:
            return self._challenge(attempt, fixed_hex(value, _SECRET_BYTES), now)
        if name == "serverchallengeresp" and attempt.phase is _Phase.RESPONSE:
            return self._response(attempt, fixed_hex(value, _HASH_BYTES), now)
        if name == "clientpairingsecret" and attempt.phase is _Phase.SECRET:
            return self._secret(attempt, value)
        return self._fail(attempt, f"Out of order call to {name}")

    def _challenge(self, attempt: _Attempt, sealed: bytes | None, now: float) -> PairReply:
        if sealed is None:
            return self._fail(attempt, "Client challenge has the wrong length")
        client_challenge = ecb_decrypt(attempt.key, sealed)
        attempt.server_secret = self._random_bytes(_SECRET_BYTES)
        attempt.server_challenge = self._random_bytes(_SECRET_BYTES)
        server_hash = sha256(client_challenge, self._identity.certificate.signature, attempt.server_secret)
        self._enter(attempt, _Phase.RESPONSE, now)
        answer = ecb_encrypt(attempt.key, server_hash + attempt.server_challenge)
        return PairReply.ok(challengeresponse=answer.hex())

    def _response(self, attempt: _Attempt, sealed: bytes | None, now: float) -> PairReply:
        if sealed is None:
            return self._fail(attempt, "Challenge response has the wrong length")
        attempt.client_hash = ecb_decrypt(attempt.key, sealed)
        self._enter(attempt, _Phase.SECRET, now)
        secret = attempt.server_secret
        signature = self._key.sign(secret, padding.PKCS1v15(), hashes.SHA256())
        return PairReply.ok(pairingsecret=(secret + signature).hex())

    def _secret(self, attempt: _Attempt, value: str) -> PairReply:
        secret_and_signature = fixed_hex(value, _SECRET_BYTES + attempt.public_key.key_size // 8)
        if secret_and_signature is None:
            return self._fail(attempt, "Client pairing secret has the wrong length")
        self._discard(attempt)
        secret, signature = secret_and_signature[:_SECRET_BYTES], secret_and_signature[_SECRET_BYTES:]
        expected = sha256(attempt.server_challenge, attempt.certificate.signature, secret)
        proved = hmac.compare_digest(expected, attempt.client_hash)
        if not (signature_is_valid(attempt.public_key, secret, signature) and proved):
            return PairReply.refused("The PIN was wrong", 200)
        try:
            self._admit(PairedClient(attempt.name, attempt.certificate))
        except TrustError as error:
            return PairReply.refused(str(error), 500)
        return PairReply.ok()

    def _enter(self, attempt: _Attempt, phase: _Phase, now: float) -> None:
        attempt.phase = phase
        attempt.deadline = now + PHASE_LIFETIME_S

    def _fail(self, attempt: _Attempt, message: str) -> PairReply:
        self._forget(attempt, message)
        return PairReply.refused(message)

    def _forget(self, attempt: _Attempt, message: str) -> None:
        self._discard(attempt)
        if attempt.phase is _Phase.PIN:
            self._answer(attempt.number, PairReply.refused(message))

    def _discard(self, attempt: _Attempt) -> None:
        self._attempts.pop((attempt.unique_id, attempt.address), None)

    def _answer(self, number: int, reply: PairReply) -> None:
        self._on_answer(number, reply)

    def _waiting(self) -> list[_Attempt]:
        return sorted((a for a in self._attempts.values() if a.phase is _Phase.PIN), key=lambda a: a.number)

    def _choose(self, number: int | None) -> _Attempt:
        waiting = self._waiting()
        if number is not None:
            waiting = [a for a in waiting if a.number == number]
        if not waiting:
            raise PinError("No device is waiting for a PIN." if number is None else f"No device {number} is waiting.")
        if len(waiting) > 1:
            listed = ", ".join(f"{a.number} ({a.name}, {a.address})" for a in waiting)
            raise PinError(f"Several devices are waiting for a PIN; name one of them: {listed}.")
        return waiting[0]


def _check_pin(pin: str) -> None:
    if len(pin) != 4 or not (pin.isascii() and pin.isdigit()):
        raise PinError("A PIN has exactly four digits.")


def _device_name(text: str) -> str:
    """Stock clients all call themselves ``roth``; only a few send a real name."""
    return clean_name("" if text == "roth" else text, "Moonlight client")
