"""Wayland's bytes: known answers, what comes in pieces, and what cannot be."""

from __future__ import annotations

import random
import struct

import pytest

from punktfunk.media.displays.kwin.fake_input import FakeInput
from punktfunk.media.wayland.client import MAX_GLOBALS, MAX_OBJECTS, WaylandClient
from punktfunk.media.wayland.wire import (
    MAX_STRING_BYTES,
    Arguments,
    Message,
    MessageStream,
    WaylandError,
    fixed,
    message,
    sint,
    string,
    uint,
)

TABLE = [
    ("uint", uint(7), b"\x07\0\0\0", 7),
    ("sint", sint(-2), b"\xfe\xff\xff\xff", -2),
    ("fixed", fixed(1.5), b"\x80\x01\0\0", 1.5),
    ("fixed", fixed(-0.25), b"\xc0\xff\xff\xff", -0.25),
    ("string", string("abc"), b"\x04\0\0\0abc\0", "abc"),
    ("string", string("abcd"), b"\x05\0\0\0abcd\0\0\0\0", "abcd"),
    ("string", string(""), b"\x01\0\0\0\0\0\0\0", ""),
]


@pytest.mark.parametrize(("kind", "made", "data", "value"), TABLE)
def test_arguments(kind: str, made: bytes, data: bytes, value: object) -> None:
    assert made == data
    assert getattr(Arguments(data), kind)() == value


def test_a_message_is_target_length_and_opcode_and_body() -> None:
    data = message(3, 1, uint(9), string("hi"))
    assert data == struct.pack("=IIII", 3, (20 << 16) | 1, 9, 3) + b"hi\0\0"
    assert list(MessageStream().feed(data)) == [Message(3, 1, data[8:])]


def test_messages_come_in_any_pieces() -> None:
    data = b"".join(message(n, n % 7, bytes(4 * (n % 5))) for n in range(1, 60))
    whole = list(MessageStream().feed(data))
    for seed in range(50):
        dice, stream, rest, got = random.Random(seed), MessageStream(), data, []
        while rest:
            size = dice.randint(1, 40)
            got += stream.feed(rest[:size])
            rest = rest[size:]
        assert got == whole


@pytest.mark.parametrize("length", [0, 4, 9, 10])
def test_lengths_that_cannot_be(length: int) -> None:
    with pytest.raises(WaylandError):
        list(MessageStream().feed(struct.pack("=II", 1, length << 16)))


@pytest.mark.parametrize("body", [b"", b"\x05\0\0\0abc", struct.pack("=I", MAX_STRING_BYTES + 2) + bytes(8192)])
def test_arguments_that_are_not_there(body: bytes) -> None:
    with pytest.raises(WaylandError):
        Arguments(body).string()


def test_strings_are_bounded() -> None:
    for text in ("a\0b", "x" * (MAX_STRING_BYTES + 1)):
        with pytest.raises(ValueError, match="no string"):
            string(text)


def test_numbers_that_do_not_fit_become_the_nearest() -> None:
    assert fixed(1e12) == b"\xff\xff\xff\x7f"
    assert Arguments(fixed(-1e12)).fixed() < -8_000_000


def announce(name: int, interface: str, version: int) -> bytes:
    return message(2, 0, uint(name), string(interface), uint(version))


def test_globals_come_and_go() -> None:
    client, came, went = WaylandClient(), [], []
    client.on_global.append(came.append)
    client.on_gone.append(went.append)
    client.receive(announce(4, "wl_seat", 8) + announce(5, "wl_output", 4))
    client.receive(message(2, 1, uint(4)) + message(2, 1, uint(99)))
    assert [found.interface for found in came] == ["wl_seat", "wl_output"]
    assert [found.interface for found in went] == ["wl_seat"]
    assert client.find("wl_seat") is None


def test_requests_of_a_client() -> None:
    client = WaylandClient()
    client.receive(announce(4, "org_kde_kwin_fake_input", 5))
    assert client.outgoing == message(1, 1, uint(2))
    client.outgoing.clear()
    fake = FakeInput(client, "me", "typing")
    fake.key(30, True)
    fake.move_to(10.5, 20)
    assert bytes(client.outgoing) == (
        message(2, 0, uint(4), string("org_kde_kwin_fake_input"), uint(5), uint(3))
        + message(3, 0, string("me"), string("typing"))
        + message(3, 10, uint(30), uint(1))
        + message(3, 9, fixed(10.5), fixed(20))
    )


def test_numbers_are_free_again_once_the_compositor_says_so() -> None:
    client, done = WaylandClient(), []
    client.sync(lambda: done.append(1))
    client.receive(message(3, 0, uint(1)) + message(1, 1, uint(3)))
    assert done == [1]
    assert client.add(lambda *_: None) == 3


@pytest.mark.parametrize(
    "data",
    [
        message(1, 0, uint(3), uint(2), string("bad request")),
        message(1, 1, uint(2)),
        message(1, 1, uint(77)),
        message(500, 0),
        message(2, 0, uint(1)),
    ],
)
def test_what_ends_a_connection(data: bytes) -> None:
    with pytest.raises(WaylandError):
        WaylandClient().receive(data)


def test_events_of_the_compositors_own_objects_are_passed_over() -> None:
    WaylandClient().receive(message(0xFF000001, 3, uint(1)))


def test_floods_are_bounded() -> None:
    client = WaylandClient()
    with pytest.raises(WaylandError, match="globals"):
        client.receive(b"".join(announce(n, "wl_output", 1) for n in range(MAX_GLOBALS + 1)))
    client = WaylandClient()
    for _ in range(MAX_OBJECTS - 2):
        client.add(lambda *_: None)
    with pytest.raises(WaylandError, match="objects"):
        client.add(lambda *_: None)


def test_noise_ends_in_one_kind_of_error() -> None:
    good = announce(4, "wl_seat", 8) + message(1, 1, uint(3)) + message(1, 0, uint(1), uint(1), string("x"))
    for seed in range(2000):
        dice, client = random.Random(seed), WaylandClient()
        data = bytearray(good if seed % 2 else dice.randbytes(64))
        for _ in range(dice.randint(1, 6)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            client.receive(bytes(data))
        except WaylandError:
            continue
