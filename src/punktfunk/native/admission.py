"""Who may open a connection before anything is known about him: bounds by address and altogether. No clock, no I/O."""

from __future__ import annotations

import enum
from collections import Counter

MAX_STRANGERS = 64
"""Connections that have not shown who they are; past that, new ones are not answered."""
MAX_STRANGERS_PER_ADDRESS = 16
RETRY_FROM = 16
"""With so many handshakes under way, a new client first proves that it receives at its address."""


class Verdict(enum.Enum):
    """What becomes of a client's first packet."""

    ADMIT = "admit"
    RETRY = "retry"
    DROP = "drop"


class Admission:
    """Counts strangers: from their first packet until they are known (``leave`` with the same address) or gone."""

    def __init__(self) -> None:
        self._by_address: Counter[str] = Counter()
        self._handshakes = 0

    @property
    def strangers(self) -> int:
        """How many there are."""
        return self._by_address.total()

    def judge(self, address: str, *, validated: bool) -> Verdict:
        """A first packet; ``validated`` when it carries proof of its address."""
        if self.strangers >= MAX_STRANGERS or self._by_address[address] >= MAX_STRANGERS_PER_ADDRESS:
            return Verdict.DROP
        if self._handshakes >= RETRY_FROM and not validated:
            return Verdict.RETRY
        return Verdict.ADMIT

    def enter(self, address: str) -> None:
        """A connection begins its handshake."""
        self._by_address[address] += 1
        self._handshakes += 1

    def shook_hands(self) -> None:
        """A handshake is over, done or failed."""
        self._handshakes -= 1

    def leave(self, address: str) -> None:
        """A stranger is known now, or gone."""
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
