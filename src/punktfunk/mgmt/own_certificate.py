"""A certificate of the owner's beside the host's own: browsers that ask for one of its names get it.

Clients have pinned the host's own certificate (punktfunk1.md §10.1) and connect by address, so that one stays the
default; the name in the TLS handshake decides.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

from punktfunk.mgmt.tls import server_context


class OwnCertificateError(Exception):
    """The files cannot be used; the message says which and why."""


def add_own_certificate(context: SSL.Context, certificate_file: Path, key_file: Path) -> tuple[str, ...]:
    """Let ``context`` present this certificate to whoever asks for one of its names; returns the names.

    Raises OwnCertificateError.
    """
    try:
        chain = x509.load_pem_x509_certificates(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise OwnCertificateError(f"{certificate_file} and {key_file} cannot be used: {error}") from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise OwnCertificateError(f"{key_file} holds neither an RSA nor an EC key")
    if chain[0].public_key() != key.public_key():
        raise OwnCertificateError(f"{key_file} is not the key of {certificate_file}")
    names = _names(chain[0])
    if not names:
        raise OwnCertificateError(f"{certificate_file} names no host (subjectAltName)")
    other = server_context(chain[0], key, tuple(chain[1:]))

    def choose(connection: SSL.Connection) -> None:
        asked = (connection.get_servername() or b"").decode("ascii", "replace").lower()
        if any(_matches(asked, name) for name in names):
            connection.set_context(other)

    context.set_tlsext_servername_callback(choose)
    return names


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(name.lower() for name in extension.value.get_values_for_type(x509.DNSName))


def _matches(asked: str, name: str) -> bool:
    if name.startswith("*."):
        label, dot, rest = asked.partition(".")
        return bool(label and dot) and rest == name[2:]
    return asked == name
