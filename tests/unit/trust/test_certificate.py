"""Reading certificates: lenient about their contents, strict about their bytes."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.gamestream.pairing_client import host_identity, rsa_key, self_signed, with_oddities

from punktfunk.trust.certificate import MAX_CERTIFICATE_BYTES, Certificate
from punktfunk.trust.errors import CertificateError

DER = host_identity().certificate.der


def test_fingerprint_is_sha256_of_der() -> None:
    assert Certificate.from_der(DER).fingerprint == hashlib.sha256(DER).hexdigest()


def test_pem_round_trip() -> None:
    assert Certificate.from_pem(Certificate.from_der(DER).pem).der == DER


@pytest.mark.parametrize("version_1", [False, True])
@pytest.mark.parametrize("serial", [b"\0", b"\xff", b"\x7f" * 40])
def test_version_1_and_odd_serials_are_read(version_1: bool, serial: bytes) -> None:
    plain = self_signed(rsa_key(1))
    odd = with_oddities(plain, rsa_key(1), version_1=version_1, serial=serial)
    assert odd.public_key_info == plain.public_key_info
    assert odd.der != plain.der


@pytest.mark.parametrize(
    "der", [b"", b"\x30", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", DER[:-1], DER + b"\0", b"\x31" + DER[1:]]
)
def test_malformed_der_is_refused(der: bytes) -> None:
    with pytest.raises(CertificateError):
        Certificate.from_der(der)


def test_long_certificate_is_refused_unread() -> None:
    with pytest.raises(CertificateError, match="longer"):
        Certificate.from_der(bytes(MAX_CERTIFICATE_BYTES + 1))


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN CERTIFICATE-----\n\u00e9\n-----END CERTIFICATE-----"])
def test_malformed_pem_is_refused(text: str) -> None:
    with pytest.raises(CertificateError):
        Certificate.from_pem(text)


def test_two_certificates_in_one_pem_are_refused() -> None:
    pem = host_identity().certificate.pem
    with pytest.raises(CertificateError):
        Certificate.from_pem(pem + pem)


@given(st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_damage_is_refused_or_read(position: int, value: int) -> None:
    damaged = DER[:position] + bytes([value]) + DER[position + 1 :]
    with contextlib.suppress(CertificateError):
        Certificate.from_der(damaged)
