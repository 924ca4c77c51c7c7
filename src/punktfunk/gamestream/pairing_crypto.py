"""The cryptography of pairing (gamestream.md §2.5.2)."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from punktfunk.trust.certificate import Certificate
from punktfunk.trust.errors import CertificateError

MAX_CERTIFICATE_PEM_BYTES = 6144
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192


def derive_key(salt: bytes, pin: str) -> bytes:
    """The AES-128 key of an attempt: the first 16 bytes of SHA-256(salt ‖ PIN digits)."""
    return sha256(salt, pin.encode("ascii"))[:16]


def ecb_encrypt(key: bytes, data: bytes) -> bytes:
    """AES-128-ECB without padding, as the protocol demands; whole blocks only."""
    encryptor = Cipher(algorithms.AES128(key), modes.ECB()).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def ecb_decrypt(key: bytes, data: bytes) -> bytes:
    """The inverse of ``ecb_encrypt``."""
    decryptor = Cipher(algorithms.AES128(key), modes.ECB()).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def sha256(*parts: bytes) -> bytes:
    """The hash of the joined parts."""
    return hashlib.sha256(b"".join(parts)).digest()


def signature_is_valid(key: rsa.RSAPublicKey, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` (RSASSA-PKCS1-v1_5 with SHA-256) over ``message`` is by ``key``."""
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def read_client_certificate(text: str) -> tuple[Certificate, rsa.RSAPublicKey]:
    """The certificate in ``clientcert`` (hex of PEM text) and its key; raises CertificateError."""
    if len(text) > 2 * MAX_CERTIFICATE_PEM_BYTES:
        raise CertificateError("too long")
    try:
        certificate = Certificate.from_pem(bytes.fromhex(text).decode("ascii"))
        key = load_der_public_key(certificate.public_key_info)
    except ValueError:
        raise CertificateError("unreadable") from None
    if not isinstance(key, rsa.RSAPublicKey) or not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise CertificateError(f"needs an RSA key of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    return certificate, key


def fixed_hex(text: str, size: int) -> bytes | None:
    """Exactly ``size`` bytes of hex, or None."""
    if len(text) != 2 * size:
        return None
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return None
    return data if len(data) == size else None
