"""Random secrets that travel as text and are stored as digests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

SECRET_BYTES = 32
MAX_SECRET_CHARACTERS = 256


def new_secret() -> str:
    """A new secret of 256 bits, safe in URLs, headers and cookies."""
    return _text(secrets.token_bytes(SECRET_BYTES))


def digest_of(secret: str) -> str:
    """What is stored of a secret. Plain SHA-256 is enough: the secrets are random, nobody can try them all."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def same_secret(given: str, expected: str) -> bool:
    """Compare in a time that does not depend on the contents; an empty expectation matches nothing."""
    digests = (hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (given, expected))
    return hmac.compare_digest(*digests) and bool(expected)


def derived(secret: str, purpose: str) -> str:
    """Another secret that only the holder of ``secret`` knows."""
    return _text(hmac.digest(secret.encode("utf-8", "surrogateescape"), purpose.encode(), "sha256"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
