"""How large a packet the path to a client carries: probing it from this side (RFC 8899, RFC 9000 §14.3). Sans-IO.

Video packets that a path swallows without an ICMP message leave no trace but a client that sees nothing. QUIC packets
of the same size are acknowledged or are not: the search asks with those (punktfunk1.md §5.11). Times in seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

BASE_PAYLOAD_BYTES = 1200
"""Every path of QUIC carries this much (RFC 9000 §14.1)."""

STANDARD_MTU = 1500
JUMBO_MTU = 9000
IPV4_UDP_BYTES, IPV6_UDP_BYTES = 28, 48
_MTUS = (1280, 1380, 1400, 1420, 1440, 1460, 1480, 1492, STANDARD_MTU, 4000, JUMBO_MTU)
"""What paths are known to have: IPv6's least, tunnels, PPPoE, Ethernet, jumbo frames."""

TRIES = 3
CONFIRM_S = 5.0
"""How often a size that was found is tried again: a path may change under a stream."""
CONFIRM_TRY_S = 1.0
RAISE_S = 60.0
"""How often more than was found is tried."""
_ACK_DELAY_S = 0.06
MAX_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class PathProbe:
    """A packet to send: its UDP payload, and the ``number`` to report it by."""

    payload_bytes: int
    number: int


class PathSearch:
    """Finds the largest of the common sizes that arrives, and watches it.

    A size has failed when ``TRIES`` probes of it stayed unanswered while smaller packets of the same time were
    acknowledged: an outage says nothing about sizes.
    """

    def __init__(self, *, ipv6: bool, max_mtu: int = STANDARD_MTU, remembered: int | None = None) -> None:
        """``remembered`` is the MTU that an earlier search to this address found: it is tried first."""
        self._overhead = IPV6_UDP_BYTES if ipv6 else IPV4_UDP_BYTES
        self._mtus = [mtu for mtu in _MTUS if mtu <= max_mtu]
        if remembered not in self._mtus:
            remembered = self._mtus[-1]
        self._found = -1
        self._failed = len(self._mtus)
        self._trying: int | None = self._mtus.index(remembered)
        self._confirming = False
        self._tries = 0
        self._number = 0
        self._first_number = 0
        self._due = 0.0
        self._raise_at = 0.0
        self.mtu: int | None = None
        """The path's MTU; None until it is known for the first time."""

    @property
    def due(self) -> float:
        """When ``poll`` has something to do."""
        return self._due

    def poll(self, now: float, rtt_s: float, *, alive: bool) -> PathProbe | None:
        """What to send now. ``alive``: whether a packet has been acknowledged that left after ``first_sent``."""
        if now < self._due:
            return None
        if self._trying is not None and self._tries >= TRIES:
            if alive:
                self._lost(self._trying, now)
            else:
                self._tries = 0
        if self._trying is None:
            self._begin(now)
        if self._trying is None:
            return None
        if self._tries == 0:
            self._first_number = self._number + 1
        self._tries += 1
        self._number += 1
        self._due = now + (CONFIRM_TRY_S if self._confirming else 2 * rtt_s + _ACK_DELAY_S)
        return PathProbe(self._mtus[self._trying] - self._overhead, self._number)

    @property
    def first_number(self) -> int:
        """The number of the first probe of the size that is being tried."""
        return self._first_number

    def acknowledged(self, number: int, now: float) -> None:
        """The probe of this number arrived. Late answers about another size are no use, and do no harm."""
        if self._trying is None or number < self._first_number:
            return
        self._found = max(self._found, self._trying)
        self._failed = max(self._failed, self._found + 1)
        self._settle(now)

    def _lost(self, index: int, now: float) -> None:
        if index <= self._found:
            self._found = -1
        self._failed = index
        self._settle(now)

    def _settle(self, now: float) -> None:
        """One size is decided: the next one, or the end of the search."""
        self._tries, self._confirming = 0, False
        if self._found + 1 < self._failed:
            self._trying = (self._found + self._failed) // 2
            if self._failed == len(self._mtus):
                self._trying = self._failed - 1
            self._due = now
            return
        self._trying, self._due = None, now + CONFIRM_S
        self._raise_at = now + RAISE_S if self._raise_at <= now else self._raise_at
        self.mtu = self._mtus[self._found] if self._found >= 0 else BASE_PAYLOAD_BYTES + self._overhead

    def _begin(self, now: float) -> None:
        """The search rests: try what was found again, and now and then more than that."""
        self._tries, self._due = 0, now + CONFIRM_S
        if self._failed < len(self._mtus) and now >= self._raise_at:
            self._failed, self._trying = len(self._mtus), len(self._mtus) - 1
            self._raise_at = now + RAISE_S
        elif self._found >= 0:
            self._trying, self._confirming = self._found, True


class PathMemory:
    """What searches found, by client address, for the Welcome of the next connection; the oldest gives way."""

    def __init__(self) -> None:
        self._mtus: OrderedDict[str, int] = OrderedDict()

    def __getitem__(self, address: str) -> int | None:
        return self._mtus.get(address)

    def remember(self, address: str, mtu: int) -> None:
        """A search to ``address`` has ended with ``mtu``."""
        self._mtus.pop(address, None)
        self._mtus[address] = mtu
        if len(self._mtus) > MAX_REMEMBERED:
            self._mtus.popitem(last=False)
