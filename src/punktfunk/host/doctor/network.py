"""Checks of the network: ports, the advert, packet batches, buffer limits."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from zeroconf import IPVersion
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from punktfunk.host.control_messages import GetStatus, Status
from punktfunk.host.control_socket import ControlError, RequestRefused, ask
from punktfunk.host.doctor.check import Check, Context, Outcome, fail, ok, skip, warn
from punktfunk.host.ports import busy_ports, find_holder, name_holders, ports_of

# A type of its own: a test must never show up as a host in somebody's client.
_SERVICE_TYPE = "_pf-doctor._tcp.local."
_WANTED_BUFFER_BYTES = 4 << 20
_SOL_UDP = 17
_UDP_SEGMENT = 103


async def ports(context: Context) -> Outcome:
    """The ports can be bound, or are held by the running host."""
    wanted = ports_of(context.settings)
    if not wanted:
        return skip("Moonlight is not let in (gamestream.enabled), so no port of it is needed")
    busy = busy_ports(wanted, context.settings.network.bind_address)
    if not busy:
        return ok(f"all {len(wanted)} ports are free ({', '.join(str(port.number) for port in wanted)})")
    running = await asyncio.to_thread(_running_host, context)
    holders = [find_holder(port.transport, port.number) for port in busy]
    if running and all(holder and holder.pid == running for holder in holders):
        return ok(f"the ports are held by the running host (process {running})")
    return fail("; ".join(name_holders(busy)), "stop that program, or set network.gamestream_port")


def _running_host(context: Context) -> int:
    try:
        answer = ask(context.settings.host.runtime_dir, GetStatus(), timeout_s=3)
    except (ControlError, RequestRefused):
        return 0
    return answer.pid if isinstance(answer, Status) else 0


async def mdns(context: Context) -> Outcome:
    """An advert that is sent can be found and resolved again, through the network stack."""
    if not context.settings.network.mdns:
        return skip("the advert is switched off (network.mdns)")
    name = f"doctor-{os.getpid()}.{_SERVICE_TYPE}"
    info = AsyncServiceInfo(
        _SERVICE_TYPE, name, port=9, addresses=[b"\x7f\x00\x00\x01"], server=f"doctor-{os.getpid()}.local."
    )
    try:
        sender, receiver = AsyncZeroconf(ip_version=IPVersion.V4Only), AsyncZeroconf(ip_version=IPVersion.V4Only)
    except OSError as error:
        return fail(f"multicast is not possible: {error.strerror}", "bring a network interface with multicast up")
    found = asyncio.Event()

    def notice(**event: object) -> None:
        if event["name"] == name:
            found.set()

    browser = AsyncServiceBrowser(receiver.zeroconf, _SERVICE_TYPE, handlers=[notice])
    try:
        await sender.async_register_service(info)
        async with asyncio.timeout(5):
            await found.wait()
        seen = AsyncServiceInfo(_SERVICE_TYPE, name)
        if await seen.async_request(receiver.zeroconf, 2000) and seen.port == 9:
            return ok("an advert sent by this machine was found and resolved again")
        return warn("an advert was found but not resolved", "allow UDP port 5353 in the firewall")
    except TimeoutError:
        return warn("an advert did not come back", "allow UDP port 5353; without it clients need the address typed in")
    finally:
        await browser.async_cancel()
        await receiver.async_close()
        await sender.async_close()


async def batches(context: Context) -> Outcome:
    """The kernel takes several packets in one call (UDP_SEGMENT)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            try:
                sender.setsockopt(_SOL_UDP, _UDP_SEGMENT, 1000)
                sender.sendto(bytes(2000), receiver.getsockname())
                sizes = [len(receiver.recv(4096)) for _ in range(2)]
            except OSError as error:
                return warn(f"packets go out one by one: {error}", "a kernel of 4.18 or newer sends them in batches")
    return ok("packets go out in batches (UDP_SEGMENT)") if sizes == [1000, 1000] else warn("batches arrive whole", "")


async def buffers(context: Context) -> Outcome:
    """The kernel allows socket buffers that hold a burst."""
    limits = {name: _kernel_limit(name) for name in ("rmem_max", "wmem_max")}
    low = {name: size for name, size in limits.items() if size < _WANTED_BUFFER_BYTES}
    if not low:
        return ok("socket buffers may hold a burst of packets")
    words = ", ".join(f"{name} {size // 1024} KiB" for name, size in low.items())
    line = " ".join(f"net.core.{name}={_WANTED_BUFFER_BYTES}" for name in low)
    return warn(f"socket buffers are small ({words}); large frames may lose packets", f"sudo sysctl -w {line}")


def _kernel_limit(name: str) -> int:
    return int(Path("/proc/sys/net/core", name).read_text())


CHECKS = (
    Check("ports", ports),
    Check("mdns", mdns),
    Check("batches", batches),
    Check("buffers", buffers),
)
