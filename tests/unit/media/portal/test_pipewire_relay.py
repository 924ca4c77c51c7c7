from __future__ import annotations

import array
import os
import random
import socket
import struct

import pytest

from punktfunk.media.portal.pipewire_relay import MAX_MESSAGE_BYTES, WishNarrower, narrowed
from punktfunk.media.portal.relay import Relay, RelayError

SIZE, FRAMERATE, MAX_FRAMERATE = 0x20003, 0x20004, 0x20005
RECTANGLE, FRACTION = 10, 11
NONE, RANGE = 0, 1
WISH = ((1366, 768), (1, 1), (16384, 16384))
RATES = ((120_000, 1000), (1, 1), (120_000, 1000))


def choice(key: int, kind: int, values: tuple[tuple[int, int], ...], choice_kind: int = RANGE) -> bytes:
    """One property of a format, as SPA's documentation lays it out."""
    body = struct.pack("<4I", choice_kind, 0, 8, kind) + b"".join(struct.pack("<2I", *value) for value in values)
    return struct.pack("<4I", key, 0, len(body), 19) + body


def message(*properties: bytes, opcode: int = 2) -> bytes:
    payload = struct.pack("<2I", 0, 14) + b"".join(properties)
    return struct.pack("<4I", 2, opcode << 24 | len(payload), 7, 0) + payload


def test_what_is_wished_for_is_all_that_is_left() -> None:
    before = message(choice(SIZE, RECTANGLE, WISH), choice(MAX_FRAMERATE, FRACTION, RATES))
    after = message(choice(SIZE, RECTANGLE, WISH[:1] * 3), choice(MAX_FRAMERATE, FRACTION, RATES[:1] * 3))
    assert narrowed(before) == after


@pytest.mark.parametrize(
    "other",
    [
        choice(FRAMERATE, FRACTION, RATES),
        choice(SIZE, RECTANGLE, WISH, NONE),
        choice(SIZE, RECTANGLE, WISH[:2]),
        choice(SIZE, FRACTION, WISH),
        struct.pack("<4I", SIZE, 0, 8, RECTANGLE) + struct.pack("<2I", 640, 480),
    ],
    ids=["the plain rate", "a decided choice", "two values", "another type", "no choice"],
)
def test_everything_else_passes_as_it_is(other: bytes) -> None:
    assert narrowed(message(other)) == message(other)


def test_messages_come_out_whole_however_they_came_in() -> None:
    one = message(choice(SIZE, RECTANGLE, WISH))
    stream = one * 3
    narrower = WishNarrower()
    pieces = [narrower.feed(stream[at : at + 7]) for at in range(0, len(stream), 7)]
    assert b"".join(pieces) == narrowed(one) * 3
    assert {len(piece) % len(one) for piece in pieces} == {0}


def test_a_message_beyond_the_bound_ends_it() -> None:
    narrower = WishNarrower()
    with pytest.raises(RelayError):
        narrower.feed(struct.pack("<4I", 2, MAX_MESSAGE_BYTES, 0, 0))


def test_any_bytes_pass_with_their_length() -> None:
    generator = random.Random(3)
    real = message(choice(SIZE, RECTANGLE, WISH), choice(MAX_FRAMERATE, FRACTION, RATES))
    for _ in range(3000):
        data = bytearray(real[: generator.randrange(16, len(real) + 1)])
        for _ in range(4):
            data[generator.randrange(len(data))] = generator.choice((0, 1, 3, 8, 10, 19, 255))
        assert len(narrowed(bytes(data))) == len(data)


def receive(sock: socket.socket, size: int) -> tuple[bytes, list[int]]:
    data, fds = b"", array.array("i")
    while len(data) < size:
        part, ancillary, _, _ = sock.recvmsg(size, socket.CMSG_SPACE(64 * 4))
        assert part
        data += part
        for _, _, rights in ancillary:
            fds.frombytes(rights)
    return data, list(fds)


def test_bytes_and_descriptors_go_both_ways_and_the_end_too() -> None:
    daemon, ours = socket.socketpair()
    with daemon, socket.socket(fileno=Relay(ours, "relay", WishNarrower().feed).start()) as library:
        daemon.settimeout(5)
        library.settimeout(5)
        daemon.sendmsg([b"hello"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
        data, fds = receive(library, 5)
        assert data == b"hello"
        os.close(fds[0])
        one = message(choice(SIZE, RECTANGLE, WISH))
        # The descriptors come with the first half of the message that they belong to.
        library.sendmsg([one[:20]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 20))])
        library.sendmsg([one[20:]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 20))])
        data, fds = receive(daemon, len(one))
        assert data == narrowed(one)
        assert len(fds) == 40
        for fd in fds:
            os.close(fd)
        daemon.shutdown(socket.SHUT_RDWR)
        assert library.recv(1) == b""


def test_descriptors_without_a_message_are_handed_on_at_some_point() -> None:
    daemon, ours = socket.socketpair()
    before = len(os.listdir("/proc/self/fd"))
    with daemon, socket.socket(fileno=Relay(ours, "relay", WishNarrower().feed).start()) as library:
        library.settimeout(5)
        head = message(choice(SIZE, RECTANGLE, WISH))[:12]
        for byte in head:
            library.sendmsg([bytes([byte])], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 20))])
        library.shutdown(socket.SHUT_WR)
        daemon.settimeout(5)
        while daemon.recv(100):
            pass
    assert len(os.listdir("/proc/self/fd")) <= before
