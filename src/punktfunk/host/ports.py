"""Which ports are free, and who holds the ones that are not (Linux: /proc)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from punktfunk.host.settings import Settings

Transport = Literal["tcp", "udp"]
_TCP_LISTEN = "0A"
_UDP_UNCONNECTED = "07"


class Port(msgspec.Struct, frozen=True):
    """A port that the host wants, and what for."""

    transport: Transport
    number: int
    purpose: str

    def __str__(self) -> str:
        return f"{self.transport.upper()} {self.number} ({self.purpose})"


class Holder(msgspec.Struct, frozen=True):
    """Who has a port. ``pid`` and ``program`` are unknown where the process belongs to another user."""

    uid: int
    pid: int | None = None
    program: str = ""

    def __str__(self) -> str:
        if self.pid is None:
            return f"a program of user id {self.uid}"
        return f"{self.program} (process {self.pid})"


def ports_of(settings: Settings) -> tuple[Port, ...]:
    """Every fixed port that a host with these settings binds (gamestream.md §1.1, punktfunk1.md §0.4)."""
    others: tuple[Port, ...] = ()
    if settings.native.enabled:
        others += (Port("udp", settings.network.native_port, "punktfunk/1"),)
    if settings.mgmt.enabled:
        others += (Port("tcp", settings.network.mgmt_port, "management"),)
    if not settings.gamestream.enabled:
        return others
    base = settings.network.gamestream_port
    return (
        *others,
        Port("tcp", base, "GameStream HTTP"),
        Port("tcp", base - 5, "GameStream HTTPS"),
        Port("tcp", base + 21, "RTSP"),
        Port("udp", base + 9, "video"),
        Port("udp", base + 10, "control"),
        Port("udp", base + 11, "audio"),
    )


def busy_ports(ports: Iterable[Port], bind_address: str = "") -> list[Port]:
    """Those that cannot be bound right now. Opens and closes a socket for each."""
    return [port for port in ports if not _bindable(port, bind_address)]


def describe_busy(ports: Iterable[Port]) -> str:
    """One line for each program that holds some of these ports: which, and what to do."""
    advice = "stop that program, or choose other ports with --base-port, --native-port or --mgmt-port."
    return "\n".join(f"{line}: {advice}" for line in name_holders(ports))


def name_holders(ports: Iterable[Port]) -> list[str]:
    """For each program that holds some of these ports, which ones: ``TCP 47989 (…) is taken by x (process 7)``."""
    by_holder: dict[str, list[str]] = {}
    for port in ports:
        holder = find_holder(port.transport, port.number)
        by_holder.setdefault(f"taken by {holder}" if holder else "taken or not allowed", []).append(str(port))
    return [f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} {who}" for who, names in by_holder.items()]


def find_holder(transport: Transport, number: int) -> Holder | None:
    """Who listens on this port of any address of this machine; None when nobody does or the kernel does not tell."""
    for table in (transport, f"{transport}6"):
        try:
            text = Path("/proc/net", table).read_text()
        except OSError:
            continue
        if found := parse_socket_table(text, transport, number):
            uid, inode = found
            pid = _process_with_socket(inode)
            return Holder(uid, pid, _program(pid) if pid else "")
    return None


def parse_socket_table(text: str, transport: Transport, number: int) -> tuple[int, int] | None:
    """(user id, inode) of the listening socket on ``number`` in a table of the form of /proc/net/tcp."""
    wanted = _TCP_LISTEN if transport == "tcp" else _UDP_UNCONNECTED
    for line in text.splitlines()[1:]:
        columns = line.split()
        if len(columns) < 10 or columns[3] != wanted:
            continue
        if int(columns[1].rpartition(":")[2], 16) == number:
            return int(columns[7]), int(columns[9])
    return None


def _process_with_socket(inode: int) -> int | None:
    wanted = f"socket:[{inode}]"
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if any(os.readlink(process / "fd" / number) == wanted for number in os.listdir(process / "fd")):
                return int(process.name)
        except OSError:
            continue
    return None


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "a program"


def _bindable(port: Port, bind_address: str) -> bool:
    kind = socket.SOCK_STREAM if port.transport == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in bind_address else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if port.transport == "tcp":
            # As servers do: a connection that lingers in TIME_WAIT does not hold the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind_address, port.number))
        except OSError:
            return False
    return True
