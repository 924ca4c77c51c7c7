"""The data socket: only the client's own punch counts, and what happens without one."""

from __future__ import annotations

import asyncio
import socket

import pytest

from punktfunk.native.data_socket import DataSocket, NoDataPort, route_mtu
from punktfunk.wire.punktfunk1.video import PUNCH


def udp(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    return sock


async def test_the_first_punch_of_the_right_address_counts() -> None:
    data = DataSocket("", "127.0.0.1")
    stranger, client = udp("127.0.0.2"), udp("127.0.0.1")
    for sender, payload in ((stranger, PUNCH), (client, b"junk"), (client, b""), (client, PUNCH + b"and more")):
        sender.sendto(payload, ("127.0.0.1", data.port))
    assert await data.connect(1) == client.getsockname()
    assert data.path_mtu() is not None
    data.socket.send(b"picture")
    assert client.recv(16) == b"picture"
    stranger.sendto(PUNCH, ("127.0.0.1", data.port))
    await asyncio.sleep(0)
    with pytest.raises(BlockingIOError):
        data.socket.recv(16)
    for sock in (stranger, client):
        sock.close()
    data.close()


async def test_without_a_punch_the_port_of_start_is_used() -> None:
    data = DataSocket("127.0.0.1", "127.0.0.1")
    assert await data.connect(4711, timeout_s=0.01) == ("127.0.0.1", 4711)
    data.close()


def test_a_range_of_ports_is_used_up() -> None:
    first = DataSocket("127.0.0.1", "127.0.0.1")
    ports = range(first.port, first.port + 1)
    with pytest.raises(NoDataPort, match="no UDP port for video"):
        DataSocket("127.0.0.1", "127.0.0.1", ports)
    first.close()
    DataSocket("127.0.0.1", "127.0.0.1", ports).close()


def test_the_route_has_an_mtu() -> None:
    assert (route_mtu("127.0.0.1") or 0) >= 1500
