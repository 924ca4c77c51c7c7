"""Who this client is, and which hosts it knows (punktfunk1.md §2.1). Files are for the owner only."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from punktfunk.client.errors import ClientError
from punktfunk.trust.files import write_private

SUBJECT = "punktfunk-client"
VALIDITY = datetime.timedelta(days=50 * 365)
MAX_KNOWN_HOSTS = 256
MAX_HOSTS_FILE_BYTES = 256 * 1024

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class IdentityError(ClientError):
    """The client's own files cannot be read or written."""


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """A P-256 certificate and its key. Hosts know this device by the certificate's fingerprint alone."""

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 over the DER bytes, 32 raw bytes."""
        return fingerprint_of(self.certificate)


def fingerprint_of(certificate: x509.Certificate) -> bytes:
    """SHA-256 over the DER bytes of a certificate, 32 raw bytes."""
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()


def new_identity() -> ClientIdentity:
    """A fresh self-signed P-256 certificate with the one name that punktfunk clients carry."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SUBJECT)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SUBJECT)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return ClientIdentity(certificate, key)


def load_identity(folder: Path) -> ClientIdentity:
    """The identity in ``client.pem`` (certificate and key), made on first use. Raises ``IdentityError``, also for a
    damaged file: a new identity would silently lose every pairing."""
    path = folder / "client.pem"
    try:
        if not path.exists():
            identity = new_identity()
            try:
                write_private(path, _pem(identity), replace=False)
            except FileExistsError:
                return load_identity(folder)
            return identity
        data = path.read_bytes()
    except OSError as error:
        raise IdentityError(f"cannot read or create {path}: {error.strerror}") from error
    try:
        key = serialization.load_pem_private_key(data, None)
        certificate = x509.load_pem_x509_certificate(data)
    except (ValueError, TypeError):
        raise IdentityError(f"{path} is damaged; restore it, or delete it and pair again") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise IdentityError(f"{path} holds a key that is not its certificate's; restore it, or delete it")
    return ClientIdentity(certificate, key)


def _pem(identity: ClientIdentity) -> bytes:
    key = identity.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return identity.certificate.public_bytes(serialization.Encoding.PEM) + key


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A host that was paired with, or trusted on first use; ``fingerprint`` is 64 lower-case hex digits."""

    address: str
    port: int
    fingerprint: str
    name: str = ""
    paired: bool = False


class KnownHosts:
    """The pinned hosts in ``hosts.json``, found by address and port; the oldest of too many is forgotten."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "hosts.json"

    def all(self) -> list[KnownHost]:
        """Every host, oldest first. Raises ``IdentityError`` for a damaged file: no pin may be lost silently."""
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_HOSTS_FILE_BYTES + 1)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise IdentityError(f"cannot read {self._path}: {error.strerror}") from error
        try:
            if len(data) > MAX_HOSTS_FILE_BYTES:
                raise ValueError("too large")
            hosts = [KnownHost(**entry) for entry in json.loads(data)["hosts"]]
            if not all(_FINGERPRINT.fullmatch(host.fingerprint) for host in hosts):
                raise ValueError("a fingerprint is none")
        except (ValueError, TypeError, KeyError, AttributeError):
            raise IdentityError(f"{self._path} is damaged; restore it, or delete it and pair again") from None
        return hosts

    def find(self, address: str, port: int) -> KnownHost | None:
        """The host pinned at an address."""
        return next((host for host in self.all() if (host.address, host.port) == (address, port)), None)

    def add(self, host: KnownHost) -> None:
        """Pin a host, replacing what was known of its address. A host once paired stays so."""
        known = self.find(host.address, host.port)
        if known is not None and known.fingerprint == host.fingerprint and known.paired and not host.paired:
            return
        self._write([*(h for h in self.all() if (h.address, h.port) != (host.address, host.port)), host])

    def forget(self, address: str, port: int) -> bool:
        """Remove a pin; whether there was one."""
        hosts = self.all()
        left = [host for host in hosts if (host.address, host.port) != (address, port)]
        if len(left) < len(hosts):
            self._write(left)
        return len(left) < len(hosts)

    def _write(self, hosts: list[KnownHost]) -> None:
        document = {"hosts": [asdict(host) for host in hosts[-MAX_KNOWN_HOSTS:]]}
        try:
            write_private(self._path, json.dumps(document, indent=2).encode() + b"\n", replace=True)
        except OSError as error:
            raise IdentityError(f"cannot write {self._path}: {error.strerror}") from error
