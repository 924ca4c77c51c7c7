"""Adverts on the local network by mDNS / DNS-SD, best effort: failures are logged and never stop the host."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass, field

from zeroconf import Error as ZeroconfError
from zeroconf import NonUniqueNameException, ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

GAMESTREAM_SERVICE = "_nvstream._tcp.local."
NATIVE_SERVICE = "_punktfunk._udp.local."
GAMESTREAM_FALLBACK_NAME = "punktfunk-host"
MAX_LABEL_BYTES = 63
_CLOSE_DEADLINE_S = 5.0
_MAX_NAMES = 9

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Advert:
    """One service: ``service`` such as ``_nvstream._tcp.local.``, the instance name, the port and the TXT keys.

    ``addresses`` are IPv4 or IPv6 texts; ``host_label`` is the SRV target without ``.local.``.
    """

    service: str
    instance: str
    host_label: str
    port: int
    addresses: tuple[str, ...]
    properties: Mapping[str, str] = field(default_factory=dict)


def gamestream_instance(host_name: str) -> str:
    """The instance name of a GameStream host (gamestream.md §1.2)."""
    name = host_name[:MAX_LABEL_BYTES].replace(" ", "-")
    match = re.match(r"[A-Za-z0-9-]+", name)
    return match[0] if match else GAMESTREAM_FALLBACK_NAME


def gamestream_advert(host_name: str, port: int, addresses: tuple[str, ...]) -> Advert:
    """The advert that Moonlight looks for: the HTTP port, no TXT keys."""
    instance = gamestream_instance(host_name)
    return Advert(GAMESTREAM_SERVICE, instance, instance, port, addresses)


def native_label(host_name: str) -> str:
    """The SRV target of a punktfunk/1 host, without ``.local.`` (punktfunk1.md §1)."""
    label = re.sub(r"[^A-Za-z0-9.-]", "-", host_name)[:MAX_LABEL_BYTES].strip("-.")
    return label or GAMESTREAM_FALLBACK_NAME


def native_advert(host_name: str, port: int, addresses: tuple[str, ...], properties: Mapping[str, str]) -> Advert:
    """The advert that punktfunk clients look for; ``properties`` beside ``proto``."""
    instance = host_name.encode()[:MAX_LABEL_BYTES].decode(errors="ignore")
    return Advert(
        NATIVE_SERVICE, instance, native_label(host_name), port, addresses, {"proto": "punktfunk/1", **properties}
    )


class MdnsPublisher:
    """Keeps adverts on the network until ``close``. One responder serves all of them."""

    def __init__(self, interfaces: tuple[str, ...] = ()) -> None:
        """``interfaces`` are addresses to answer on; empty means all."""
        self._interfaces = interfaces
        self._responder: AsyncZeroconf | None = None
        self._published: dict[str, ServiceInfo] = {}

    async def publish(self, advert: Advert) -> bool:
        """Advertise, replacing the advert of the same service; False when that failed, with the reason logged."""
        try:
            await self.withdraw(advert.service)
            if self._responder is None:
                self._responder = (
                    AsyncZeroconf(interfaces=list(self._interfaces)) if self._interfaces else AsyncZeroconf()
                )
            await self._register(self._responder, advert)
        except (OSError, ZeroconfError, TimeoutError) as error:
            _logger.warning("this host is not announced as %s on the network: %s", advert.service, error or type(error))
            return False
        return True

    async def withdraw(self, service: str) -> None:
        """Say goodbye for one service; nothing happens when it is not advertised."""
        info = self._published.pop(service, None)
        if info is not None and self._responder is not None:
            await _within_deadline(self._unregister(self._responder, info))

    async def close(self) -> None:
        """Say goodbye for every service and stop answering."""
        responder, self._responder = self._responder, None
        self._published.clear()
        if responder is not None:
            await _within_deadline(responder.async_close())

    async def _register(self, responder: AsyncZeroconf, advert: Advert) -> None:
        for info in _candidates(advert):
            try:
                done = await responder.async_register_service(info)
            except NonUniqueNameException:
                continue
            await done
            self._published[advert.service] = info
            return
        raise NonUniqueNameException(f"every name like {advert.instance} is taken")

    async def _unregister(self, responder: AsyncZeroconf, info: ServiceInfo) -> None:
        done = await responder.async_unregister_service(info)
        await done


async def _within_deadline(goodbye: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(_CLOSE_DEADLINE_S):
            await goodbye
    except (OSError, ZeroconfError, TimeoutError) as error:
        _logger.warning("taking back a network announcement failed: %s", error or type(error))


def _candidates(advert: Advert) -> Iterator[ServiceInfo]:
    """The advert under its own name, then under names with a number behind."""
    addresses = [_packed(address) for address in advert.addresses]
    for number in range(1, _MAX_NAMES + 1):
        name = advert.instance if number == 1 else f"{advert.instance}-{number}"
        yield ServiceInfo(
            advert.service,
            f"{name}.{advert.service}",
            port=advert.port,
            addresses=addresses,
            properties=dict(advert.properties),
            server=f"{advert.host_label}.local.",
        )


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
