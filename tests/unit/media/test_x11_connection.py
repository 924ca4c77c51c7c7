"""The connection against a server that is played by the test."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from punktfunk.media.x11 import connection as module
from punktfunk.media.x11.connection import (
    MAX_EVENTS,
    MAX_REPLY_BYTES,
    X11Connection,
    X11Error,
    X11Gone,
    X11Refused,
    request,
)

VENDOR = b"Some Vendor"
Script = Callable[[socket.socket], None]


def accepted() -> bytes:
    vendor = VENDOR + bytes(-len(VENDOR) % 4)
    facts = struct.pack("<IIIIHHBBBBBBBB4x", 1, 2, 3, 4, len(VENDOR), 65535, 1, 1, 0, 0, 32, 32, 8, 255)
    screen = struct.pack("<IIIIIHHHH", 77, 0, 0, 0, 0, 2560, 1440, 650, 366) + bytes(8)
    body = facts + vendor + bytes(8) + screen
    return struct.pack("<BBHHH", 1, 0, 11, 0, len(body) // 4) + body


def reply(sequence: int, detail: int = 0, body: bytes = bytes(24)) -> bytes:
    return struct.pack("<BBHI", 1, detail, sequence, (len(body) - 24) // 4) + body


def error(sequence: int, code: int) -> bytes:
    return struct.pack("<BBHIHB21x", 0, code, sequence, 0, 7, 140)


def event(kind: int, detail: int = 0) -> bytes:
    return struct.pack("<BB30x", kind, detail)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[Script], X11Connection]]:
    path = str(tmp_path / "X5")
    monkeypatch.setattr(module, "socket_paths", lambda number: (str(tmp_path / "none"), path))
    monkeypatch.setattr(module, "TIMEOUT_S", 0.3)
    threads: list[threading.Thread] = []
    failed: list[BaseException] = []

    def serve(script: Script) -> X11Connection:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()

        def run() -> None:
            with listener, listener.accept()[0] as sock:
                try:
                    script(sock)
                except BaseException as problem:  # noqa: BLE001 - told by the fixture
                    failed.append(problem)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return X11Connection(":5")

    yield serve
    for thread in threads:
        thread.join()
    assert not failed


def greet(sock: socket.socket) -> None:
    assert sock.recv(12) == struct.pack("<BxHHHH2x", ord("l"), 11, 0, 0, 0)
    sock.sendall(accepted())


def wait_for_the_end(sock: socket.socket) -> None:
    while sock.recv(64):
        pass


def test_the_beginning_is_read(server: Callable[[Script], X11Connection]) -> None:
    with server(greet) as x:
        facts = x.facts
    assert (facts.vendor, facts.root) == (VENDOR.decode(), 77)
    assert (facts.width, facts.height, facts.width_mm, facts.height_mm) == (2560, 1440, 650, 366)
    assert (facts.first_keycode, facts.last_keycode) == (8, 255)


def test_a_refusal_names_the_reason(server: Callable[[Script], X11Connection]) -> None:
    def refuse(sock: socket.socket) -> None:
        sock.recv(12)
        reason = b"No protocol specified\n"
        sock.sendall(struct.pack("<BBHHH", 0, len(reason), 11, 0, 6) + reason + bytes(2))

    with pytest.raises(X11Refused, match=r"does not let this user in: No protocol specified$"):
        server(refuse)


def test_replies_are_told_from_events_and_late_errors(server: Callable[[Script], X11Connection]) -> None:
    def script(sock: socket.socket) -> None:
        greet(sock)
        sock.recv(8, socket.MSG_WAITALL)  # a request without reply and one with
        sock.sendall(event(34) + error(1, 2) + reply(2, 5, bytes(range(32))))
        wait_for_the_end(sock)

    with server(script) as x:
        x.send(request(1, 0))
        answer = x.call(request(2, 0))
        assert (answer[1], answer[8:]) == (5, bytes(range(32)))
        assert x.next_event(0.1) == event(34)
        assert x.next_event(0.01) is None


def test_what_is_refused_raises_where_it_was_asked(server: Callable[[Script], X11Connection]) -> None:
    def script(sock: socket.socket) -> None:
        greet(sock)
        sock.recv(8, socket.MSG_WAITALL)
        sock.sendall(error(1, 15) + reply(2))
        sock.recv(4)
        sock.sendall(error(3, 8))

    with server(script) as x:
        with pytest.raises(X11Error, match=r"request 140\.7: Name"):
            x.checked(request(140, 7))
        with pytest.raises(X11Error, match="Match"):
            x.call(request(140, 7))


def test_a_server_that_ends_is_gone(server: Callable[[Script], X11Connection]) -> None:
    with server(greet) as x, pytest.raises(X11Gone, match="of :5 has gone"):
        x.call(request(1, 0))


def test_a_server_that_hangs_is_gone(server: Callable[[Script], X11Connection]) -> None:
    def script(sock: socket.socket) -> None:
        greet(sock)
        wait_for_the_end(sock)

    with server(script) as x, pytest.raises(X11Gone, match="does not answer"):
        x.call(request(1, 0))


def test_an_endless_reply_is_not_waited_for(server: Callable[[Script], X11Connection]) -> None:
    def script(sock: socket.socket) -> None:
        greet(sock)
        sock.recv(4)
        sock.sendall(struct.pack("<BBHI24x", 1, 0, 1, MAX_REPLY_BYTES // 4 + 1))

    with server(script) as x, pytest.raises(X11Gone, match=r"answers with \d+ bytes"):
        x.call(request(1, 0))


def test_a_flood_of_events_keeps_the_newest(server: Callable[[Script], X11Connection]) -> None:
    def script(sock: socket.socket) -> None:
        greet(sock)
        sock.recv(4)
        sock.sendall(b"".join(event(34, number % 256) for number in range(3 * MAX_EVENTS)) + reply(1))
        wait_for_the_end(sock)

    with server(script) as x:
        x.call(request(1, 0))
        first = x.next_event(0)
        assert first is not None
        assert first[1] == (2 * MAX_EVENTS) % 256
        assert sum(1 for _ in iter(lambda: x.next_event(0.001), None)) == MAX_EVENTS - 1


def test_closing_wakes_who_waits(server: Callable[[Script], X11Connection]) -> None:
    def script(sock: socket.socket) -> None:
        greet(sock)
        wait_for_the_end(sock)

    x = server(script)
    timer = threading.Timer(0.05, x.close)
    timer.start()
    with pytest.raises(X11Gone):
        x.next_event(None)
    timer.join()


def test_no_server_is_said_with_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "socket_paths", lambda number: (str(tmp_path / "none"),))
    with pytest.raises(X11Gone, match="no X server answers for :5: No such file"):
        X11Connection(":5")
    with pytest.raises(X11Error, match="no X11 display of this machine"):
        X11Connection("host:5")
