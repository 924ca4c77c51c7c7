"""Every punktfunk/1 decoder, on both sides, with mutated and random bytes: a value or ``MalformedError``, no more."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from tests.wire.native_table import CONTROL, FROM_CLIENT, FROM_HOST, HELLOS, STARTS, WELCOMES

from punktfunk.wire.punktfunk1.clipstream import FetchReader, TransferReader, encode_fetch, encode_fetch_header
from punktfunk.wire.punktfunk1.control import decode_control, encode_control
from punktfunk.wire.punktfunk1.datagrams import UnknownDatagram, decode_from_client, decode_from_host, encode_datagram
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.extension import decode_extensions, encode_extensions
from punktfunk.wire.punktfunk1.framing import FrameDecoder, encode_frame
from punktfunk.wire.punktfunk1.hello import decode_hello, encode_hello
from punktfunk.wire.punktfunk1.input_event import InputEvent
from punktfunk.wire.punktfunk1.messages import ClipFetch, ClipFetchHeader, Unknown
from punktfunk.wire.punktfunk1.pad_feedback import UnknownHidOutput
from punktfunk.wire.punktfunk1.pairing import PakeClient, PakeHost
from punktfunk.wire.punktfunk1.rich_input import UnknownRich
from punktfunk.wire.punktfunk1.welcome import decode_start, decode_welcome, encode_start, encode_welcome

ROUNDS = 4000

Codec = tuple[Callable[[bytes], Any], Callable[[Any], bytes], list[bytes]]

CODECS: dict[str, Codec] = {
    "control": (decode_control, encode_control, [raw for _, raw, _ in CONTROL]),
    "from client": (decode_from_client, encode_datagram, [raw for _, raw, _ in FROM_CLIENT]),
    "from host": (decode_from_host, encode_datagram, [raw for _, raw, _ in FROM_HOST]),
    "hello": (decode_hello, encode_hello, [raw for _, raw, _ in HELLOS]),
    "welcome": (decode_welcome, encode_welcome, [raw for _, raw, _ in WELCOMES]),
    "start": (decode_start, encode_start, [raw for _, raw, _ in STARTS] + [STARTS[0][1] + bytes(2)]),
    "extensions": (decode_extensions, encode_extensions, [bytes.fromhex("05000100010007"), bytes(2)]),
}


def mutate(rng: random.Random, seed: bytes) -> bytes:
    """A few changes: bits, bytes, cuts, insertions, lengths at their limits."""
    data = bytearray(seed)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if data:
                data[place % len(data)] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[place % len(data)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
            case 2:
                del data[place:]
            case 3:
                data[place:place] = rng.randbytes(rng.randrange(1, 40))
            case 4:
                data += rng.randbytes(rng.randrange(1, 200))
            case _:
                data[place : place + 4] = b"\xff" * 4
    return bytes(data)


def is_unknown(value: Any) -> bool:
    """Values that stand for something to ignore, which cannot be encoded."""
    nameless = isinstance(value, InputEvent) and value.kind is None
    return nameless or isinstance(value, (Unknown, UnknownDatagram, UnknownRich, UnknownHidOutput))


@pytest.mark.parametrize("name", CODECS)
def test_decoders_return_a_value_or_one_error(name: str) -> None:
    decode, encode, seeds = CODECS[name]
    rng = random.Random(name)
    values = 0
    for _ in range(ROUNDS):
        data = mutate(rng, rng.choice(seeds)) if rng.random() < 0.9 else rng.randbytes(rng.randrange(200))
        try:
            value = decode(data)
        except MalformedError:
            continue
        if not is_unknown(value):
            assert decode(encode(value)) == value
            values += 1
    assert values > ROUNDS // 100  # what decodes is rare, and never none


def test_framing_of_any_split_and_any_limit() -> None:
    rng = random.Random(11)
    for _ in range(300):
        payloads = [rng.randbytes(rng.randrange(300)) for _ in range(rng.randrange(8))]
        stream = b"".join(map(encode_frame, payloads))
        decoder, read, at = FrameDecoder(), [], 0
        while at < len(stream):
            step = rng.randint(1, 50)
            read += list(decoder.feed(stream[at : at + step]))
            at += step
        assert read == payloads
        assert decoder.buffered == 0
        small = FrameDecoder(limit=100)
        with suppress(MalformedError):
            for payload in small.feed(rng.randbytes(500)):
                assert len(payload) <= 100
        assert small.buffered <= 102


def test_clipboard_streams() -> None:
    rng = random.Random(12)
    fetch = encode_fetch(ClipFetch(7, "text/html"))
    header = encode_fetch_header(ClipFetchHeader(0, 20))
    for _ in range(ROUNDS // 4):
        data = mutate(rng, fetch)
        reader = FetchReader()
        with suppress(MalformedError):
            for start in range(0, len(data), 7):
                if reader.feed(data[start : start + 7]):
                    break
        transfer = TransferReader(0.0, limit=64)
        data = mutate(rng, header + bytes(20))
        with suppress(MalformedError):
            for start in range(0, len(data), 5):
                transfer.feed(data[start : start + 5], 1.0)
            assert len(transfer.finish()) <= 64


def test_pake_messages() -> None:
    rng = random.Random(13)
    for number in range(40):
        client, host = PakeClient("0042", bytes(32), bytes(32)), PakeHost("0042", bytes(32), bytes(32))
        whole = number % 4 == 0
        with suppress(MalformedError):
            host.receive(client.message if whole else mutate(rng, client.message))
            assert not host.verify_client(rng.randbytes(rng.choice((0, 31, 32, 33))))
        with suppress(MalformedError):
            client.receive(host.message if whole else mutate(rng, host.message))
            assert not client.verify_host(rng.randbytes(rng.choice((0, 31, 32, 33))))


TARGETS = (
    *(functools.partial(test_decoders_return_a_value_or_one_error, name) for name in CODECS),
    test_framing_of_any_split_and_any_limit,
    test_clipboard_streams,
    test_pake_messages,
)
