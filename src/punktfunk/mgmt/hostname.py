"""Which Host headers are ours: the defence against DNS rebinding, where a page's own name is made to point at us."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

MAX_HOST_CHARACTERS = 255


class AllowedHosts:
    """IP addresses and ``localhost`` always count as ours, because no DNS answer stands behind them; names only when
    they are this machine's or were set."""

    def __init__(self, names: Iterable[str]) -> None:
        plain = {name.lower().rstrip(".") for name in names if name}
        self._names = plain | {f"{name}.local" for name in plain if "." not in name} | {"localhost"}

    def allows(self, header: str) -> bool:
        """Whether a request with this Host header is for us."""
        name = host_part(header)
        return name is not None and (name.rstrip(".") in self._names or _is_address(name))


def host_part(header: str) -> str | None:
    """The lower-case name or address of ``name:port``, ``1.2.3.4:port`` or ``[::1]:port``; None for nonsense."""
    if not 0 < len(header) <= MAX_HOST_CHARACTERS or not header.isascii():
        return None
    if header.startswith("["):
        address, bracket, rest = header[1:].partition("]")
        return address.lower() if bracket and _is_port(rest) else None
    name, colon, port = header.partition(":")
    return name.lower() if name and _is_port(colon + port) else None


def same_origin(origin: str, host_header: str) -> bool:
    """Whether an Origin header is of a page that this very address has served."""
    return origin.lower() == f"https://{host_header.lower()}"


def _is_port(text: str) -> bool:
    return not text or (text.startswith(":") and text[1:].isdigit() and len(text) <= 6)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
