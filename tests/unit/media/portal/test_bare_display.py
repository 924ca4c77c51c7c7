from __future__ import annotations

import contextlib
import random
import struct

import pytest

from punktfunk.media.plan import Mode
from punktfunk.media.portal.bare_display import MAX_MESSAGE_BYTES, MAX_OBJECTS, BareDisplay, DisplayConversation
from punktfunk.media.portal.local_server import Connection, ConversationError

SMALL, LARGE = Mode(1366, 768, 60_000), Mode(2560, 1440, 120_000)


class Client(Connection):
    """A client that keeps the events that it gets, as (object, opcode, arguments)."""

    def __init__(self) -> None:
        self.events: list[tuple[int, int, bytes]] = []

    def send(self, data: bytes, fds: tuple[int, ...] = ()) -> None:
        while data:
            target, word = struct.unpack_from("=II", data)
            self.events.append((target, word & 0xFFFF, data[8 : word >> 16]))
            data = data[word >> 16 :]


def request(target: int, opcode: int, arguments: bytes) -> bytes:
    return struct.pack("=II", target, (8 + len(arguments)) << 16 | opcode) + arguments


def string(text: bytes) -> bytes:
    return struct.pack("=I", len(text) + 1) + text + bytes(4 - len(text) % 4)


GET_REGISTRY = request(1, 1, struct.pack("=I", 2))
SYNC = request(1, 0, struct.pack("=I", 3))


def bind(number: int, interface: bytes, version: int, new_id: int) -> bytes:
    return request(2, 0, struct.pack("=I", number) + string(interface) + struct.pack("=II", version, new_id))


@pytest.fixture
def display() -> BareDisplay:
    return BareDisplay(SMALL)


def modes(client: Client, output: int) -> list[tuple[int, int, int]]:
    return [struct.unpack_from("=3i", data, 4) for target, code, data in client.events if (target, code) == (output, 1)]


def test_there_is_a_seat_and_an_output_and_nothing_that_captures(display: BareDisplay) -> None:
    client = Client()
    display.connect(client).receive(GET_REGISTRY + SYNC)
    names = [data[8:].split(b"\0")[0] for target, _, data in client.events if target == 2]
    assert names == [b"wl_seat", b"wl_output"]
    assert [event[:2] for event in client.events[-2:]] == [(3, 0), (1, 1)]


@pytest.mark.parametrize("version", [1, 2, 4])
def test_the_output_has_the_mode_and_follows_it(display: BareDisplay, version: int) -> None:
    client = Client()
    talk = display.connect(client)
    talk.receive(GET_REGISTRY + bind(1, b"wl_output", version, 4))
    assert modes(client, 4) == [(1366, 768, 60_000)]
    display.set_mode(LARGE)
    assert modes(client, 4) == [(1366, 768, 60_000), (2560, 1440, 120_000)]
    done = [code for target, code, _ in client.events if target == 4 and code == 2]
    assert len(done) == (2 if version >= 2 else 0)
    talk.ended()
    display.set_mode(SMALL)
    assert len(modes(client, 4)) == 2


def test_requests_may_come_in_pieces(display: BareDisplay) -> None:
    client = Client()
    talk = display.connect(client)
    for byte in GET_REGISTRY + bind(1, b"wl_output", 4, 4):
        talk.receive(bytes([byte]))
    assert modes(client, 4) == [(1366, 768, 60_000)]


def test_only_so_many_objects(display: BareDisplay) -> None:
    talk = display.connect(Client())
    for number in range(MAX_OBJECTS):
        talk.receive(request(1, 1, struct.pack("=I", 100 + number)))
    with pytest.raises(ConversationError):
        talk.receive(request(1, 1, struct.pack("=I", 99)))


@pytest.mark.parametrize("length", [0, 7, MAX_MESSAGE_BYTES + 1])
def test_a_request_of_an_impossible_length_ends_it(display: BareDisplay, length: int) -> None:
    with pytest.raises(ConversationError):
        display.connect(Client()).receive(struct.pack("=II", 1, length << 16))


def test_any_bytes_are_survived(display: BareDisplay) -> None:
    generator = random.Random(5)
    real = GET_REGISTRY + bind(1, b"wl_output", 4, 4) + SYNC
    for _ in range(3000):
        data = bytearray(real)
        for _ in range(generator.randrange(1, 8)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        talk: DisplayConversation = display.connect(Client())
        with contextlib.suppress(ConversationError):
            talk.receive(bytes(data))
        talk.ended()
