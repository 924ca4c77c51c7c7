"""An X11 desktop as a person has it, for tests: a real Xvfb with a cookie, windows in it, and what it looks like."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.e2e.desktop_tools import DESKTOP_USER, OWNER

from punktfunk.media.x11.atoms import read_property
from punktfunk.media.x11.connection import X11Connection, X11Gone, request
from punktfunk.media.x11.keyboard import locked_modifiers, symbols
from punktfunk.media.x11.loan import PROPERTY
from punktfunk.media.x11.randr import RandR

WIDTH, HEIGHT = 2560, 1440
START_S = 10.0
KEY_PRESS, KEY_RELEASE, BUTTON_PRESS, BUTTON_RELEASE, MOTION = 2, 3, 4, 5, 6
_CREATE_WINDOW, _MAP_WINDOW, _QUERY_POINTER, _QUERY_KEYMAP = 1, 8, 38, 44
_BACKGROUND, _EVENT_MASK = 1 << 1, 1 << 11
_ALL_INPUT = 1 | 2 | 4 | 8 | 64 | 1 << 15

needs_x11 = pytest.mark.skipif(
    not all(map(shutil.which, ("Xvfb", "xterm"))), reason="needs Xvfb and xterm (scripts/packages-test.txt)"
)


@dataclass
class X11Server:
    """A running server. ``folder`` is the person's, and holds the cookie."""

    folder: Path
    number: int = 0
    process: subprocess.Popen[bytes] | None = None
    programs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def display(self) -> str:
        """Its name."""
        return f":{self.number}"

    @property
    def authority(self) -> str:
        """The file with its cookie."""
        return str(self.folder / "authority")

    @property
    def environment(self) -> dict[str, str]:
        """That of a terminal in it."""
        return {**os.environ, "DISPLAY": self.display, "XAUTHORITY": self.authority}

    def start(self, number: int | None = None) -> X11Server:
        """Start it, on a free display or on this one."""
        cookie = secrets.token_bytes(16)
        self._write_cookie(cookie)
        reader, writer = os.pipe()
        command = [
            "Xvfb",
            "-screen",
            "0",
            f"{WIDTH}x{HEIGHT}x24",
            "-nolisten",
            "tcp",
            "-noreset",
            "-auth",
            self.authority,
        ]
        command += [f":{number}"] if number is not None else []
        command += ["-displayfd", str(writer)]
        self.process = self._spawn(command, pass_fds=(writer,))
        os.close(writer)
        with os.fdopen(reader) as told:
            line = told.readline()
        assert line, "Xvfb did not start"
        self.number = int(line)
        self._write_cookie(cookie)
        return self

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def run(self, *command: str) -> subprocess.Popen[bytes]:
        """A program of the person's own in it."""
        program = self._spawn(command)
        self.programs.append(program)
        return program

    def stop(self) -> None:
        """End everything."""
        for program in (*self.programs, self.process):
            if program is not None and program.poll() is None:
                program.send_signal(signal.SIGKILL)
                program.wait()

    def connect(self) -> X11Connection:
        """A connection of the test's own."""
        return X11Connection(self.display, self.authority)

    def size(self) -> tuple[int, int]:
        """Of its screen now."""
        with self.connect() as x:
            size = RandR(x).size()
        return size.width, size.height

    def mode_names(self) -> set[str]:
        """Every mode that it knows."""
        with self.connect() as x:
            return {mode.name for mode in RandR(x).modes.values()}

    def pointer(self) -> tuple[int, int]:
        """Where the pointer is."""
        with self.connect() as x:
            reply = x.call(request(_QUERY_POINTER, 0, struct.pack("<I", x.facts.root)))
        place: tuple[int, int] = struct.unpack_from("<hh", reply, 16)
        return place

    def held_keys(self) -> set[int]:
        """Keycodes that are down."""
        with self.connect() as x:
            bits = x.call(request(_QUERY_KEYMAP, 0))[8:40]
        return {code for code in range(256) if bits[code // 8] >> code % 8 & 1}

    def state(self) -> tuple[object, ...]:
        """What must be as before when a stream has ended: size, modes, keyboard, locks, what is held, our note."""
        with self.connect() as x:
            randr = RandR(x)
            mapping = symbols(x, x.facts.first_keycode, x.facts.last_keycode)
            note = read_property(x, PROPERTY)
            facts = (randr.size(), frozenset(randr.modes.values()), randr.crtcs, mapping, locked_modifiers(x), note)
        return (*facts, frozenset(self.held_keys()))

    def _spawn(self, command: list[str] | tuple[str, ...], pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
        account = pwd.getpwnam(OWNER)
        user: dict[str, object] = {}
        if os.geteuid() == 0:
            user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [account.pw_gid]}
        log = (self.folder / "programs.log").open("ab")
        with log:
            return subprocess.Popen(
                command,
                env={**self.environment, "HOME": account.pw_dir, "LANG": "C.UTF-8"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=pass_fds,
                start_new_session=True,
                **user,  # type: ignore[call-overload]
            )

    def _write_cookie(self, cookie: bytes) -> None:
        fields = (os.uname().nodename.encode(), str(self.number).encode(), b"MIT-MAGIC-COOKIE-1", cookie)
        data = struct.pack(">H", 256) + b"".join(struct.pack(">H", len(f)) + f for f in fields)
        path = Path(self.authority)
        path.write_bytes(data)
        path.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(path, DESKTOP_USER, DESKTOP_USER)


@contextlib.contextmanager
def x11_server() -> Iterator[X11Server]:
    """A desktop that is ended afterwards. Skips where there is no account for it."""
    try:
        pwd.getpwnam(OWNER)
    except KeyError:
        pytest.skip(f"there is no account {DESKTOP_USER}")
    folder = Path(tempfile.mkdtemp(prefix="pf-x11-"))
    if os.geteuid() == 0:
        shutil.chown(folder, DESKTOP_USER, DESKTOP_USER)
    server = X11Server(folder)
    try:
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


class X11Window:
    """A window in one colour that notes its input events, as (type, keycode or button, x, y) with the time."""

    def __init__(self, server: X11Server, x: int, y: int, width: int, height: int, colour: int) -> None:
        self.events: list[tuple[int, int, int, int]] = []
        self.times_ns: list[int] = []
        self._x = server.connect()
        base, root = self._x.facts.resource_base, self._x.facts.root
        values = struct.pack("<II", colour, _ALL_INPUT)
        place = struct.pack("<IIhhHHHHII", base, root, x, y, width, height, 0, 1, 0, _BACKGROUND | _EVENT_MASK)
        self._x.checked(request(_CREATE_WINDOW, 0, place + values))
        self._x.checked(request(_MAP_WINDOW, 0, struct.pack("<I", base)))
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Away with it."""
        self._x.close()
        self._thread.join()

    def of_kind(self, kind: int) -> list[int]:
        """Keycodes or buttons of the events of a type."""
        return [detail for found, detail, _, _ in self.events if found == kind]

    def until(self, kind: int, count: int, limit_s: float = 5.0) -> list[int]:
        """The same once there are so many."""
        deadline = time.monotonic() + limit_s
        while len(found := self.of_kind(kind)) < count:
            assert time.monotonic() < deadline, f"{found} instead of {count} events {kind}"
            time.sleep(0.01)
        return found

    def until_any(self, kind: int, limit_s: float = 5.0) -> None:
        """Wait for one event of a type, closely."""
        deadline = time.monotonic() + limit_s
        while not self.of_kind(kind):
            assert time.monotonic() < deadline, f"no event {kind}"
            time.sleep(0.0005)

    def _read(self) -> None:
        with contextlib.suppress(X11Gone):
            while True:
                data = self._x.next_event(None)
                assert data is not None
                kind = data[0] & 0x7F
                if KEY_PRESS <= kind <= MOTION:
                    x, y = struct.unpack_from("<hh", data, 20)
                    self.times_ns.append(time.monotonic_ns())
                    self.events.append((kind, data[1], x, y))
