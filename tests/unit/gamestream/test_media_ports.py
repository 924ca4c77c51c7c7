import asyncio
import errno
import socket

import pytest

from punktfunk.gamestream.media_ports import MediaPorts, PingWaiter, find_waiter, normal_ip
from punktfunk.session.messages import Address

PAYLOAD = b"0F1E2D3C4B5A6978"
PING = PAYLOAD + (1).to_bytes(4, "big")


def waiter(ip: str = "192.0.2.7", *, legacy: bool = False, heard: list[Address] | None = None) -> PingWaiter:
    notes = [] if heard is None else heard
    return PingWaiter(PAYLOAD, ip, notes.append, notes.append, legacy)


def test_only_the_payload_from_the_authenticated_address_counts() -> None:
    mine = waiter()
    assert find_waiter((mine,), PING, "192.0.2.7") is mine
    assert find_waiter((mine,), PING, "192.0.2.8") is None
    assert find_waiter((mine,), b"X" + PING[1:], "192.0.2.7") is None
    assert find_waiter((mine,), PING[:19], "192.0.2.7") is None
    assert find_waiter((mine,), b"", "192.0.2.7") is None


def test_four_letters_count_only_where_they_are_expected() -> None:
    assert find_waiter((waiter(),), b"PING", "192.0.2.7") is None
    old = waiter(legacy=True)
    assert find_waiter((old,), b"PING", "192.0.2.7") is old
    assert find_waiter((old,), b"PINGX", "192.0.2.7") is None


@pytest.mark.parametrize(
    ("text", "plain"),
    [("::ffff:192.0.2.7", "192.0.2.7"), ("192.0.2.7", "192.0.2.7"), ("FE80::1%eth0", "fe80::1"), ("::1", "::1")],
)
def test_an_address_has_one_form(text: str, plain: str) -> None:
    assert normal_ip(text) == plain


def bound(ip: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((ip, 0))
    return sock


async def test_pings_teach_the_endpoint_and_junk_does_not() -> None:
    ports = MediaPorts("127.0.0.1", 0, 0)
    video: asyncio.Queue[Address] = asyncio.Queue()
    audio: asyncio.Queue[Address] = asyncio.Queue()
    ports.expect(PingWaiter(PAYLOAD, "127.0.0.1", video.put_nowait, audio.put_nowait))
    with bound("127.0.0.1") as client, bound("127.0.0.2") as other:
        for junk in (b"", b"moonlight-ctest".ljust(1040, b"\0"), PING[:10]):
            client.sendto(junk, ports.video.getsockname())
        other.sendto(PING, ports.video.getsockname())
        client.sendto(PING, ports.audio.getsockname())
        client.sendto(PING, ports.video.getsockname())
        async with asyncio.timeout(5):
            assert await video.get() == client.getsockname()
            assert await audio.get() == client.getsockname()
        assert video.empty()
    ports.close()


async def test_a_taken_port_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"UDP port {port}") as failure:
            MediaPorts("127.0.0.1", 0, port)
        assert failure.value.errno == errno.EADDRINUSE
