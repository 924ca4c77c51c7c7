"""The client's half of pairing (gamestream.md §2.5)."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.modes import ECB

from .errors import HttpFailed, PairingFailed
from .http import HttpClient, text_of
from .identity import Identity
from .violations import Violations

PIN_WAIT_S = 300


def derive_key(salt: bytes, pin: str) -> bytes:
    return hashlib.sha256(salt + pin.encode("ascii")).digest()[:16]


def ecb_encrypt(key: bytes, plain: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), ECB()).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def ecb_decrypt(key: bytes, cipher: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), ECB()).decryptor()
    return decryptor.update(cipher) + decryptor.finalize()


def one_time_authorisation(pin: str, salt: bytes, passphrase: str) -> str:
    """``otpauth`` of the passphrase variant."""
    return hashlib.sha256(f"{pin}{salt.hex()}{passphrase}".encode()).hexdigest().upper()


@dataclass
class PairingExchange:
    """The arithmetic of phases 1 to 4, without any transport. Secrets are random unless a test gives them."""

    identity: Identity
    pin: str
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    challenge: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    host_certificate: x509.Certificate | None = None
    _host_hash: bytes = b""

    def __post_init__(self) -> None:
        self.key = derive_key(self.salt, self.pin)

    def phase1_request(self) -> dict[str, str]:
        return {"phrase": "getservercert", "salt": self.salt.hex(), "clientcert": self.identity.pem.hex()}

    def phase1_answer(self, plaincert: str) -> None:
        if not plaincert:
            raise PairingFailed(1, "another pairing is in progress")
        try:
            self.host_certificate = x509.load_pem_x509_certificate(bytes.fromhex(plaincert))
        except ValueError as error:
            raise PairingFailed(1, f"plaincert is not the hex of a PEM certificate: {error}") from error

    def phase2_request(self) -> dict[str, str]:
        return {"clientchallenge": ecb_encrypt(self.key, self.challenge).hex()}

    def phase2_answer(self, challengeresponse: str) -> None:
        plain = ecb_decrypt(self.key, _unhex(2, "challengeresponse", challengeresponse, 48))
        self._host_hash, self._host_challenge = plain[:32], plain[32:]

    def phase3_request(self) -> dict[str, str]:
        answer = hashlib.sha256(self._host_challenge + self.identity.certificate.signature + self.secret).digest()
        return {"serverchallengeresp": ecb_encrypt(self.key, answer).hex()}

    def phase3_answer(self, pairingsecret: str) -> None:
        raw = _unhex(3, "pairingsecret", pairingsecret, 16 + 256)
        assert self.host_certificate is not None
        secret, signature = raw[:16], raw[16:]
        key = self.host_certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise PairingFailed(3, "the host's key is not RSA")
        try:
            key.verify(signature, secret, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature as error:
            raise PairingFailed(3, "the host's signature does not fit its certificate") from error
        expected = hashlib.sha256(self.challenge + self.host_certificate.signature + secret).digest()
        if not hmac.compare_digest(expected, self._host_hash):
            raise PairingFailed(3, "wrong PIN")

    def phase4_request(self) -> dict[str, str]:
        return {"clientpairingsecret": (self.secret + self.identity.sign(self.secret)).hex()}


def _unhex(phase: int, name: str, text: str, size: int) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError as error:
        raise PairingFailed(phase, f"{name} is not hex") from error
    if len(raw) != size:
        raise PairingFailed(phase, f"{name} has {len(raw)} bytes, not {size}")
    return raw


def check_host_certificate(certificate: x509.Certificate, violations: Violations) -> None:
    key = certificate.public_key()
    if certificate.version is not x509.Version.v3:
        violations.add("pairing.certificate-version", certificate.version)
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size != 2048:
        violations.add("pairing.certificate-key", key)
    if not isinstance(certificate.signature_hash_algorithm, hashes.SHA256):
        violations.add("pairing.certificate-hash", certificate.signature_hash_algorithm)
    if certificate.issuer != certificate.subject:
        violations.add("pairing.certificate-not-self-signed", certificate.issuer)


async def pair(
    http: HttpClient,
    identity: Identity,
    pin: str,
    violations: Violations,
    passphrase: str | None = None,
    pin_wait_s: float = PIN_WAIT_S,
) -> x509.Certificate:
    """All five phases; the host's certificate, now pinned in ``http``. Raises PairingFailed."""
    exchange = PairingExchange(identity, pin)
    first = exchange.phase1_request()
    if passphrase is not None:
        first["otpauth"] = one_time_authorisation(pin, exchange.salt, passphrase)
    try:
        exchange.phase1_answer(await _ask(http, 1, first, "plaincert", timeout_s=pin_wait_s))
        assert exchange.host_certificate is not None
        check_host_certificate(exchange.host_certificate, violations)
        exchange.phase2_answer(await _ask(http, 2, exchange.phase2_request(), "challengeresponse"))
        exchange.phase3_answer(await _ask(http, 3, exchange.phase3_request(), "pairingsecret"))
        await _ask(http, 4, exchange.phase4_request(), "paired")
        http.pinned = exchange.host_certificate.public_bytes(serialization.Encoding.DER)
        await _ask(http, 5, {"phrase": "pairchallenge"}, "paired", https=True)
    except PairingFailed:
        await _forget(http)
        raise
    return exchange.host_certificate


async def _ask(
    http: HttpClient, phase: int, extra: Mapping[str, str], wanted: str, *, https: bool = False, timeout_s: float = 30
) -> str:
    query = {"devicename": "roth", "updateState": "1", **extra}
    try:
        root = await http.document("/pair", query, https=https, timeout_s=timeout_s)
    except (HttpFailed, OSError) as error:
        raise PairingFailed(phase, str(error) or type(error).__name__) from error
    return _answer(root, phase, wanted)


def _answer(root: ElementTree.Element, phase: int, wanted: str) -> str:
    paired = text_of(root, "paired")
    if paired != "1":
        raise PairingFailed(phase, f"paired is {paired!r}")
    value = text_of(root, wanted)
    if value is None:
        raise PairingFailed(phase, f"no {wanted} in the answer")
    return value


async def _forget(http: HttpClient) -> None:
    try:
        await http.get("/unpair", https=False, timeout_s=5)
    except (HttpFailed, OSError):
        return
