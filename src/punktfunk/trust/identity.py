"""Who this host is: long-lived self-signed certificates and a unique id, created once and never changed.

Clients pin the exact certificate (gamestream.md §2.5.1, punktfunk1.md §2.1): a new one breaks every pairing, so damage
is reported instead of repaired.
"""

from __future__ import annotations

import datetime
import logging
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from punktfunk.trust.certificate import Certificate
from punktfunk.trust.errors import CertificateError, IdentityError
from punktfunk.trust.files import write_private

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

CERTIFICATE_VALIDITY = datetime.timedelta(days=20 * 365)
COMMON_NAME = "punktfunk-host"
UNIQUE_ID_FILE = "uniqueid"
NATIVE_DEVICES_FILE = "punktfunk1-paired.json"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its private key. ``certificate_pem`` is the stored text, byte for byte."""

    certificate: Certificate
    certificate_pem: str
    private_key_pem: bytes = field(repr=False)
    private_key: PrivateKey = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate's DER bytes, 64 lower-case hex digits."""
        return self.certificate.fingerprint


def load_gamestream_identity(config_dir: Path) -> Identity:
    """The RSA-2048 identity in ``cert.pem`` and ``key.pem``, created on first use; raises IdentityError."""
    identity = _load_or_create(config_dir, "cert.pem", "key.pem", _new_rsa_key)
    if not isinstance(identity.private_key, rsa.RSAPrivateKey):
        raise IdentityError(f"{config_dir / 'key.pem'} is not an RSA key, which GameStream clients need")
    return identity


def load_native_identity(config_dir: Path) -> Identity:
    """The P-256 identity in ``native-cert.pem`` and ``native-key.pem``, created on first use; raises IdentityError.

    An older installation whose devices pinned ``cert.pem`` keeps that one (punktfunk1.md §2.1, §3.5).
    """
    older = (config_dir / NATIVE_DEVICES_FILE).exists() and (config_dir / "cert.pem").exists()
    if older and not (config_dir / "native-cert.pem").exists():
        return load_gamestream_identity(config_dir)
    return _load_or_create(config_dir, "native-cert.pem", "native-key.pem", _new_p256_key)


def load_unique_id(config_dir: Path) -> str:
    """The host's UUID (upper case) in ``uniqueid``, created on first use; raises IdentityError."""
    path = config_dir / UNIQUE_ID_FILE
    try:
        if not path.exists():
            write_private(path, f"{uuid.uuid4()}\n".upper().encode(), replace=False)
        text = path.read_text(encoding="ascii").strip()
        return str(uuid.UUID(text)).upper()
    except OSError as error:
        raise IdentityError(f"cannot read or create {path}: {error.strerror}") from error
    except ValueError:
        raise IdentityError(f"{path} does not hold a UUID; restore it, or delete it to become a new host") from None


def _load_or_create(config_dir: Path, cert_name: str, key_name: str, new_key: Callable[[], PrivateKey]) -> Identity:
    cert_path, key_path = config_dir / cert_name, config_dir / key_name
    try:
        present = [path for path in (cert_path, key_path) if path.exists()]
        if not present:
            _create(cert_path, key_path, new_key())
        elif len(present) == 1:
            missing = key_path if present[0] == cert_path else cert_path
            raise IdentityError(
                f"{missing} is missing beside {present[0].name}; restore it, or delete both to become a new host "
                "that every device must pair with again"
            )
        _tighten(key_path)
        return _load(cert_path, key_path)
    except OSError as error:
        name = error.filename or config_dir
        raise IdentityError(f"cannot read or create the host's identity at {name}: {error.strerror}") from error


def _load(cert_path: Path, key_path: Path) -> Identity:
    try:
        cert_pem = cert_path.read_text(encoding="ascii")
        certificate = Certificate.from_pem(cert_pem)
    except (CertificateError, UnicodeDecodeError) as error:
        raise IdentityError(_damaged(cert_path, str(error))) from None
    try:
        key_pem = key_path.read_bytes()
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError) as error:
        raise IdentityError(_damaged(key_path, str(error))) from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise IdentityError(f"{key_path} holds neither an RSA nor an EC key")
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if public != certificate.public_key_info:
        raise IdentityError(f"{key_path} is not the key of {cert_path.name}; restore the pair that belongs together")
    return Identity(certificate=certificate, certificate_pem=cert_pem, private_key_pem=key_pem, private_key=key)


def _damaged(path: Path, reason: str) -> str:
    first_line = reason.partition("\n")[0]
    return (
        f"{path} is damaged ({first_line}); restore it from a backup, or delete certificate and key to become a new "
        "host that every device must pair with again"
    )


def _create(cert_path: Path, key_path: Path, key: PrivateKey) -> None:
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate = _self_signed(key)
    write_private(key_path, key_pem, replace=False)
    write_private(cert_path, certificate.public_bytes(serialization.Encoding.PEM), replace=False)
    _logger.info("created a new host identity in %s", cert_path)


def _self_signed(key: PrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    # A day of slack: a client whose clock runs behind must not see a certificate from the future.
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + CERTIFICATE_VALIDITY)
        .sign(key, hashes.SHA256())
    )


def _new_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _new_p256_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _tighten(key_path: Path) -> None:
    if os.name == "posix" and key_path.stat().st_mode & 0o077:
        _logger.warning("%s was readable by others; restricting it to its owner", key_path)
        key_path.chmod(0o600)
