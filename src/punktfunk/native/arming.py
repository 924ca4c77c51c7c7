"""The PIN window: when a device may pair, and how often anyone may try (punktfunk1.md §3.3). Times in seconds."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from punktfunk.wire.punktfunk1.enums import CloseCode
from punktfunk.wire.punktfunk1.pairing import PIN_DIGITS

DEFAULT_WINDOW_S = 120.0
MIN_WINDOW_S = 15.0
MAX_WINDOW_S = 600.0
ATTEMPT_SPACING_S = 2.0


def random_pin() -> str:
    """Four digits, each PIN as likely as another."""
    return f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}d}"


@dataclass(frozen=True, slots=True)
class ArmedWindow:
    """An open window; ``fingerprint`` None = any device. ``expires`` None = until used."""

    pin: str
    expires: float | None
    fingerprint: bytes | None

    def __repr__(self) -> str:
        return f"ArmedWindow(expires={self.expires}, bound={self.fingerprint is not None})"


class PairingWindow:
    """One window for the whole host. A PIN serves one challenge, whatever comes of it."""

    def __init__(self, new_pin: Callable[[], str] = random_pin) -> None:
        self._new_pin = new_pin
        self._window: ArmedWindow | None = None
        self._last_attempt: float | None = None

    def arm(
        self,
        now: float,
        window_s: float | None = DEFAULT_WINDOW_S,
        *,
        fingerprint: bytes | None = None,
        pin: str | None = None,
    ) -> ArmedWindow:
        """Open the window with a new PIN (or a given one, for tests); an older PIN is void. ``window_s`` None keeps it
        open until it is used. Raises ValueError for a window outside 15..600 s or a PIN that is not four digits."""
        if window_s is not None and not MIN_WINDOW_S <= window_s <= MAX_WINDOW_S:
            raise ValueError(f"the pairing window must be {MIN_WINDOW_S:g} to {MAX_WINDOW_S:g} s")
        pin = self._new_pin() if pin is None else pin
        if len(pin) != PIN_DIGITS or not (pin.isascii() and pin.isdigit()):
            raise ValueError(f"a PIN has {PIN_DIGITS} digits")
        self._window = ArmedWindow(pin, None if window_s is None else now + window_s, fingerprint)
        return self._window

    def disarm(self) -> None:
        """Close the window."""
        self._window = None

    def armed(self, now: float) -> ArmedWindow | None:
        """The open window, if any."""
        if self._window and self._window.expires is not None and now >= self._window.expires:
            self._window = None
        return self._window

    def attempt(self, fingerprint: bytes, now: float) -> str | CloseCode:
        """The PIN for one attempt of a device, or why it is refused. Attempts are spaced host-wide, and an attempt is
        charged before the state is looked at, so that probing the state costs one as well."""
        if self._last_attempt is not None and now - self._last_attempt < ATTEMPT_SPACING_S:
            return CloseCode.RATE_LIMITED
        self._last_attempt = now
        window = self.armed(now)
        if window is None:
            return CloseCode.NOT_ARMED
        if window.fingerprint is not None and not secrets.compare_digest(window.fingerprint, fingerprint):
            return CloseCode.ARMED_FOR_OTHER
        return window.pin
