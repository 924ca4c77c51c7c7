"""Who may do what: one rule per route, one function that decides. No I/O.

docs/api.md explains the rules to users; the matrix of every route and every kind of caller is a test.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Scope(enum.StrEnum):
    """What an API token may do; ``ADMIN`` includes the others, and each of the others includes ``READ``."""

    READ = "read"
    OPERATE = "operate"
    PAIR = "pair"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)


class Lane(enum.StrEnum):
    """How a caller has proved who it is."""

    ANONYMOUS = "anonymous"
    DEVICE = "device"
    """The exact certificate of a paired punktfunk/1 client."""
    CONSOLE = "console"
    """A browser session that began with the password."""
    TOKEN = "token"
    """An API token made in the console."""
    MACHINE = "machine"
    """The token in ``mgmt-token``, from this machine only (punktfunk1.md §10.1)."""


class Rule(enum.StrEnum):
    """The access rule of a route."""

    OPEN = "open"
    LOOPBACK = "loopback"
    """Programs of this machine without credentials, others as with READ."""
    DEVICE = "device"
    """Paired clients, and everybody who may READ."""
    READ = "read"
    OPERATE = "operate"
    PAIR = "pair"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. ``id`` names the session, token or device that proved it; ``name`` is for people and the audit log."""

    lane: Lane
    name: str
    id: str = ""
    scopes: frozenset[Scope] = frozenset()
    address: str = ""
    loopback: bool = False


_NEEDED = {Rule.OPERATE: Scope.OPERATE, Rule.PAIR: Scope.PAIR, Rule.ADMIN: Scope.ADMIN}


def allows(rule: Rule, principal: Principal) -> bool:
    """Whether ``principal`` may use a route with ``rule``."""
    if rule is Rule.OPEN:
        return True
    if rule is Rule.LOOPBACK and principal.loopback:
        return True
    if rule is Rule.DEVICE and principal.lane is Lane.DEVICE:
        return True
    if Scope.ADMIN in principal.scopes:
        return True
    needed = _NEEDED.get(rule)
    return bool(principal.scopes) if needed is None else needed in principal.scopes
