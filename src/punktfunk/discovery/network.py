"""Facts about this machine that clients want to know: the routed address, MAC addresses, the system."""

from __future__ import annotations

import contextlib
import ipaddress
import platform
import re
import socket
from pathlib import Path

import ifaddr

_PROBE_ADDRESS = "192.0.2.1"
"""A documentation address (RFC 5737): connecting a UDP socket to it sends nothing but makes the kernel pick a route."""
MAX_OS_TOKENS = 5
MAX_OS_TOKEN = 32
_NET_CLASS = Path("/sys/class/net")
_NO_MAC = "00:00:00:00:00:00"


def plain_address(text: str) -> str:
    """An IP address without scope; IPv4-mapped IPv6 becomes IPv4. Text that is no address is returned unchanged."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


def routed_address() -> str | None:
    """The IPv4 address that packets to other networks leave from; without a route, any that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_PROBE_ADDRESS, 9))
            return str(probe.getsockname()[0])
        except OSError:
            pass
    others = (ip for ip in _interface_of_address() if ":" not in ip and not ipaddress.ip_address(ip).is_loopback)
    return next(others, None)


def mac_addresses() -> list[str]:
    """MAC addresses of the interfaces that have an address, ``aa:bb:cc:dd:ee:ff``, the routed one first (Linux)."""
    interfaces = _interface_of_address()
    routed = interfaces.get(routed_address() or "")
    names = sorted(set(interfaces.values()), key=lambda name: (name != routed, name))
    macs = [_mac_of(name) for name in names]
    return list(dict.fromkeys(mac for mac in macs if mac))


def os_chain() -> str:
    """The system from the general to the particular, such as ``linux/debian/ubuntu``; clients choose an icon by it."""
    tokens = [platform.system()]
    with contextlib.suppress(OSError):
        release = platform.freedesktop_os_release()
        tokens += [*reversed(release.get("ID_LIKE", "").split()), release.get("ID", "")]
    clean = [re.sub(r"[^a-z0-9._-]", "", token.lower())[:MAX_OS_TOKEN] for token in tokens]
    known = list(dict.fromkeys(filter(None, clean)))
    # Where there are too many, kernel and own name stay.
    return "/".join(known[:1] + known[1:][1 - MAX_OS_TOKENS :])


def mac_for(local_address: str) -> str | None:
    """The MAC address of the interface that has ``local_address``, for Wake-on-LAN; None where unknown."""
    name = _interface_of_address().get(plain_address(local_address))
    return _mac_of(name) if name else None


def _interface_of_address() -> dict[str, str]:
    found: dict[str, str] = {}
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            found[plain_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])] = adapter.name
    return found


def _mac_of(interface: str) -> str | None:
    try:
        text = (_NET_CLASS / interface / "address").read_text(encoding="ascii").strip().lower()
    except (OSError, ValueError):
        return None
    return text if len(text) == len(_NO_MAC) and text != _NO_MAC else None
