"""The client's half of pairing, and certificates of every odd kind, for tests."""

from __future__ import annotations

import datetime
import functools
import hashlib
import os
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from punktfunk.gamestream.pairing_crypto import derive_key, ecb_decrypt, ecb_encrypt
from punktfunk.trust.certificate import Certificate, pem_from_der
from punktfunk.trust.identity import Identity

SHARED_UNIQUE_ID = "0123456789ABCDEF"
START = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)


@functools.cache
def rsa_key(which: int, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key that is made once per test run."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def self_signed(
    key: rsa.RSAPrivateKey,
    *,
    name: str = "NVIDIA GameStream Client",
    start: datetime.datetime = START,
    days: int = 7300,
    serial: int = 7,
) -> Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return Certificate.from_der(built.public_bytes(serialization.Encoding.DER))


def with_oddities(certificate: Certificate, key: rsa.RSAPrivateKey, *, version_1: bool, serial: bytes) -> Certificate:
    """The certificate with another serial number and maybe without version: what builders refuse to make."""
    to_be_signed = _children(_children(_element(certificate.der)[1])[0][1])
    fields = [whole for whole, _ in to_be_signed]
    if fields[0][0] == 0xA0 and version_1:
        fields = [whole for whole in fields if whole[0] not in (0xA0, 0xA3)]
    at = 1 if fields[0][0] == 0xA0 else 0
    fields[at] = _wrap(0x02, serial)
    body = _wrap(0x30, b"".join(fields))
    signature = key.sign(body, padding.PKCS1v15(), hashes.SHA256())
    algorithm = _children(_element(certificate.der)[1])[1][0]
    return Certificate.from_der(_wrap(0x30, body + algorithm + _wrap(0x03, b"\0" + signature)))


def identity_of(certificate: Certificate, key: rsa.RSAPrivateKey) -> Identity:
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Identity(certificate, certificate.pem, key_pem, key)


@functools.cache
def host_identity() -> Identity:
    return identity_of(self_signed(rsa_key(0), name="host"), rsa_key(0))


@dataclass
class PairingClient:
    """Makes the queries of the phases and checks the answers. Each instance is one attempt."""

    key: rsa.RSAPrivateKey
    certificate: Certificate
    pin: str = "1234"
    unique_id: str = SHARED_UNIQUE_ID
    salt: bytes = field(default_factory=lambda: os.urandom(16))
    challenge: bytes = field(default_factory=lambda: os.urandom(16))
    secret: bytes = field(default_factory=lambda: os.urandom(16))
    host: Certificate | None = None
    server_hash: bytes = b""
    server_challenge: bytes = b""

    @property
    def aes_key(self) -> bytes:
        return derive_key(self.salt, self.pin)

    def base(self) -> dict[str, str]:
        return {"uniqueid": self.unique_id, "uuid": "6f8f9cde", "devicename": "roth", "updateState": "1"}

    def phase_1(self) -> dict[str, str]:
        pem = pem_from_der(self.certificate.der)
        return self.base() | {
            "phrase": "getservercert",
            "salt": self.salt.hex(),
            "clientcert": pem.encode("ascii").hex(),
        }

    def take_host_certificate(self, plaincert: str) -> None:
        self.host = Certificate.from_pem(bytes.fromhex(plaincert).decode("ascii"))

    def phase_2(self) -> dict[str, str]:
        return self.base() | {"clientchallenge": ecb_encrypt(self.aes_key, self.challenge).hex()}

    def take_challenge_response(self, text: str) -> None:
        plain = ecb_decrypt(self.aes_key, bytes.fromhex(text))
        self.server_hash, self.server_challenge = plain[:32], plain[32:]

    def phase_3(self) -> dict[str, str]:
        proof = hashlib.sha256(self.server_challenge + self.certificate.signature + self.secret).digest()
        return self.base() | {"serverchallengeresp": ecb_encrypt(self.aes_key, proof).hex()}

    def pin_is_right(self, pairingsecret: str) -> bool:
        assert self.host is not None
        server_secret = bytes.fromhex(pairingsecret)[:16]
        return hashlib.sha256(self.challenge + self.host.signature + server_secret).digest() == self.server_hash

    def phase_4(self) -> dict[str, str]:
        signature = self.key.sign(self.secret, padding.PKCS1v15(), hashes.SHA256())
        return self.base() | {"clientpairingsecret": (self.secret + signature).hex()}


def new_client(which: int = 1, **overrides: object) -> PairingClient:
    key = rsa_key(which)
    return PairingClient(key, self_signed(key), **overrides)  # type: ignore[arg-type]


def _element(data: bytes) -> tuple[bytes, bytes, bytes]:
    """The first element whole, its contents, and the rest."""
    length, content = data[1], 2
    if length & 0x80:
        content += length & 0x7F
        length = int.from_bytes(data[2:content], "big")
    return data[: content + length], data[content : content + length], data[content + length :]


def _children(data: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    while data:
        whole, contents, data = _element(data)
        found.append((whole, contents))
    return found


def _wrap(tag: int, contents: bytes) -> bytes:
    size = len(contents)
    if size < 0x80:
        return bytes([tag, size]) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + contents
