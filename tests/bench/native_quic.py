"""What the QUIC side of a punktfunk/1 session costs the supervisor: µs of its CPU per datagram, in both directions.

    python -m tests.bench.native_quic [--count 20000]

Host and client live in one process each; only the host's CPU time is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from punktfunk.client.endpoint import dial
from punktfunk.client.identity import new_identity
from punktfunk.native.endpoint import QuicEndpoint
from punktfunk.native.transport import QuicTransport
from punktfunk.trust.identity import load_native_identity
from punktfunk.wire.udp import bind_udp

RATE_HZ = 1000
SIZES = (60, 350, 1100)


class _Guest:
    """Counts what arrives."""

    def __init__(self, transport: QuicTransport) -> None:
        self.transport = transport
        self.received = 0
        self.is_open = asyncio.Event()

    def opened(self, fingerprint: bytes | None) -> None:
        self.is_open.set()

    def stream_data(self, stream: int, data: bytes, end: bool) -> None:
        pass

    def stream_reset(self, stream: int) -> None:
        pass

    def datagram(self, data: bytes) -> None:
        self.received += 1

    def lost(self, code: int) -> None:
        pass

    def path_changed(self, mtu: int) -> None:
        pass


def _client(port: int, count: int, pipe: Connection) -> None:
    asyncio.run(_run_client(port, count, pipe))


async def _run_client(port: int, count: int, pipe: Connection) -> None:
    endpoint = await dial("127.0.0.1", port, new_identity())
    heard = 0

    def on_datagram(data: bytes) -> None:
        nonlocal heard
        heard += 1

    endpoint.attach(lambda payload: None, on_datagram)
    for _ in SIZES:
        await asyncio.to_thread(pipe.recv)
        pipe.send(heard)
        heard = 0
    await asyncio.to_thread(pipe.recv)
    for start in range(0, count, 10):
        for _ in range(min(10, count - start)):
            endpoint.send_datagram(bytes(18))
        await asyncio.sleep(10 / RATE_HZ)
    pipe.send(None)
    await endpoint.shut()


async def _run_host(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        identity = load_native_identity(Path(folder))
    sock = bind_udp("127.0.0.1", 0)
    guests: list[_Guest] = []

    def accept(transport: QuicTransport) -> _Guest:
        guests.append(_Guest(transport))
        return guests[-1]

    endpoint = QuicEndpoint(sock, identity, accept)
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_client, args=(sock.getsockname()[1], count, theirs))
    process.start()
    while not guests:  # noqa: ASYNC110 - the endpoint makes them
        await asyncio.sleep(0.01)
    guest = guests[0]
    await guest.is_open.wait()
    for size in SIZES:
        begun = time.process_time()
        for start in range(0, count, 2):
            guest.transport.send_datagram(bytes(size))
            guest.transport.send_datagram(bytes(size))
            if start % 10 == 0:
                await asyncio.sleep(10 / RATE_HZ)
        await asyncio.sleep(0.2)
        spent = time.process_time() - begun
        ours.send(None)
        heard = await asyncio.to_thread(ours.recv)
        print(f"sent  {size:4} B: {spent / count * 1e6:6.1f} µs each with acknowledgements; {heard} of {count} arrived")
    begun = time.process_time()
    ours.send(None)
    await asyncio.to_thread(ours.recv)
    await asyncio.sleep(0.2)
    spent = time.process_time() - begun
    print(f"taken   18 B: {spent / count * 1e6:6.1f} µs each; {guest.received} of {count} arrived")
    await endpoint.close()
    process.join(5)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4000)
    asyncio.run(_run_host(parser.parse_args().count))


if __name__ == "__main__":
    main()
