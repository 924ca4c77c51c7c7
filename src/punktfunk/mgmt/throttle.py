"""Against guessing: failures from one place make it wait, longer each time. Time in seconds is an argument."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from punktfunk.trust.ratelimit import RateLimiter

FREE_FAILURES = 5
FIRST_WAIT_S = 2.0
MAX_WAIT_S = 900.0
FORGET_AFTER_S = 3600.0
MAX_PLACES = 1024
OVERALL_BURST = 20
OVERALL_INTERVAL_S = 0.5
"""Password checks cost memory and CPU time; so many are done whoever asks."""


@dataclass(slots=True)
class _Record:
    failures: int = 0
    blocked_until: float = 0.0
    last: float = 0.0


class GuessThrottle:
    """Counts failed sign-ins by place (an IPv4 address or an IPv6 /64) and says how long a place has to wait.

    At most ``MAX_PLACES`` places are remembered. A flood from many places meets the overall limit, which delays
    everybody by no more than ``OVERALL_INTERVAL_S`` a try.
    """

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._overall = RateLimiter(burst=OVERALL_BURST, interval_s=OVERALL_INTERVAL_S, max_keys=1)

    def __len__(self) -> int:
        return len(self._records)

    def wait_s(self, address: str, now: float) -> float:
        """Seconds until ``address`` may try again; 0 lets it try now and counts against the overall limit."""
        record = self._records.get(place_of(address))
        if record is not None and now < record.blocked_until:
            return record.blocked_until - now
        return 0.0 if self._overall.allow("all", now) else OVERALL_INTERVAL_S

    def failed(self, address: str, now: float) -> None:
        """A wrong guess; from the sixth on the place waits 2, 4, 8, … seconds up to a quarter of an hour."""
        place = place_of(address)
        record = self._records.pop(place, None)
        if record is None or now - record.last > FORGET_AFTER_S:
            record = _Record()
        record.failures += 1
        record.last = now
        over = record.failures - FREE_FAILURES
        if over > 0:
            record.blocked_until = now + min(MAX_WAIT_S, FIRST_WAIT_S * 2.0 ** min(over - 1, 16))
        self._records[place] = record
        if len(self._records) > MAX_PLACES:
            self._records.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """A right answer clears the place's failures."""
        self._records.pop(place_of(address), None)


def place_of(address: str) -> str:
    """The key of an address: one household's IPv6 addresses count as one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped) if ip.ipv4_mapped else str(ipaddress.IPv6Network((ip, 64), strict=False))
    return str(ip)
