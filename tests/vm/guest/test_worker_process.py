"""A session's worker as a process of its own, without any right to devices: the supervisor opens them for it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from evdev import ecodes as e
from tests.vm.guest.clients import NativeClient
from tests.vm.guest.pad_session import eventually, expect_events, upload_rumble
from tests.vm.guest.real_pads import REAL
from tests.vm.guest.test_sixteen_pads import gamepad

from punktfunk.input.events import Feedback, InputEvent, PadKind, Rumbled
from punktfunk.input.gamepads.inputs import Button
from punktfunk.input.gamepads.nodes import device_nodes
from punktfunk.input.pad_hub import open_node
from punktfunk.session import messages as m
from punktfunk.session.link import Link, LinkClosed, link_pair

pytestmark = pytest.mark.vm

START_S = 90
"""An emulated processor takes its time to import everything."""
SESSION = ""
"""Of a worker that has not been told which it is."""
SCRIPT = """
import os, socket, sys
from punktfunk.session import messages as m
from punktfunk.session.link import Link
from punktfunk.session.worker import Worker
# The interpreter may be in a folder that only root can read; the real worker drops its rights as late.
os.setgroups([]), os.setgid(65534), os.setuid(65534)
sys.exit(Worker(Link(socket.socket(fileno=int(sys.argv[1])), m.ToWorker), None).run())
"""


class Supervisor:
    """The other end of the worker's link."""

    def __init__(self, link: Link[m.FromWorker, m.ToWorker]) -> None:
        self._link = link
        self.asked_for: list[str] = []
        self.feedback: list[Feedback] = []
        self.ready = threading.Event()
        threading.Thread(target=self._hear, daemon=True).start()

    def inject(self, event: InputEvent) -> None:
        self._link.send(m.InjectInput((event,)))

    def send(self, message: m.ToWorker) -> None:
        self._link.send(message)

    def _hear(self) -> None:
        while True:
            try:
                message, _ = self._link.receive()
            except LinkClosed:
                return
            if isinstance(message, m.Ready):
                self.ready.set()
            elif isinstance(message, m.NodeWanted):
                self.asked_for.append(message.node.value)
                node = open_node(message.node)
                self._link.send(m.NodeGranted(), (node,))
                os.close(node)
            elif isinstance(message, m.SendFeedback):
                self.feedback += message.feedback


@pytest.fixture
def worker() -> Iterator[tuple[Supervisor, subprocess.Popen[bytes]]]:
    ours, theirs = link_pair()
    command = [sys.executable, "-c", SCRIPT, str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        link: Link[m.FromWorker, m.ToWorker] = Link(ours, m.FromWorker)  # type: ignore[arg-type]
        yield Supervisor(link), process
        ours.shutdown(socket.SHUT_RDWR)
        ours.close()


@pytest.mark.parametrize(("kind", "node"), [(PadKind.DUALSENSE, "/dev/uhid"), (PadKind.XBOX_360, "/dev/uinput")])
def test_from_the_wire_to_the_game_and_back(
    worker: tuple[Supervisor, subprocess.Popen[bytes]], kind: PadKind, node: str
) -> None:
    supervisor, process = worker
    assert supervisor.ready.wait(START_S), "the worker did not start"
    client = NativeClient(supervisor.inject)
    client.arrive(kind)
    game = gamepad(SESSION, 0)
    assert supervisor.asked_for == [node]
    client.state(Button.A)
    eventually(lambda: game.active_keys() == [e.BTN_SOUTH])
    client.state()
    eventually(lambda: game.active_keys() == [])
    list(game.read())
    client.state(Button.X)
    expect_events(game, {(e.EV_KEY, REAL[kind].buttons[Button.X]): 1}, "X")
    game.write(e.EV_FF, upload_rumble(game.fd, 0xFFFF, 0, 0), 1)
    eventually(lambda: Rumbled(0, 0xFFFF, 0) in supervisor.feedback)
    supervisor.send(m.ReleaseInput())
    eventually(lambda: game.active_keys() == [], "what was held is not let go")
    supervisor.send(m.Stop())
    assert process.wait(START_S) == 0
    assert Rumbled(0, 0, 0) in supervisor.feedback
    eventually(lambda: not list(device_nodes(SESSION)), "the pad outlives its worker")
    game.close()
