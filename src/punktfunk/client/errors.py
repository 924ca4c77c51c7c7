"""Why a connection could not be had, or ended (punktfunk1.md §2.5)."""

from __future__ import annotations

from punktfunk.wire.punktfunk1.enums import CloseCode


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
        text = _SENTENCES.get(code, f"the host closed the connection with code 0x{code:02x}")
        super().__init__(f"{text}: {reason}" if reason else text)
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


_SENTENCES: dict[int, str] = {
    CloseCode.DONE: "the session is over",
    CloseCode.ERROR: "the host reports an error",
    CloseCode.BUSY: "the host is busy: all its sessions are taken",
    CloseCode.USER_QUIT: "the session was quit",
    CloseCode.APP_EXITED: "the launched application exited",
    CloseCode.NOT_ARMED: "the host does not wait for a PIN; start pairing there first",
    CloseCode.ARMED_FOR_OTHER: "the host waits for another device's PIN",
    CloseCode.RATE_LIMITED: "too many pairing attempts; wait a few seconds",
    CloseCode.IDENTITY_REQUIRED: "the host wants a client certificate",
    CloseCode.DENIED: "the host's owner denied the request",
    CloseCode.APPROVAL_TIMEOUT: "nobody at the host approved the request in time",
    CloseCode.SUPERSEDED: "a newer connection of this device took over",
    CloseCode.WIRE_VERSION: "host and client speak different versions; update the older one",
    CloseCode.SETUP_FAILED: "the host could not start the session",
    CloseCode.ACCESS_EXPIRED: "this device's access to the host expired",
    CloseCode.LAUNCH_FORBIDDEN: "this device may not launch programs on the host",
    CloseCode.POWERING_DOWN: "the host is powering down",
    CloseCode.UNKNOWN_PROFILE: "the host does not know that profile",
    CloseCode.NO_SEAT: "the host has no seat for this session",
    CloseCode.SEAT_OCCUPIED: "the host's seat is occupied",
    CloseCode.SEAT_UNAVAILABLE: "the host's seat is not available",
}

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
