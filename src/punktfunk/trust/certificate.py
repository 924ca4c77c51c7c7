"""The three facts of an X.509 certificate that trust needs, read leniently.

Streaming clients present certificates that strict parsers refuse (serial number 0, version 1, odd dates:
gamestream.md §2.5.1). Nothing but the exact bytes, the key and the signature value counts here, so only the outer
DER structure is walked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from punktfunk.trust.errors import CertificateError

MAX_CERTIFICATE_BYTES = 8192

_SEQUENCE = 0x30
_BIT_STRING = 0x03
_EXPLICIT_VERSION = 0xA0
_PEM_BEGIN = "-----BEGIN CERTIFICATE-----"
_PEM_END = "-----END CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate's exact bytes, its SubjectPublicKeyInfo (DER) and its signature value (BIT STRING contents)."""

    der: bytes
    public_key_info: bytes
    signature: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the DER bytes, 64 lower-case hex digits (punktfunk1.md §2.1)."""
        return fingerprint_of(self.der)

    @property
    def pem(self) -> str:
        """The certificate as PEM text."""
        return pem_from_der(self.der)

    @classmethod
    def from_der(cls, der: bytes) -> Certificate:
        """Read exactly one certificate; raises CertificateError."""
        if len(der) > MAX_CERTIFICATE_BYTES:
            raise CertificateError(f"certificate is longer than {MAX_CERTIFICATE_BYTES} bytes")
        outer = _Reader(der)
        body = _Reader(outer.take(_SEQUENCE))
        outer.expect_end()
        to_be_signed = _Reader(body.take(_SEQUENCE))
        body.take(_SEQUENCE)
        bits = body.take(_BIT_STRING)
        body.expect_end()
        if not bits or bits[0] != 0:
            raise CertificateError("certificate signature is not a whole number of bytes")
        if to_be_signed.peek() == _EXPLICIT_VERSION:
            to_be_signed.skip()
        for _ in ("serial", "signature algorithm", "issuer", "validity", "subject"):
            to_be_signed.skip()
        return cls(der=der, public_key_info=to_be_signed.take_whole(_SEQUENCE), signature=bits[1:])

    @classmethod
    def from_pem(cls, text: str) -> Certificate:
        """Read a PEM text that holds exactly one certificate; raises CertificateError."""
        text = text.strip()
        if not (text.startswith(_PEM_BEGIN) and text.endswith(_PEM_END)):
            raise CertificateError("not one PEM certificate")
        body = text.removeprefix(_PEM_BEGIN).removesuffix(_PEM_END)
        try:
            der = base64.b64decode("".join(body.split()), validate=True)
        except (binascii.Error, ValueError):
            raise CertificateError("PEM text is not base64") from None
        return cls.from_der(der)


def fingerprint_of(der: bytes) -> str:
    """SHA-256 over a certificate's DER bytes as 64 lower-case hex digits."""
    return hashlib.sha256(der).hexdigest()


def pem_from_der(der: bytes) -> str:
    """PEM text of DER bytes."""
    body = base64.b64encode(der).decode("ascii")
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return "\n".join([_PEM_BEGIN, *lines, _PEM_END, ""])


class _Reader:
    """Walks the elements of one DER constructed value."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def peek(self) -> int:
        if self._offset >= len(self._data):
            raise CertificateError("certificate ends early")
        return self._data[self._offset]

    def take(self, tag: int) -> bytes:
        """The contents of the next element, which must have ``tag``."""
        start, content, end = self._element()
        if self._data[start] != tag:
            raise CertificateError(f"certificate element has tag {self._data[start]:#x}, expected {tag:#x}")
        return self._data[content:end]

    def take_whole(self, tag: int) -> bytes:
        """The next element with its tag and length."""
        start, _, end = self._element()
        if self._data[start] != tag:
            raise CertificateError(f"certificate element has tag {self._data[start]:#x}, expected {tag:#x}")
        return self._data[start:end]

    def skip(self) -> None:
        self._element()

    def expect_end(self) -> None:
        if self._offset != len(self._data):
            raise CertificateError("certificate has trailing bytes")

    def _element(self) -> tuple[int, int, int]:
        data, start = self._data, self._offset
        if start + 2 > len(data):
            raise CertificateError("certificate ends early")
        length, content = data[start + 1], start + 2
        if length & 0x80:
            size = length & 0x7F
            if not 1 <= size <= 3 or content + size > len(data):
                raise CertificateError("certificate has an unusable length")
            length = int.from_bytes(data[content : content + size], "big")
            content += size
        end = content + length
        if end > len(data):
            raise CertificateError("certificate ends early")
        self._offset = end
        return start, content, end
