"""Why a connection could not be had, or ended (punktfunk1.md §2.5)."""

from __future__ import annotations

from punktfunk.wire.punktfunk1.enums import CLOSE_SENTENCES, CloseCode


class ClientError(Exception):
    """Any failure of the client; its text is a sentence for a user."""


class UnreachableError(ClientError):
    """No host answers at the address."""


class ConnectionLostError(ClientError):
    """The host fell silent, or the transport broke."""


class ProtocolError(ClientError):
    """The host does not keep to punktfunk/1."""


class FingerprintMismatchError(ClientError):
    """The host shows another certificate than the one that was pinned."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(
            f"the host's certificate changed: expected {expected[:16]}…, seen {seen[:16]}…. If the host was "
            "reinstalled, forget it and pair again; otherwise somebody stands between you and it"
        )
        self.expected = expected
        self.seen = seen


class WrongPinError(ClientError):
    """The host's confirmation does not fit the PIN: wrong digits, or somebody in the middle."""


class NotApprovedError(ClientError):
    """The host stayed silent after the first message, as one does that waits for its owner's approval."""


class ConnectionClosedError(ClientError):
    """The host closed the connection with ``code``; ``reason`` is its own text and may be empty."""

    def __init__(self, code: int, reason: str = "") -> None:
        text = CLOSE_SENTENCES.get(code, f"the host closed the connection with code 0x{code:02x}")
        super().__init__(f"{text}: {reason}" if reason and reason != text else text)
        self.code = code
        self.reason = reason


class SessionEndedError(ConnectionClosedError):
    """A normal end: done, or the launched application exited."""


class HostBusyError(ConnectionClosedError):
    """All sessions are taken."""


class PairingRefusedError(ConnectionClosedError):
    """The host does not pair with this device now."""


class AccessDeniedError(ConnectionClosedError):
    """This device may not connect, not any more, or not for that."""


class SetupFailedError(ConnectionClosedError):
    """Host and client cannot agree, or the host could not start the session."""


_KINDS: dict[int, type[ConnectionClosedError]] = {
    CloseCode.DONE: SessionEndedError,
    CloseCode.USER_QUIT: SessionEndedError,
    CloseCode.APP_EXITED: SessionEndedError,
    CloseCode.POWERING_DOWN: SessionEndedError,
    CloseCode.BUSY: HostBusyError,
    CloseCode.NOT_ARMED: PairingRefusedError,
    CloseCode.ARMED_FOR_OTHER: PairingRefusedError,
    CloseCode.RATE_LIMITED: PairingRefusedError,
    CloseCode.IDENTITY_REQUIRED: PairingRefusedError,
    CloseCode.DENIED: AccessDeniedError,
    CloseCode.APPROVAL_TIMEOUT: AccessDeniedError,
    CloseCode.SUPERSEDED: AccessDeniedError,
    CloseCode.ACCESS_EXPIRED: AccessDeniedError,
    CloseCode.LAUNCH_FORBIDDEN: AccessDeniedError,
    CloseCode.WIRE_VERSION: SetupFailedError,
    CloseCode.SETUP_FAILED: SetupFailedError,
    CloseCode.UNKNOWN_PROFILE: SetupFailedError,
    CloseCode.NO_SEAT: HostBusyError,
    CloseCode.SEAT_OCCUPIED: HostBusyError,
    CloseCode.SEAT_UNAVAILABLE: HostBusyError,
}


def closed(code: int, reason: str = "") -> ConnectionClosedError:
    """The typed error of a close code."""
    return _KINDS.get(code, ConnectionClosedError)(code, reason)
