"""A paired device: what it is called, how it is recognised and what it may do."""

from __future__ import annotations

import enum
import unicodedata
from dataclasses import dataclass

MAX_NAME_CHARACTERS = 64


class Plane(enum.StrEnum):
    """Which kind of client paired. Each kind keeps its own file, in the form its other hosts use."""

    NATIVE = "native"
    GAMESTREAM = "gamestream"


class Grants(enum.IntFlag):
    """Rights of a device (punktfunk1.md §3.6). No bit set: view only."""

    NONE = 0
    GAMEPAD = 1
    POINTER = 2
    KEYBOARD = 4
    CLIPBOARD = 8
    MICROPHONE = 16
    LAUNCH = 32
    ALL = 63


@dataclass(frozen=True, slots=True)
class PairedDevice:
    """One entry of the device store.

    ``fingerprint`` is SHA-256 of the client certificate's DER bytes, 64 lower-case hex digits, and is the identity;
    ``certificate_pem`` is empty for native devices. ``expires_unix`` and ``added_unix`` 0 mean never and unknown.
    """

    plane: Plane
    name: str
    fingerprint: str
    certificate_pem: str = ""
    grants: Grants = Grants.ALL
    expires_unix: int = 0
    added_unix: int = 0
    enabled: bool = True

    def admitted(self, now_unix: float) -> bool:
        """Whether the device may connect at this time."""
        return self.enabled and (self.expires_unix == 0 or now_unix < self.expires_unix)


def clean_name(text: str, fallback: str) -> str:
    """A name made safe to show: one line of at most 64 characters, none of them for control or direction."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" and c not in "\u2028\u2029" else " " for c in text[:1024])
    return " ".join(kept.split())[:MAX_NAME_CHARACTERS].rstrip() or fallback
