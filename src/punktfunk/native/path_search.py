"""How large a packet the path to a client carries: probing it from this side (RFC 8899, RFC 9000 §14.3). Sans-IO.

Video packets that a path swallows without an ICMP message leave no trace but a client that sees nothing. QUIC packets
of the same size are acknowledged or are not: the search asks with those (punktfunk1.md §5.11). Times in seconds.
"""

from __future__ import annotations

import enum
from collections import OrderedDict, deque
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
_FIRST_ACK_DELAY_S = 0.03
"""The largest size alone gets less time: to be too hasty costs a round of the others."""
MAX_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class PathProbe:
    """A packet to send: its UDP payload, and the ``number`` to report it by."""

    payload_bytes: int
    number: int


class _Phase(enum.Enum):
    SEARCHING = "searching"
    CONFIRMING = "confirming"
    RESTING = "resting"


class PathSearch:
    """Finds the largest of the common sizes that arrives, and watches it.

    The largest is tried alone, which is all that an open path takes. Where it stays unanswered, a round of all sizes
    follows, and another: one round trip later it is known what arrives. Larger sizes have failed when ``TRIES`` rounds
    stayed unanswered while smaller packets of the same time were acknowledged: an outage says nothing about sizes.
    """

    def __init__(self, *, ipv6: bool, max_mtu: int = STANDARD_MTU, remembered: int | None = None) -> None:
        """``remembered`` is the MTU that an earlier search to this address found: it is tried first."""
        self._overhead = IPV6_UDP_BYTES if ipv6 else IPV4_UDP_BYTES
        self._mtus = [mtu for mtu in _MTUS if mtu <= max_mtu]
        if remembered not in self._mtus:
            remembered = self._mtus[-1]
        self._found = -1
        self._failed = len(self._mtus)
        self._alone: int | None = self._mtus.index(remembered)
        self._phase = _Phase.SEARCHING
        self._rounds = 0
        self._round: deque[int] = deque()
        self._round_end = 0.0
        self._sizes: dict[int, int] = {}
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

    @property
    def likely_mtu(self) -> int | None:
        """``mtu``, or the largest size that has arrived so far, for those who cannot wait; None: nothing is known."""
        return self._mtus[self._found] if self.mtu is None and self._found >= 0 else self.mtu

    @property
    def first_number(self) -> int:
        """The number of the first probe of the sizes that are being tried."""
        return self._first_number

    def poll(self, now: float, rtt_s: float, *, alive: bool) -> PathProbe | None:
        """What to send now. ``alive``: whether a packet has been acknowledged that left after ``first_number``."""
        if now < self._due:
            return None
        if not self._round and self._rounds >= TRIES:
            if alive:
                self._give_up(now)
            else:
                self._again()
        if self._phase is _Phase.RESTING:
            self._wake(now)
        if self._phase is _Phase.RESTING:
            return None
        if not self._round:
            self._open_round(now, rtt_s)
        index = self._round.popleft()
        self._number += 1
        self._sizes[self._number] = index
        self._due = now if self._round else self._round_end
        return PathProbe(self._mtus[index] - self._overhead, self._number)

    def acknowledged(self, number: int, now: float) -> None:
        """The probe of this number arrived. Late answers about another search are no use, and do no harm."""
        index = self._sizes.get(number)
        if index is None:
            return
        self._found = max(self._found, index)
        if self._phase is _Phase.CONFIRMING or self._found + 1 >= self._failed:
            self._rest(now)
        elif not self._rounds:
            self._search(now, alone=self._failed - 1)
        else:
            self._round = deque(size for size in self._round if size > self._found)
            self._due = now if self._round else self._round_end

    def _open_round(self, now: float, rtt_s: float) -> None:
        if not self._sizes:
            self._first_number = self._number + 1
        alone, self._alone = self._alone, None
        if alone is not None:
            self._round.append(alone)
            self._round_end = now + 1.5 * rtt_s + _FIRST_ACK_DELAY_S
            return
        self._rounds += 1
        if self._phase is _Phase.CONFIRMING:
            self._round.append(self._found)
            self._round_end = now + CONFIRM_TRY_S
        else:
            self._round.extend(range(self._failed - 1, self._found, -1))
            self._round_end = now + 2 * rtt_s + _ACK_DELAY_S

    def _give_up(self, now: float) -> None:
        """Nothing above what was found arrives; if that was to be confirmed, it does not arrive any more either."""
        if self._phase is _Phase.CONFIRMING:
            self._failed, self._found = self._found, -1
            if self._failed:
                self._search(now)
                return
        self._failed = self._found + 1
        self._rest(now)

    def _search(self, now: float, alone: int | None = None) -> None:
        self._phase, self._alone, self._due = _Phase.SEARCHING, alone, now
        self._again()

    def _again(self) -> None:
        self._rounds = 0
        self._round.clear()
        self._sizes.clear()

    def _rest(self, now: float) -> None:
        self._phase, self._alone, self._due = _Phase.RESTING, None, now + CONFIRM_S
        self._again()
        self._raise_at = now + RAISE_S if self._raise_at <= now else self._raise_at
        self.mtu = self._mtus[self._found] if self._found >= 0 else BASE_PAYLOAD_BYTES + self._overhead

    def _wake(self, now: float) -> None:
        """Try what was found again, and now and then more than that."""
        self._due = now + CONFIRM_S
        if self._failed < len(self._mtus) and now >= self._raise_at:
            self._failed, self._raise_at = len(self._mtus), now + RAISE_S
            self._search(now, alone=self._failed - 1)
        elif self._found >= 0:
            self._phase = _Phase.CONFIRMING


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
