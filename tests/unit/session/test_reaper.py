"""The reaper as a script, spoken to over its control socket."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from punktfunk.session import reaper

Start = Callable[[], tuple[subprocess.Popen[bytes], socket.socket]]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[tuple[subprocess.Popen[bytes], socket.socket]] = []

    def spawn() -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair()
        ours.settimeout(10)
        argv = [sys.executable, "-I", "-S", reaper.__file__, str(theirs.fileno())]
        process = subprocess.Popen(argv, env={}, pass_fds=[theirs.fileno()], start_new_session=True)
        theirs.close()
        started.append((process, ours))
        return process, ours

    yield spawn
    for process, ours in started:
        ours.close()
        process.wait(10)


def spec(*argv: str) -> bytes:
    return json.dumps(
        {
            "argv": argv,
            "env": {"PATH": "/bin:/usr/bin"},
            "cwd": None,
            "user": None,
            "fds": [],
            "realtime": False,
            "cgroup": "",
        }
    ).encode()


def lines(control: socket.socket) -> list[str]:
    data = b""
    while chunk := control.recv(4096):
        data += chunk
    return data.decode().splitlines()


def test_end_of_file_before_the_order_ends_it(start: Start) -> None:
    process, control = start()
    control.close()
    assert process.wait(10) == 0


def test_reports_start_exit_and_that_nothing_is_left(start: Start) -> None:
    _, control = start()
    control.sendall(spec("sh", "-c", "exit 5") + b"\n")
    started, *rest = lines(control)
    assert started.startswith("started ")
    assert rest == ["exited 5", "left 0"]


def test_reports_what_failed(start: Start) -> None:
    _, control = start()
    control.sendall(spec("/does/not/exist") + b"\n")
    assert lines(control) == ["failed 2 run"]


@pytest.mark.parametrize("order", [b"stop 0.1\n", b"stop\n", b"\xff\xfe junk\n"])
def test_any_order_stops(start: Start, order: bytes) -> None:
    _, control = start()
    control.sendall(spec("sleep", "1000") + b"\n")
    assert control.recv(4096).startswith(b"started ")
    control.sendall(order)
    assert lines(control) == ["exited -15", "left 0"]


def test_descendants_are_found_across_generations() -> None:
    process = subprocess.Popen(["sh", "-c", "sh -c 'sleep 1000 & echo; wait' & wait"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    below = reaper.descendants(process.pid)
    found = reaper.descendants(os.getpid())
    assert len(below) >= 1
    assert {process.pid, *below} <= set(found)
    for pid in (process.pid, *below):
        os.kill(pid, 9)
    process.wait()
    process.stdout.close()
