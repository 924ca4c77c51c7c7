"""The relay with real sockets on loopback."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.impair.path import Impairments
from tests.impair.relay import MAX_CLIENTS, Address, UdpRelay


@contextmanager
def echo_host() -> Iterator[Address]:
    """A socket that answers in capitals."""
    loop = asyncio.get_running_loop()
    with client() as sock:

        def answer() -> None:
            data, address = sock.recvfrom(100)
            sock.sendto(data.upper(), address)

        loop.add_reader(sock, answer)
        yield sock.getsockname()
        loop.remove_reader(sock)


def client() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


async def test_both_directions() -> None:
    loop = asyncio.get_running_loop()
    with echo_host() as address, client() as sock:
        async with UdpRelay(address, Impairments(delay_s=0.002), Impairments(duplicate=1.0)) as relay:
            await loop.sock_sendto(sock, b"hello", relay.address)
            replies = [await asyncio.wait_for(loop.sock_recv(sock, 100), 5) for _ in range(2)]
    assert replies == [b"HELLO", b"HELLO"]


async def test_clients_are_kept_apart_and_bounded() -> None:
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        address = stack.enter_context(echo_host())
        socks = [stack.enter_context(client()) for _ in range(MAX_CLIENTS + 4)]
        async with UdpRelay(address) as relay:
            for number, sock in enumerate(socks):
                await loop.sock_sendto(sock, f"c{number}".encode(), relay.address)
                assert await asyncio.wait_for(loop.sock_recv(sock, 100), 5) == f"C{number}".encode()
            assert relay.clients == MAX_CLIENTS


async def test_what_waited_for_the_relay_did_not_come_at_once() -> None:
    """Ten datagrams through a queue that holds three: they came slowly enough, and the relay read them all together."""
    loop = asyncio.get_running_loop()
    narrow = Impairments(rate_kbps=80, queue_bytes=300)
    with echo_host() as address, client() as sock:
        async with UdpRelay(address, narrow) as relay:
            for number in range(10):
                sock.sendto(bytes([ord("a") + number]) * 100, relay.address)
                time.sleep(0.02)  # noqa: ASYNC251 - the relay is not to run meanwhile
            replies = [await asyncio.wait_for(loop.sock_recv(sock, 100), 5) for _ in range(10)]
    assert [chr(reply[0]) for reply in replies] == list("ABCDEFGHIJ")
