from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from punktfunk.media.plan import Mode
from punktfunk.media.wayland import client as wayland_client
from punktfunk.media.wayland import look as wayland_look
from punktfunk.media.wayland.look import LookError, Output, look
from punktfunk.media.wayland.wire import Arguments, Message, MessageStream, message, string, uint


def build(target: int, opcode: int, *arguments: int | str) -> bytes:
    return message(target, opcode, *(uint(each) if isinstance(each, int) else string(each) for each in arguments))


KEYMAP = 'xkb_keymap { xkb_symbols "x" {}; };'
ANNOUNCED = ((1, "wl_shm", 1), (36, "wl_seat", 7), (38, "wl_output", 4), (39, "wl_output", 4))


class Compositor:
    """Answers one connection as sway 1.7 was seen to."""

    def __init__(self, path: Path, announced: tuple[tuple[int, str, int], ...] = ANNOUNCED, capabilities: int = 3):
        self.announced, self.capabilities = announced, capabilities
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._bound: dict[int, int] = {}
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        stream = MessageStream()
        # A client that has heard enough just goes.
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(4096):
                for request in stream.feed(data):
                    self._answer(connection, request)

    def _answer(self, connection: socket.socket, request: Message) -> None:
        arguments = Arguments(request.body)
        if request.target == 1 and request.opcode == 1:
            connection.sendall(b"".join(build(2, 0, *entry) for entry in self.announced))
        elif request.target == 1:
            connection.sendall(build(arguments.uint(), 0, 1))
        elif request.target == 2:
            number, interface, _, new_id = (
                arguments.uint(),
                arguments.string(),
                arguments.uint(),
                arguments.uint(),
            )
            if interface == "wl_seat":
                connection.sendall(build(new_id, 0, self.capabilities))
            else:
                side = number * 10
                connection.sendall(
                    build(new_id, 0, 0, 0, 0, 0, 0, "make", "model", 0)
                    + build(new_id, 1, 1, side, side, 59_951)
                    + build(new_id, 1, 0, 640, 480, 60_000)
                    + build(new_id, 4, f"HEADLESS-{number - 37}")
                    + build(new_id, 2)
                )
        else:
            file = os.memfd_create("keymap")
            os.write(file, KEYMAP.encode() + b"\0")
            socket.send_fds(connection, [build(arguments.uint(), 0, 1, len(KEYMAP) + 1)], [file])
            os.close(file)


@pytest.fixture
def compositor(tmp_path: Path) -> Iterator[Callable[..., str]]:
    made: list[Compositor] = []

    def make(**how: object) -> str:
        made.append(Compositor(tmp_path / "w", **how))  # type: ignore[arg-type]
        return str(tmp_path / "w")

    yield make
    for each in made:
        each.close()


def test_outputs_protocols_keymap_and_process(compositor: Callable[..., str]) -> None:
    found = look(compositor())
    assert found.outputs == (
        Output(38, "HEADLESS-1", Mode(380, 380, 59_951)),
        Output(39, "HEADLESS-2", Mode(390, 390, 59_951)),
    )
    assert found.interfaces == {"wl_shm", "wl_seat", "wl_output"}
    assert found.keymap == KEYMAP
    assert found.output("HEADLESS-2") == found.outputs[1]
    assert found.output("HDMI-A-1") is None
    assert found.output("") is None, "which of the two?"


def test_a_seat_without_a_keyboard_is_not_asked_for_one(compositor: Callable[..., str]) -> None:
    found = look(compositor(capabilities=1, announced=ANNOUNCED[:3]))
    assert found.keymap == ""
    assert found.output("") == found.outputs[0]


def test_there_is_a_most_of_outputs(compositor: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wayland_look, "MAX_OUTPUTS", 10)
    assert len(look(compositor(announced=tuple((number, "wl_output", 4) for number in range(38, 138)))).outputs) == 10


def test_a_compositor_that_announces_without_end_is_none(
    compositor: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wayland_client, "MAX_GLOBALS", 100)
    with pytest.raises(LookError, match="too many globals"):
        look(compositor(announced=tuple((number, "wl_shm", 1) for number in range(200))))


def test_a_keymap_that_is_too_long_is_none(compositor: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wayland_look, "MAX_KEYMAP_BYTES", 10)
    assert look(compositor()).keymap == ""


def test_nobody_there_and_nobody_who_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LookError, match="no Wayland compositor answers"):
        look(str(tmp_path / "nothing"))
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        with pytest.raises(LookError, match="no answer within"):
            look(str(tmp_path / "silent"))


def test_somebody_who_speaks_otherwise(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "other"))
        other.listen()

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                while connection.recv(100):
                    pass

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(LookError, match="a message of"):
            look(str(tmp_path / "other"))
        answering.join(5)
