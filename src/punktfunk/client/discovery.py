"""Finding hosts on the local network by mDNS (punktfunk1.md §1)."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from zeroconf import Error as ZeroconfError
from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from punktfunk.client.errors import ClientError

SERVICE = "_punktfunk._udp.local."
MAX_HOSTS = 128
MAX_MACS = 8
RESOLVE_TIMEOUT_MS = 1500


@dataclass(frozen=True, slots=True)
class FoundHost:
    """One advert. ``fingerprint`` is what the network says and no proof; None when absent or no fingerprint.
    ``management_port`` 0 = not advertised."""

    name: str
    address: str
    port: int
    fingerprint: str | None = None
    pairing_required: bool = False
    id: str = ""
    management_port: int = 0
    os: str = ""
    macs: tuple[str, ...] = ()


def read_advert(
    full_name: str, addresses: list[str], port: int, properties: Mapping[str, str | None]
) -> FoundHost | None:
    """The host behind a resolved advert; None for another protocol or without an IPv4 address or port."""
    facts = {key.lower(): value or "" for key, value in properties.items()}
    usable = sorted((ipaddress.IPv4Address(a) for a in addresses if _is_ipv4(a)), key=int)
    if facts.get("proto", "punktfunk/1") != "punktfunk/1" or not usable or not 0 < port < 65536:
        return None
    advertised = facts.get("addr", "")
    address = advertised if advertised in map(str, usable) else str(usable[0])
    fingerprint = facts.get("fp", "").lower()
    tokens = [token[:32] for token in facts.get("os", "").lower().split("/")[:5]]
    return FoundHost(
        name=full_name.removesuffix(f".{SERVICE}").split(".")[0],
        address=address,
        port=port,
        fingerprint=fingerprint if re.fullmatch(r"[0-9a-f]{64}", fingerprint) else None,
        pairing_required=facts.get("pair") == "required",
        id=facts.get("id") or full_name,
        management_port=_port(facts.get("mgmt", "")),
        os="/".join(re.sub(r"[^a-z0-9._-]", "", token) for token in tokens),
        macs=tuple(re.findall(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", facts.get("mac", "").lower())[:MAX_MACS]),
    )


async def discover(seconds: float = 2.0, *, interfaces: tuple[str, ...] = ()) -> list[FoundHost]:
    """Hosts that answer within ``seconds``, by name; one entry for each host id. ``interfaces`` are addresses to ask
    from, empty means all. Raises ``ClientError`` when the network cannot be asked."""
    try:
        zeroconf = AsyncZeroconf(interfaces=list(interfaces)) if interfaces else AsyncZeroconf()
    except (OSError, ZeroconfError) as error:
        raise ClientError(f"cannot look for hosts on this network: {error}") from error
    names: set[str] = set()

    def seen(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is not ServiceStateChange.Removed and len(names) < MAX_HOSTS:
            names.add(name)

    browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE, handlers=[seen])
    try:
        await asyncio.sleep(seconds)
        found = await asyncio.gather(*(_resolve(zeroconf, name) for name in sorted(names)))
    finally:
        await browser.async_cancel()
        await zeroconf.async_close()
    by_id = {host.id: host for host in found if host is not None}
    return sorted(by_id.values(), key=lambda host: host.name.lower())


async def _resolve(zeroconf: AsyncZeroconf, name: str) -> FoundHost | None:
    info = AsyncServiceInfo(SERVICE, name)
    if not await info.async_request(zeroconf.zeroconf, RESOLVE_TIMEOUT_MS):
        return None
    return read_advert(name, info.parsed_addresses(), info.port or 0, info.decoded_properties)


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _port(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536 else 0
