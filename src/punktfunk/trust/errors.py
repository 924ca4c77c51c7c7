"""What can go wrong with identity and trust, each in one sentence that a user could act on."""

from __future__ import annotations


class TrustError(Exception):
    """Base of all errors of this package."""


class CertificateError(TrustError):
    """The bytes are not a certificate that this host can use."""


class IdentityError(TrustError):
    """The host's own identity cannot be read or created."""


class StoreError(TrustError):
    """The list of paired devices cannot be read, changed or written."""
