"""What one core takes of the control stream: datagrams a second through ENet, decryption and decoding, and junk.

Run as a program: ``python tests/bench/control_input.py``. Encoding the client's side is not counted.
"""

from __future__ import annotations

import os
import random
import struct
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from punktfunk.gamestream.control_session import ControlSession
from punktfunk.gamestream.enet import Connected, EnetHost, Received

KEY = bytes(range(16))
HOME = ("192.0.2.1", 5000)
ELSEWHERE = ("198.51.100.1", 6000)
COUNT = 50_000
CONNECT = struct.pack(
    ">HHBBHHBBIIIIIIII4sI", 0x8FFF, 0, 0x82, 0xFF, 1, 0, 255, 255, 900, 65536, 48, 0, 0, 5000, 2, 2, b"none", 7
)
VERIFIED = struct.pack(">HBBHHH", 0, 1, 0xFF, 1, 1, 0)


def envelope(number: int) -> bytes:
    """A relative mouse movement as clients send it."""
    inner = struct.pack("<HH", 0x0206, 12) + struct.pack(">I", 8) + struct.pack("<I", 7) + struct.pack(">hh", 1, 1)
    sealed = AESGCM(KEY).encrypt(struct.pack("<I6x2s", number, b"CC"), inner, None)
    return struct.pack("<HHI", 1, 4 + len(sealed), number) + sealed[-16:] + sealed[:-16]


def reliable(number: int) -> bytes:
    """The datagram of one mouse movement."""
    data = envelope(number)
    return struct.pack(">HHBBHH", 0x8000, number & 0xFFFF, 0x86, 3, number + 1 & 0xFFFF, len(data)) + data


def connected() -> tuple[EnetHost, ControlSession]:
    """A host with one client, ready for its messages."""
    session = ControlSession(KEY, v2=True, now_ms=0)
    host = EnetHost(8, accept=lambda data, _: data == 7, is_authentic=lambda _, data: session.is_authentic(data))
    host.receive(CONNECT, HOME, 0)
    host.datagrams_to_send(0)
    host.receive(VERIFIED, HOME, 0)
    assert isinstance(host.events()[0], Connected)
    return host, session


def measure(name: str, datagrams: list[bytes], take: Callable[[bytes, int], None]) -> None:
    """Print how many of the datagrams one core takes a second."""
    start = time.perf_counter()
    for number, datagram in enumerate(datagrams):
        take(datagram, number // 10)
    elapsed = time.perf_counter() - start
    print(f"{name:<44} {len(datagrams) / elapsed:>10,.0f} /s {elapsed / len(datagrams) * 1e6:>7.2f} us")


def input_path() -> None:
    """ENet, decryption, decoding, acknowledgement: one datagram at a time, as the event loop does."""
    host, session = connected()
    events = 0

    def take(datagram: bytes, now_ms: int) -> None:
        nonlocal events
        host.receive(datagram, HOME, now_ms)
        for event in host.events():
            assert isinstance(event, Received)
            events += len(session.received(event.data, now_ms))
        host.datagrams_to_send(now_ms)

    measure("mouse movement, decoded and acknowledged", [reliable(number) for number in range(COUNT)], take)
    assert events == COUNT


def junk_path() -> None:
    """Datagrams that are nobody's, by how far they get."""
    host, _ = connected()
    dice = random.Random(5)
    stranger = bytearray(CONNECT)
    stranger[-1] = 8
    junk = {
        "random bytes": ([dice.randbytes(60) for _ in range(COUNT)], ELSEWHERE),
        "probe": ([b"moonlight-ctest" + bytes(1025)] * COUNT, ELSEWHERE),
        "refused CONNECT": ([bytes(stranger)] * COUNT, ELSEWHERE),
        "forged message from elsewhere, bad tag": (
            [struct.pack(">HHBBHH", 0x8000, 0, 0x86, 3, 1, 40) + b"\1\0\x24\0\0\0\0\0" + bytes(32)] * COUNT,
            ELSEWHERE,
        ),
    }
    for name, (datagrams, address) in junk.items():

        def take(datagram: bytes, now_ms: int, address: tuple[str, int] = address) -> None:
            host.receive(datagram, address, now_ms)
            if host.next_timeout(now_ms) == now_ms:
                host.datagrams_to_send(now_ms)

        measure(name, datagrams, take)


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    input_path()
    junk_path()
