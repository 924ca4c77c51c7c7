"""A UDP relay that puts a bad network between a client and a host, for end-to-end tests.

In a test: ``async with UdpRelay(host_address, to_host, to_client) as relay`` and let the client talk to
``relay.address``. By hand: ``python -m tests.impair.relay 127.0.0.1:9777 --listen 0 --loss 0.02 --delay-ms 20``.

One relay carries one UDP port. punktfunk/1 has a second one for video, whose number is in the Welcome: give the host
a fixed data port and start a relay for it, on the same port of another loopback address.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from typing import Self

from tests.impair.path import ImpairedPath, Impairments

MAX_CLIENTS = 16
"""Clients with a path of their own; the one heard of longest ago gives way."""

READS_AT_ONCE = 64
"""Datagrams taken from a socket before the loop's other work."""

BUFFER_BYTES = 8 * 1024 * 1024

SO_TIMESTAMPNS = 35
"""asm-generic/socket.h; Python's socket module does not name it."""
_STAMP = struct.Struct("@ll")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_STAMP.size)

Address = tuple[str, int]


class _Direction:
    """Drives one path with the loop's clock; ``deliver`` gets what comes out."""

    def __init__(self, path: ImpairedPath, deliver: Callable[[bytes], None]) -> None:
        self._path = path
        self.statistics = path.statistics
        self._deliver = deliver
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._entered = 0.0

    def enter(self, data: bytes, arrived: float) -> None:
        """A datagram enters the path; it ``arrived`` at the relay before now, and not before the one before it."""
        self._entered = max(self._entered, arrived)
        self._path.send(data, self._entered)
        self._flush()

    def stop(self) -> None:
        """Forget what is under way."""
        if self._timer:
            self._timer.cancel()

    def _flush(self) -> None:
        self.stop()
        for datagram in self._path.receive(self._loop.time()):
            self._deliver(datagram)
        due = self._path.next_arrival()
        self._timer = None if due is None else self._loop.call_at(due, self._flush)


class _Socket:
    """A UDP socket of the loop. ICMP errors and full buffers are losses, as on a real path.

    ``received`` gets the time (of the loop) at which the kernel had a datagram: where a busy machine lets the relay
    wait, what piles up meanwhile did not come all at once, and would overflow the path's queue if it had.
    """

    def __init__(self, received: Callable[[bytes, Address, float], None]) -> None:
        self._received = received
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        asyncio.get_running_loop().add_reader(self.sock, self._readable)

    def send(self, datagram: bytes, address: Address | None = None) -> None:
        """Send to ``address``, or to the connected peer."""
        with suppress(OSError):
            if address:
                self.sock.sendto(datagram, address)
            else:
                self.sock.send(datagram)

    def close(self) -> None:
        """Stop listening."""
        asyncio.get_running_loop().remove_reader(self.sock)
        self.sock.close()

    def _readable(self) -> None:
        with suppress(OSError):
            now = asyncio.get_running_loop().time()
            wall_s = time.time()
            for _ in range(READS_AT_ONCE):
                data, ancillary, _, address = self.sock.recvmsg(65_535, _ANCILLARY_BYTES)
                seconds, nanoseconds = _STAMP.unpack(ancillary[0][2]) if ancillary else (wall_s, 0)
                self._received(data, address, now - max(0.0, wall_s - seconds - nanoseconds / 1e9))


class _Client:
    """One client's two paths and its socket toward the host."""

    def __init__(self, relay: UdpRelay, address: Address, seed: str) -> None:
        self._upstream = _Socket(lambda data, _, arrived: self.to_client.enter(data, arrived))
        self._upstream.sock.connect(relay.host)
        self.to_host = _Direction(ImpairedPath(relay.to_host, f"{seed}>"), self._upstream.send)
        self.to_client = _Direction(ImpairedPath(relay.to_client, f"{seed}<"), lambda d: relay.deliver(d, address))

    def close(self) -> None:
        self.to_host.stop()
        self.to_client.stop()
        self._upstream.close()


class UdpRelay:
    """Relays between any clients and one host. ``seed`` fixes what befalls the n-th datagram of the n-th client."""

    def __init__(
        self,
        host: Address,
        to_host: Impairments | None = None,
        to_client: Impairments | None = None,
        *,
        listen: Address = ("127.0.0.1", 0),
        seed: int = 0,
    ) -> None:
        self.host = host
        self.to_host = to_host or Impairments()
        self.to_client = to_client or Impairments()
        self._listen = listen
        self._seed = seed
        self._number = 0
        self._clients: OrderedDict[Address, _Client] = OrderedDict()
        self._socket: _Socket | None = None

    @property
    def address(self) -> Address:
        """Where clients find the relay."""
        assert self._socket is not None
        address: Address = self._socket.sock.getsockname()
        return address

    @property
    def clients(self) -> int:
        """Clients with a path of their own."""
        return len(self._clients)

    @property
    def lost(self) -> int:
        """Datagrams that chance has taken, in both directions."""
        directions = [d for client in self._clients.values() for d in (client.to_host, client.to_client)]
        return sum(direction.statistics.lost for direction in directions)

    async def __aenter__(self) -> Self:
        self._socket = _Socket(self._received)
        self._socket.sock.bind(self._listen)
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()
        if self._socket:
            self._socket.close()

    def deliver(self, datagram: bytes, client: Address) -> None:
        """Send what came out of a path to its client."""
        if self._socket:
            self._socket.send(datagram, client)

    def _received(self, data: bytes, address: Address, arrived: float) -> None:
        client = self._clients.get(address)
        if client is None:
            if len(self._clients) >= MAX_CLIENTS:
                self._clients.popitem(last=False)[1].close()
            client = self._clients[address] = _Client(self, address, f"{self._seed}:{self._number}")
            self._number += 1
        self._clients.move_to_end(address)
        client.to_host.enter(data, arrived)


def _parse() -> tuple[argparse.Namespace, Impairments]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host", help="ADDRESS:PORT of the host")
    parser.add_argument("--listen", type=int, default=0, help="port (0: any)")
    parser.add_argument("--seed", type=int, default=0)
    for field in fields(Impairments):
        name = field.name
        option = f"--{name[:-2]}-ms" if name.endswith("_s") else f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=float, default=None, dest=name)
    arguments = parser.parse_args()
    given = {f.name: getattr(arguments, f.name) for f in fields(Impairments) if getattr(arguments, f.name) is not None}
    scaled = {name: value / 1000 if name.endswith("_s") else value for name, value in given.items()}
    whole = {
        name: int(value) if name in ("rate_kbps", "queue_bytes", "mtu") else value for name, value in scaled.items()
    }
    return arguments, Impairments(**whole)


async def _main() -> None:
    arguments, impairments = _parse()
    address, _, port = arguments.host.rpartition(":")
    relay = UdpRelay(
        (address, int(port)), impairments, impairments, listen=("127.0.0.1", arguments.listen), seed=arguments.seed
    )
    async with relay:
        print(f"listening on {relay.address[0]}:{relay.address[1]}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_main())
