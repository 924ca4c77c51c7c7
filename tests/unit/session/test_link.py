import contextlib
import os
import socket
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.session.link import MAX_FDS, MAX_MESSAGE_BYTES, Link, LinkClosed, LinkError, link_pair


class Note(msgspec.Struct, frozen=True, tag=True):
    text: bytes


class Number(msgspec.Struct, frozen=True, tag=True):
    value: int


Message = Note | Number
Ends = tuple[Link[Message, Message], Link[Message, Message]]


@pytest.fixture
def ends() -> Iterator[Ends]:
    a, b = link_pair()
    pair = Link[Message, Message](a, Message), Link[Message, Message](b, Message)  # type: ignore[arg-type]
    yield pair
    for end in pair:
        end.close()


def test_messages_keep_their_bounds_and_order(ends: Ends) -> None:
    sent = [Note(b"x" * n) for n in (0, 1, 70_000)] + [Number(7)]
    for message in sent:
        ends[0].send(message)
    assert [ends[1].receive()[0] for _ in sent] == sent


def test_descriptors_travel_beside_a_message(ends: Ends) -> None:
    read, write = os.pipe()
    ends[0].send(Number(1), (write,))
    os.close(write)
    _, (received,) = ends[1].receive()
    os.write(received, b"hello")
    os.close(received)
    assert os.read(read, 10) == b"hello"
    assert os.read(read, 10) == b""
    os.close(read)


def test_over_the_bound_is_refused_before_sending(ends: Ends) -> None:
    with pytest.raises(LinkError, match="bound"):
        ends[0].send(Note(b"x" * MAX_MESSAGE_BYTES))
    with pytest.raises(LinkError, match="bound"):
        ends[0].send(Number(1), tuple(range(MAX_FDS + 1)))


def test_the_end_of_the_other_side_is_an_end_not_an_error(ends: Ends) -> None:
    ends[0].close()
    with pytest.raises(LinkClosed):
        ends[1].receive()
    with pytest.raises(LinkClosed):
        ends[1].send(Number(1))


def test_a_full_nonblocking_end_says_so_and_loses_nothing(ends: Ends) -> None:
    a, b = link_pair()
    a.setblocking(False)
    writer, reader = Link[Message, Message](a, Message), Link[Message, Message](b, Message)  # type: ignore[arg-type]
    sent = 0
    full = False
    while not full:
        try:
            writer.send(Number(sent))
            sent += 1
        except BlockingIOError:
            full = True
    assert sent
    assert [reader.receive()[0] for _ in range(sent)] == [Number(i) for i in range(sent)]
    writer.close()
    reader.close()


@given(st.binary(min_size=1, max_size=300))
def test_junk_ends_the_link_with_a_reason(junk: bytes) -> None:
    raw, sock = link_pair()
    link = Link[Message, Message](sock, Message)  # type: ignore[arg-type]
    raw.send(junk)
    with contextlib.suppress(LinkError):
        message, _ = link.receive()
        assert isinstance(message, Note | Number)
    raw.close()
    link.close()


def test_descriptors_beside_junk_are_closed() -> None:
    raw, sock = link_pair()
    link = Link[Message, Message](sock, Message)  # type: ignore[arg-type]
    read, write = os.pipe()
    socket.send_fds(raw, [b"\xc1junk"], [write])
    os.close(write)
    with pytest.raises(LinkError):
        link.receive()
    assert os.read(read, 1) == b""
    os.close(read)
    raw.close()
    link.close()
