"""The certificate that pages pin by its hash: ECDSA P-256, valid for less than two weeks (W3C WebTransport §6.6)."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIFETIME = datetime.timedelta(days=13)
RENEW_AFTER_S = 6 * 86400.0
_SKEW = datetime.timedelta(hours=6)
"""Into the past, for pages whose clock is late."""


@dataclass(frozen=True)
class PageCertificate:
    """A certificate with its key; lives in memory only."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def sha256(self) -> str:
        """What pages pin, in hex."""
        return hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def make_certificate(now: datetime.datetime) -> PageCertificate:
    """A new one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "punktfunk player")])
    start = now - _SKEW
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(start).not_valid_after(start + LIFETIME)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    return PageCertificate(builder.sign(key, hashes.SHA256()), key)
