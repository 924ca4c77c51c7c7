"""A session with one pad in the guest: a client on one side, a game on the other."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import evdev
from evdev import ecodes as e

from punktfunk.input.events import Feedback, InputEvent, PadKind, PadState
from punktfunk.input.gamepads.nodes import pad_folders, pad_phys
from punktfunk.input.pad_hub import PadHub, open_node

if TYPE_CHECKING:
    from tests.vm.guest.clients import Client

PATIENCE_S = 10.0
SESSION = "vm"
KERNEL = tuple(int(part) for part in os.uname().release.split(".")[:2])
KNOWS_THE_DECK = KERNEL >= (6, 3)
STEAM_FF = os.uname().release.endswith("-uml")
"""Debian builds hid-steam without force feedback; the harness's own kernel has it."""
_EVIOCSFF = 1 << 30 | 48 << 16 | ord("E") << 8 | 0x80
_EVIOCRMFF = 1 << 30 | 4 << 16 | ord("E") << 8 | 0x81


def eventually(condition: Callable[[], Any], what: str = "it did not happen", patience_s: float = PATIENCE_S) -> Any:
    """The condition's first true value."""
    deadline = time.monotonic() + patience_s
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


class PadSession:
    """A hub with one pad of a kind, its client, its feedback, and its nodes.

    Where the client's protocol cannot say the kind, the host's setting does.
    """

    def __init__(self, kind: PadKind, client: Callable[[Callable[[InputEvent], None]], Client]) -> None:
        self.kind = kind
        self.feedback: list[Feedback] = []
        self.client = client(self.handle)
        self.further_clients: list[Client] = []
        """They hear what comes back, too."""
        self._lock = threading.Lock()
        setting = PadKind.AUTO if self.client.declares(kind) else kind
        self.hub = PadHub(open_node, self._collect, session=SESSION, setting=setting)
        self.client.arrive(kind)
        assert self.hub.kinds() == {0: kind}
        self._games: dict[str, evdev.InputDevice[str]] = {}

    def _collect(self, feedback: Feedback) -> None:
        with self._lock:
            self.feedback.append(feedback)
            for client in (self.client, *self.further_clients):
                client.feedback(feedback)

    def close(self) -> None:
        for game in self._games.values():
            game.close()
        self.hub.close()

    def handle(self, event: InputEvent) -> None:
        self.hub.handle(event)

    def folders(self) -> list[Path]:
        return pad_folders(pad_phys(SESSION, 0))

    def hid_folder(self) -> Path:
        """Of a UHID pad."""
        found: Path = eventually(lambda: next((each for each in self.folders() if (each / "driver").exists()), None))
        return found

    def names(self) -> set[str]:
        return {(each / "name").read_text().strip() for each in self._inputs()}

    def _inputs(self) -> list[Path]:
        return [
            each
            for folder in self.folders()
            for each in (folder, *folder.glob("input/input*"))
            if (each / "name").exists()
        ]

    def node(self, name: str) -> evdev.InputDevice[str]:
        """A game's view of the input device with this name."""
        if name not in self._games:
            path = eventually(lambda: self._event_path(name), f"no {name!r} among {self.names()}")
            eventually(lambda: os.path.exists(path))
            self._games[name] = evdev.InputDevice(path)
        return self._games[name]

    def _event_path(self, name: str) -> str | None:
        for each in self._inputs():
            if (each / "name").read_text().strip() == name:
                return next((f"/dev/input/{node.name}" for node in each.glob("event*")), None)
        return None

    def raw_path(self) -> str:
        """The hidraw node; hid-steam makes it on a second HID device with the same place."""
        found = eventually(lambda: [each for folder in self.folders() for each in folder.glob("hidraw/hidraw*")])
        path = f"/dev/{found[0].name}"
        eventually(lambda: os.path.exists(path))
        return path

    def only_key(self, device: evdev.InputDevice[str], code: int) -> None:
        """Waits until this key is down and no other."""
        eventually(lambda: device.active_keys() == [code], f"{device.active_keys()}, expected {code:#x}")

    def wait_axis(self, device: evdev.InputDevice[str], code: int, value: int, tolerance: int = 0) -> None:
        seen: list[int] = []

        def reached() -> bool:
            seen.append(device.absinfo(code).value)
            return abs(seen[-1] - value) <= tolerance

        deadline = time.monotonic() + PATIENCE_S
        while not reached():
            assert time.monotonic() < deadline, f"axis {code:#x}: {seen[-1]}, expected {value}"
            time.sleep(0.01)

    def wait_feedback(self, wanted: Feedback) -> None:
        eventually(lambda: wanted in self.feedback, f"no {wanted} in {self.feedback[-8:]}")

    def state(self, buttons: int = 0, **axes: int) -> None:
        self.handle(PadState(0, int(buttons), **axes))


def expect_events(
    game: evdev.InputDevice[str], wanted: dict[tuple[int, int], int], what: object, tolerance: int = 0
) -> None:
    """Read a device until every wanted (type, code) came with its value; any other key or axis is a failure."""
    pending = dict(wanted)
    deadline = time.monotonic() + PATIENCE_S
    while pending:
        assert select.select([game], [], [], max(deadline - time.monotonic(), 0))[0], f"{what}: no event for {pending}"
        for event in game.read():
            if event.type not in (e.EV_KEY, e.EV_ABS):
                continue
            place = event.type, event.code
            assert place in wanted, f"{what}: unwanted {evdev.categorize(event)} with {event.value}"
            close = tolerance if event.type == e.EV_ABS else 0
            assert abs(event.value - wanted[place]) <= close, f"{what}: {event.value}, expected {wanted[place]}"
            pending.pop(place, None)


def upload_rumble(fd: int, strong: int, weak: int, length_ms: int, effect_id: int = -1, delay_ms: int = 0) -> int:
    """EVIOCSFF with the interpreter's lock released, so that the hub in this process can answer."""
    head = struct.pack("<HhHHHHHxx", 0x50, effect_id, 0, 0, 0, length_ms, delay_ms)
    effect = bytearray(head + struct.pack("<HH28x", strong, weak))
    fcntl.ioctl(fd, _EVIOCSFF, effect)
    return int(struct.unpack_from("<h", effect, 2)[0])


def erase_effect(fd: int, effect_id: int) -> None:
    fcntl.ioctl(fd, _EVIOCRMFF, effect_id)
