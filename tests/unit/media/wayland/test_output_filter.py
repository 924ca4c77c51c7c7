from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from punktfunk.media.wayland.output_filter import MAX_CONNECTIONS, FilteredDisplay, OutputFilter
from punktfunk.media.wayland.wire import WaylandError, message, string, uint

Dial = Callable[[], socket.socket]


def build(target: int, opcode: int, *arguments: int | str) -> bytes:
    return message(target, opcode, *(uint(each) if isinstance(each, int) else string(each) for each in arguments))


REGISTRY, SEAT, OUTPUT, MANAGER, POINTER = 2, 3, 4, 5, 6
POINTERS = "zwlr_virtual_pointer_manager_v1"
GET_REGISTRY = build(1, 1, REGISTRY)


def announce(number: int, interface: str, version: int = 4) -> bytes:
    return build(REGISTRY, 0, number, interface, version)


def bind(number: int, interface: str, version: int, new_id: int) -> bytes:
    return build(REGISTRY, 0, number, interface, version, new_id)


@pytest.fixture
def filtered() -> OutputFilter:
    made = OutputFilter(output=39)
    assert made.from_client(GET_REGISTRY) == GET_REGISTRY
    return made


def test_one_output_is_left_and_nobody_to_ask_for_modes(filtered: OutputFilter) -> None:
    shown = [announce(36, "wl_seat", 7), announce(39, "wl_output"), announce(23, "zwlr_screencopy_manager_v1", 3)]
    hidden = [announce(38, "wl_output"), announce(40, "wl_output"), announce(17, "zwlr_output_manager_v1", 2)]
    data = b"".join(part for pair in zip(shown, hidden, strict=True) for part in pair)
    assert filtered.from_server(data) == b"".join(shown)


def test_what_was_hidden_goes_unseen(filtered: OutputFilter) -> None:
    filtered.from_server(announce(38, "wl_output") + announce(39, "wl_output"))
    gone = [build(REGISTRY, 1, number) for number in (38, 39, 36)]
    assert filtered.from_server(b"".join(gone)) == gone[1] + gone[2]


def test_other_objects_events_are_not_looked_into(filtered: OutputFilter) -> None:
    data = build(9, 0, 38, "wl_output", 4) + build(1, 1, 7)
    assert filtered.from_server(data) == data


def test_a_pointer_belongs_to_the_output(filtered: OutputFilter) -> None:
    binds = bind(36, "wl_seat", 1, SEAT) + bind(39, "wl_output", 4, OUTPUT) + bind(33, POINTERS, 2, MANAGER)
    assert filtered.from_client(binds) == binds
    assert filtered.from_client(build(MANAGER, 0, SEAT, POINTER)) == build(MANAGER, 2, SEAT, OUTPUT, POINTER)


def test_objects_that_are_gone_mean_something_else_later(filtered: OutputFilter) -> None:
    filtered.from_client(bind(39, "wl_output", 4, OUTPUT) + bind(33, POINTERS, 2, MANAGER))
    filtered.from_client(build(OUTPUT, 0))
    plain = build(MANAGER, 0, SEAT, POINTER)
    assert filtered.from_client(plain) == plain
    filtered.from_client(bind(39, "wl_output", 4, OUTPUT) + build(MANAGER, 1))
    assert filtered.from_client(plain) == plain


def test_a_compositor_without_mapped_pointers_gets_plain_ones(filtered: OutputFilter) -> None:
    filtered.from_client(bind(39, "wl_output", 4, OUTPUT) + bind(33, POINTERS, 1, MANAGER))
    plain = build(MANAGER, 0, SEAT, POINTER)
    assert filtered.from_client(plain) == plain


def test_nonsense_ends_it(filtered: OutputFilter) -> None:
    with pytest.raises(WaylandError):
        filtered.from_client(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(WaylandError):
        OutputFilter(1).from_client(build(1, 1))


class Server:
    """A compositor that takes connections and notes nothing."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(5)
        self._opened: list[socket.socket] = []

    def accept(self) -> socket.socket:
        connection, _ = self._listener.accept()
        connection.settimeout(5)
        self._opened.append(connection)
        return connection

    def close(self) -> None:
        for each in (self._listener, *self._opened):
            each.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "wayland-1")
    yield made
    made.close()


@pytest.fixture
def display(tmp_path: Path, server: Server) -> Iterator[FilteredDisplay]:
    made = FilteredDisplay(str(tmp_path / "wayland-1"), 39, tmp_path)
    made.start()
    yield made
    made.close()
    made.close()
    assert not os.path.exists(made.path)


@pytest.fixture
def dial(display: FilteredDisplay) -> Iterator[Callable[[], socket.socket]]:
    opened = []

    def connect() -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        opened.append(client)
        client.settimeout(5)
        client.connect(display.path)
        return client

    yield connect
    for client in opened:
        client.close()


def test_bytes_and_descriptors_go_both_ways(dial: Dial, server: Server) -> None:
    client = dial()
    compositor = server.accept()
    client.sendall(GET_REGISTRY)
    assert compositor.recv(100) == GET_REGISTRY
    # Descriptors that come with the first half of a message are there before its second half.
    message = build(9, 0, "x" * 40, 1)
    read, write = os.pipe()
    socket.send_fds(client, [message[:13]], [read] * 20)
    socket.send_fds(client, [message[13:]], [read] * 20)
    os.close(read)
    data, got = b"", []
    while len(data) < len(message):
        part, descriptors, _, _ = socket.recv_fds(compositor, 4096, 64)
        data, got = data + part, got + list(descriptors)
    assert data == message
    assert len(got) == 40
    os.write(write, b"!")
    assert os.read(got[-1], 1) == b"!"
    for descriptor in (*got, write):
        os.close(descriptor)
    compositor.sendall(announce(38, "wl_output") + announce(39, "wl_output"))
    assert client.recv(100) == announce(39, "wl_output")
    compositor.close()
    assert client.recv(100) == b""
    client.close()


def test_a_client_that_goes_takes_its_connection_along(dial: Dial, server: Server) -> None:
    client = dial()
    compositor = server.accept()
    client.close()
    assert compositor.recv(100) == b""


def test_a_compositor_that_is_gone_refuses(dial: Dial, server: Server) -> None:
    server.close()
    assert dial().recv(100) == b""


def taken(client: socket.socket) -> bool:
    """Whether a connection lasts, and what is sent on it with it."""
    try:
        client.sendall(GET_REGISTRY)
        client.settimeout(0.2)
        client.recv(1)
    except TimeoutError:
        return True
    except OSError:
        pass
    return False


def test_there_is_a_most_of_connections(
    dial: Dial, display: FilteredDisplay, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "_places", threading.Semaphore(2))
    first, second = (dial(), server.accept()), (dial(), server.accept())
    assert dial().recv(100) == b""
    first[0].close()
    assert first[1].recv(100) == b""
    deadline = time.monotonic() + 5
    while not taken(dial()):  # the place is free a moment after the end of the connection was seen
        assert time.monotonic() < deadline
    assert server.accept().recv(100) == GET_REGISTRY
    second[0].close()


def test_the_capture_library_finds_places_enough() -> None:
    assert MAX_CONNECTIONS >= 2 * 4
