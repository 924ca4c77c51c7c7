"""A stand-in for KWin: the server's side of the few Wayland interfaces that a KWin desktop is streamed with.

It shares no code with the host's client: bytes are read and written here by hand. What it is asked to do is noted in
``seen``; how it misbehaves is told at the start. As a program it prints what it is asked, one JSON array a line:
``python -m tests.kwin_stand_in SOCKET``.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from punktfunk.input.xkb import KeyboardLayout, Keymap

FAKE_INPUT, SCREENCAST = "org_kde_kwin_fake_input", "zkde_screencast_unstable_v1"
GLOBALS = {
    "wl_compositor": 5,
    "wl_output": 4,
    "wl_seat": 8,
    "zxdg_output_manager_v1": 3,
    FAKE_INPUT: 4,
    SCREENCAST: 3,
}
FAKE_REQUESTS = (
    ("authenticate", "ss"),
    ("motion", "ff"),
    ("button", "uu"),
    ("axis", "uf"),
    ("touch_down", "uff"),
    ("touch_motion", "uff"),
    ("touch_up", "u"),
    ("touch_cancel", ""),
    ("touch_frame", ""),
    ("motion_absolute", "ff"),
    ("key", "uu"),
    ("end", ""),
    ("keysym", "uu"),
)
SCREENCAST_REQUESTS = {0: ("output", "nou"), 2: ("destroy", ""), 3: ("virtual_output", "nsiifu")}


@dataclass
class Screen:
    """An output; its place and size in logical pixels."""

    name: str
    x: int
    y: int
    width: int
    height: int


@dataclass
class Manners:
    """How it behaves. ``stall_after``: it reads no more after so many requests for devices; ``stream`` makes the
    PipeWire node of a virtual output, or raises with what "failed" then says; None: it never answers."""

    offers: dict[str, int] = field(default_factory=lambda: dict(GLOBALS))
    screens: list[Screen] = field(default_factory=lambda: [Screen("DP-1", 0, 0, 1920, 1080)])
    layout: str = "us"
    stall_after: int | None = None
    garbage: bytes = b""
    mute: bool = False
    stream: Callable[[str, int, int], int] | None = lambda name, width, height: 77
    on_close: Callable[[str], None] = lambda name: None
    late_keyboard: bool = False
    """The seat has a keyboard only once somebody may type (KWin 6 without one of its own)."""


class StandIn:
    """Listens at ``path``; every client has a thread. ``seen`` holds (request, arguments...)."""

    def __init__(self, path: Path, manners: Manners | None = None) -> None:
        self.path = path
        self.manners = manners or Manners()
        self.seen: list[tuple[object, ...]] = []
        self.heard = threading.Condition()
        self.clients: list[_Client] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(8)
        threading.Thread(target=self._accept, daemon=True).start()

    def note(self, *what: object) -> None:
        with self.heard:
            self.seen.append(what)
            self.heard.notify_all()

    def wait_for(self, *what: object, timeout_s: float = 5.0) -> None:
        with self.heard:
            assert self.heard.wait_for(lambda: what in self.seen, timeout_s), (what, self.seen[-20:])

    def of(self, *requests: str) -> list[tuple[object, ...]]:
        with self.heard:
            return [what for what in self.seen if what[0] in requests]

    def lose_screen(self, screen: Screen | None) -> None:
        """An output is gone; its place in the list stays, which names it."""
        if screen is not None:
            screen.name = f"was {screen.name}"
            for client in self.clients:
                client.remove_screen(screen)

    def kill(self) -> None:
        """As if KWin had died."""
        self._listener.close()
        for client in self.clients:
            client.hang_up()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.clients.append(_Client(self, connection))


class _Client:
    def __init__(self, server: StandIn, connection: socket.socket) -> None:
        self._server = server
        self._manners = server.manners
        self._connection = connection
        self._objects: dict[int, str] = {1: "wl_display"}
        self._names: dict[int, str] = {}
        self._streams: dict[int, str] = {}
        self._shown: dict[str, Screen] = {}
        self._devices_used = 0
        self._registry = 0
        self._sent = threading.Lock()
        self._seat = 0
        self._over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def hang_up(self) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def go_on(self) -> None:
        """Read again after a stall."""
        self._over.set()

    def send(self, target: int, opcode: int, kinds: str = "", *values: object, fd: int | None = None) -> None:
        body = b""
        for kind, value in zip(kinds, values, strict=True):
            if kind == "s":
                assert isinstance(value, str)
                data = value.encode() + b"\0"
                body += struct.pack("=I", len(data)) + data + bytes(-len(data) % 4)
            else:
                body += struct.pack("=i" if kind == "i" else "=I", value)
        data = struct.pack("=II", target, (8 + len(body)) << 16 | opcode) + body
        with self._sent, contextlib.suppress(OSError):
            socket.send_fds(self._connection, [data], [fd] if fd is not None else [])

    def add_screen(self, screen: Screen) -> None:
        if not self._registry:
            return
        number = 100 + len(self._names)
        place = next(at for at, known in enumerate(self._manners.screens) if known is screen)
        self._names[number] = f"wl_output:{place}"
        self.send(self._registry, 0, "usu", number, "wl_output", self._manners.offers["wl_output"])

    def remove_screen(self, screen: Screen) -> None:
        place = next(at for at, known in enumerate(self._manners.screens) if known is screen)
        wanted = f"wl_output:{place}"
        for number, name in self._names.items():
            if name == wanted:
                self.send(self._registry, 1, "u", number)

    def _serve(self) -> None:
        if self._manners.garbage:
            self._connection.sendall(self._manners.garbage)
        pending = b""
        with contextlib.suppress(OSError):
            while not self._manners.mute:
                data = self._connection.recv(65536)
                if not data:
                    break
                pending += data
                while len(pending) >= 8:
                    target, word = struct.unpack_from("=II", pending)
                    length = word >> 16
                    if len(pending) < length:
                        break
                    self._request(target, word & 0xFFFF, pending[8:length])
                    pending = pending[length:]
                    if self._manners.stall_after is not None and self._devices_used >= self._manners.stall_after:
                        self._over.wait()
                        self._over.clear()
                        self._manners.stall_after = None
        if self._manners.mute:
            self._over.wait()
        else:
            for name in self._streams.values():
                self._server.note("lost_output", name)
                self._manners.on_close(name)
                self._server.lose_screen(self._shown.pop(name, None))
            self._server.note("gone")
        self._connection.close()

    def _request(self, target: int, opcode: int, body: bytes) -> None:
        interface = self._objects[target]
        match interface.split(":")[0], opcode:
            case "wl_display", 0:
                (callback,) = _read("n", body)
                self.send(callback, 0, "u", 1)
                self.send(1, 1, "u", callback)
            case "wl_display", 1:
                (self._registry,) = _read("n", body)
                self._objects[self._registry] = "wl_registry"
                for number, (name, version) in enumerate(self._manners.offers.items(), 1):
                    if name != "wl_output":
                        self._names[number] = name
                        self.send(self._registry, 0, "usu", number, name, version)
                for screen in self._manners.screens:
                    if not screen.name.startswith("was "):
                        self.add_screen(screen)
            case "wl_registry", 0:
                name, wanted, version, number = _read("usun", body)
                kind = self._names[name]
                assert kind.split(":")[0] == wanted
                assert version <= self._manners.offers[wanted]
                self._objects[number] = kind
                self._bound(kind, number)
            case "zxdg_output_manager_v1", 1:
                number, output = _read("no", body)
                screen = self._manners.screens[int(self._objects[output].split(":")[1])]
                self._objects[number] = "zxdg_output_v1"
                self.send(number, 0, "ii", screen.x, screen.y)
                self.send(number, 1, "ii", screen.width, screen.height)
                self.send(number, 3, "s", screen.name)
                self.send(number, 2)
            case "wl_seat", 1:
                (number,) = _read("n", body)
                self._objects[number] = "wl_keyboard"
                self._keymap(number)
            case ("zxdg_output_v1", 0) | ("wl_output", 0):
                del self._objects[target]
                self.send(1, 1, "u", target)
            case "org_kde_kwin_fake_input", _:
                name, kinds = FAKE_REQUESTS[opcode]
                self._devices_used += 1
                self._server.note(name, *_read(kinds, body))
                if name == "authenticate" and self._manners.late_keyboard:
                    self.send(self._seat, 0, "u", 3)
            case "zkde_screencast_unstable_v1", _:
                self._screencast(opcode, body)
            case "zkde_screencast_stream_unstable_v1", 0:
                name = self._streams.pop(target)
                self._server.note("close", name)
                self._manners.on_close(name)
                self._server.lose_screen(self._shown.pop(name, None))
                del self._objects[target]
                self.send(1, 1, "u", target)
            case unknown:
                raise AssertionError(unknown)

    def _bound(self, kind: str, number: int) -> None:
        if kind == "wl_seat":
            self._seat = number
            self.send(number, 0, "u", 1 if self._manners.late_keyboard else 3)
        elif kind.startswith("wl_output"):
            screen = self._manners.screens[int(kind.split(":")[1])]
            self.send(number, 0, "iiiiissi", screen.x, screen.y, 600, 340, 0, "Nobody", "Screen", 0)
            self.send(number, 1, "uiii", 1, screen.width, screen.height, 60000)
            self.send(number, 3, "i", 1)
            self.send(number, 4, "s", screen.name)
            self.send(number, 2)

    def _keymap(self, number: int) -> None:
        data = keymap_text(self._manners.layout)
        fd = os.memfd_create("keymap")
        os.write(fd, data)
        self.send(number, 0, "uu", 1, len(data), fd=fd)
        os.close(fd)

    def _screencast(self, opcode: int, body: bytes) -> None:
        name, kinds = SCREENCAST_REQUESTS[opcode]
        number, *arguments = _read(kinds, body)
        self._server.note(name, *arguments)
        self._objects[number] = "zkde_screencast_stream_unstable_v1"
        if self._manners.stream is None:
            return
        output, width, height = arguments[0], arguments[1], arguments[2]
        try:
            node = self._manners.stream(output, width, height)
        except RuntimeError as error:
            self._streams[number] = output
            self.send(number, 2, "s", str(error))
            return
        self._streams[number] = output
        screen = Screen(f"Virtual-{output}", 1920, 0, width, height)
        self._shown[output] = screen
        self._manners.screens.append(screen)
        for client in self._server.clients:
            client.add_screen(screen)
        self.send(number, 1, "u", node)


def keymap_text(layout: str) -> bytes:
    """A keymap as a compositor sends it."""
    import ctypes

    keymap = Keymap(KeyboardLayout.parse(layout))
    keymap.library.xkb_keymap_get_as_string.restype = ctypes.c_char_p
    keymap.library.xkb_keymap_get_as_string.argtypes = [ctypes.c_void_p, ctypes.c_int]
    text = keymap.library.xkb_keymap_get_as_string(keymap.pointer, 1)
    return bytes(text) + b"\0"


def _read(kinds: str, body: bytes) -> list[object]:  # type: ignore[type-arg, unused-ignore]
    values: list[object] = []
    for kind in kinds:
        if kind == "s":
            (length,) = struct.unpack_from("=I", body)
            values.append(body[4 : 3 + length].decode())
            body = body[4 + length + -length % 4 :]
            continue
        (value,) = struct.unpack_from("=i" if kind in "if" else "=I", body)
        values.append(value / 256 if kind == "f" else value)
        body = body[4:]
    assert not body
    return values


def main() -> None:
    """``SOCKET [LEFT_OUT...]``; virtual outputs are real PipeWire nodes."""
    from tests.pipewire_producer import Producer

    class Talking(StandIn):
        def note(self, *what: object) -> None:
            super().note(*what)
            print(json.dumps(what), flush=True)

    shown: dict[str, Producer] = {}

    def show(name: str, width: int, height: int) -> int:
        shown[name] = Producer(width, height)
        return shown[name].node

    def hide(name: str) -> None:
        if name in shown:
            shown.pop(name).close()

    offers = {name: version for name, version in GLOBALS.items() if name not in sys.argv[2:]}
    offers["org_kde_plasma_shell"] = 8
    print(json.dumps(["started"]), flush=True)
    Talking(Path(sys.argv[1]), Manners(offers=offers, layout="de", stream=show, on_close=hide))
    threading.Event().wait()


if __name__ == "__main__":
    main()
