"""Unknown devices that knock, and the operator's answers (punktfunk1.md §3.4). Times in seconds."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from punktfunk.wire.punktfunk1.enums import CloseCode

ENTRY_LIFETIME_S = 600.0
PARK_TIMEOUT_S = 180.0
MAX_ENTRIES = 32
MAX_ENTRIES_PER_ADDRESS = 4


@dataclass(frozen=True, slots=True)
class Knock:
    """One device that waits. ``connection`` is the caller's handle of its newest connection, None once that gave up."""

    id: int
    fingerprint: bytes
    label: str
    address: str
    since: float
    connection: Hashable | None
    parked: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with a parked connection: go on with Welcome (``code`` None) or close."""

    connection: Hashable
    code: CloseCode | None


class KnockQueue:
    """The devices that wait for the operator, each once however often it knocks. An entry outlives its connection, so
    that an approval a little late still pairs the device."""

    def __init__(self) -> None:
        self._knocks: dict[bytes, Knock] = {}
        self._next_id = 1

    def waiting(self, now: float) -> list[Knock]:
        """All entries, oldest first."""
        self._forget(now)
        return list(self._knocks.values())

    def knock(
        self, fingerprint: bytes, label: str, address: str, connection: Hashable, now: float
    ) -> list[Verdict] | CloseCode:
        """Park a connection. The verdicts are about older connections of the same device; a code means that this one
        is not parked."""
        self._forget(now)
        old = self._knocks.get(fingerprint)
        if old is None and self._full(address):
            return CloseCode.RATE_LIMITED
        knock_id, since = (old.id, old.since) if old else (self._next_id, now)
        self._next_id += old is None
        self._knocks[fingerprint] = Knock(knock_id, fingerprint, label, address, since, connection, now)
        if old is None or old.connection is None:
            return []
        return [Verdict(old.connection, CloseCode.SUPERSEDED)]

    def approve(self, knock_id: int, now: float) -> tuple[Knock, Verdict | None] | None:
        """Let a device in: the entry to store as paired, and its connection if one still waits."""
        return self._settle(knock_id, None, now)

    def deny(self, knock_id: int, now: float) -> tuple[Knock, Verdict | None] | None:
        """Turn a device away."""
        return self._settle(knock_id, CloseCode.DENIED, now)

    def disconnected(self, fingerprint: bytes, connection: Hashable) -> None:
        """A parked connection went away by itself; its device keeps waiting."""
        knock = self._knocks.get(fingerprint)
        if knock and knock.connection == connection:
            self._unpark(knock)

    def expire(self, now: float) -> list[Verdict]:
        """Connections that waited too long."""
        late = [k for k in self._knocks.values() if k.connection is not None and now - k.parked >= PARK_TIMEOUT_S]
        for knock in late:
            self._unpark(knock)
        self._forget(now)
        return [Verdict(k.connection, CloseCode.APPROVAL_TIMEOUT) for k in late if k.connection is not None]

    def next_deadline(self) -> float | None:
        """When ``expire`` has something to do."""
        parked = [k.parked + PARK_TIMEOUT_S for k in self._knocks.values() if k.connection is not None]
        return min(parked, default=None)

    def _settle(self, knock_id: int, code: CloseCode | None, now: float) -> tuple[Knock, Verdict | None] | None:
        self._forget(now)
        knock = next((k for k in self._knocks.values() if k.id == knock_id), None)
        if knock is None:
            return None
        del self._knocks[knock.fingerprint]
        return knock, None if knock.connection is None else Verdict(knock.connection, code)

    def _full(self, address: str) -> bool:
        same = sum(knock.address == address for knock in self._knocks.values())
        return len(self._knocks) >= MAX_ENTRIES or same >= MAX_ENTRIES_PER_ADDRESS

    def _unpark(self, knock: Knock) -> None:
        self._knocks[knock.fingerprint] = Knock(
            knock.id, knock.fingerprint, knock.label, knock.address, knock.since, None, knock.parked
        )

    def _forget(self, now: float) -> None:
        """Drop entries past their lifetime; one whose connection still waits stays until that is settled."""
        old = [k for k in self._knocks.values() if k.connection is None and now - k.parked >= ENTRY_LIFETIME_S]
        for knock in old:
            del self._knocks[knock.fingerprint]
