from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from punktfunk.media.displays.sway_ipc import SwayControl, SwayError, timer_mhz
from punktfunk.media.plan import Mode

HEADER = struct.Struct("=6sII")


class FakeSway:
    """Answers each connection with the next of ``replies`` and notes what was asked."""

    def __init__(self, path: Path, replies: list[bytes]) -> None:
        self.asked: list[tuple[int, str]] = []
        self._replies = replies
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for reply in self._replies:
            connection, _ = self._listener.accept()
            with connection:
                _, length, kind = HEADER.unpack(connection.recv(HEADER.size))
                self.asked.append((kind, connection.recv(length).decode() if length else ""))
                connection.sendall(reply)

    def close(self) -> None:
        self._thread.join(5)
        self._listener.close()


def answer(value: object) -> bytes:
    data = json.dumps(value).encode()
    return HEADER.pack(b"i3-ipc", len(data), 0) + data


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    return tmp_path / "s"


def test_setting_a_mode_tunes_the_timer(path: Path) -> None:
    sway = FakeSway(path, [answer({"major": 1, "minor": 7}), answer([{"success": True}])])
    SwayControl(str(path)).set_mode(Mode(1280, 720, 60_000))
    sway.close()
    assert sway.asked == [(7, ""), (0, "output * mode --custom 1280x720@66.666Hz")]


def test_a_refused_command_is_an_error_with_its_reason(path: Path) -> None:
    sway = FakeSway(path, [answer([{"success": False, "error": "no such output"}])])
    with pytest.raises(SwayError, match="no such output"):
        SwayControl(str(path)).run("output x")
    sway.close()


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"i3-ipc",
        b"garbage garbage garbage",
        HEADER.pack(b"i3-ipc", 2**31, 0),
        HEADER.pack(b"i3-ipc", 2, 0) + b"][",
    ],
)
def test_nonsense_is_an_error(path: Path, reply: bytes) -> None:
    sway = FakeSway(path, [reply])
    with pytest.raises(SwayError):
        SwayControl(str(path)).run("nop")
    sway.close()


def test_no_compositor_is_an_error(path: Path) -> None:
    with pytest.raises(SwayError, match="does not answer"):
        SwayControl(str(path)).run("nop")


@pytest.mark.parametrize(
    "refresh_mhz", [1_000, 23_976, 30_000, 59_940, 60_000, 90_000, 120_000, 144_000, 240_000, 480_000]
)
@pytest.mark.parametrize("size", [(640, 480), (1920, 1080), (7680, 4320)])
def test_the_timer_is_never_slower_than_the_mode(refresh_mhz: int, size: tuple[int, int]) -> None:
    mode = Mode(*size, refresh_mhz)
    assert refresh_mhz <= timer_mhz(mode, (1, 7)) <= 1_000_000
    assert timer_mhz(mode, (1, 12)) == refresh_mhz
