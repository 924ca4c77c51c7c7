"""A KDE session as a person has it, for tests: a bus, a PipeWire, and a stand-in for KWin that shows real nodes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from punktfunk.session.sound_server import write_wireplumber_settings

START_S = 15.0
PATIENCE_S = 15.0

PROGRAMS = ("dbus-daemon", "pipewire", "wireplumber", "pw-dump")

needs_pipewire = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason=f"needs {', '.join(PROGRAMS)} (dbus, pipewire, wireplumber)"
)


@dataclass
class KdeSession:
    """Runs from `start` to `stop`, as the user that the tests run as. ``folder`` is its runtime folder."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="pf-kde-")))
    kwin: subprocess.Popen[bytes] | None = None
    _programs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """That of a terminal in it."""
        kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
        address = f"unix:path={self.folder}/bus"
        return {
            **kept,
            "XDG_RUNTIME_DIR": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "DBUS_SESSION_BUS_ADDRESS": address,
        }

    def start(self) -> KdeSession:
        """Start everything and wait until it works."""
        self._run("dbus-daemon", "--session", f"--address=unix:path={self.folder}/bus", "--nofork", "--nopidfile")
        until(lambda: (self.folder / "bus").is_socket(), "the bus is there", START_S)
        self._run("pipewire")
        until(lambda: (self.folder / "pipewire-0").is_socket(), "PipeWire is there", START_S)
        # With its own settings it gives up where there is no logind.
        write_wireplumber_settings(self.folder / "config")
        self._run("wireplumber")
        until(lambda: "WirePlumber" in self._pw_dump(), "WirePlumber is there", START_S)
        self.start_kwin()
        return self

    def start_kwin(self, *left_out: str) -> None:
        """KWin, without these of its interfaces."""
        socket = self.folder / "wayland-0"
        socket.unlink(missing_ok=True)
        self.kwin = self._run(sys.executable, "-m", "tests.kwin_stand_in", str(socket), *left_out, log="kwin")
        until(socket.is_socket, "KWin is there", START_S)

    def kill_kwin(self) -> None:
        """As a crash would."""
        assert self.kwin is not None
        self.kwin.kill()
        self.kwin.wait()

    def seen(self, *requests: str) -> list[list[Any]]:
        """What KWin was asked, since the session began."""
        lines = (self.folder / "kwin").read_text().splitlines()
        return [what for what in map(json.loads, lines) if not requests or what[0] in requests]

    def wait_for(self, *what: object, since: int = 0) -> None:
        """Until KWin was asked this, after its first ``since`` requests."""
        wanted = list(what)
        try:
            until(lambda: wanted in self.seen()[since:], str(wanted))
        except AssertionError:
            raise AssertionError((wanted, self.seen()[since:][-30:])) from None

    def wait_for_count(self, count: int, *what: object, since: int = 0) -> None:
        """The same, so many times."""
        try:
            until(lambda: self.seen()[since:].count(list(what)) >= count, str(what))
        except AssertionError:
            raise AssertionError((count, what, self.seen()[since:].count(list(what)))) from None

    def outputs(self) -> list[str]:
        """Virtual outputs that are there."""
        there: list[str] = []
        for what, *values in self.seen("started", "virtual_output", "close", "lost_output"):
            if what == "started":
                there.clear()
            else:
                (there.append if what == "virtual_output" else there.remove)(values[0])
        return there

    def nodes(self) -> int:
        """PipeWire nodes of virtual outputs."""
        nodes = [found["info"]["props"] for found in json.loads(self._pw_dump()) if found["type"].endswith(":Node")]
        return [props.get("node.name") for props in nodes].count("stand-in")

    def stop(self) -> None:
        """End everything."""
        for program in reversed(self._programs):
            if program.poll() is None:
                program.kill()
            program.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, *command: str, log: str = "") -> subprocess.Popen[bytes]:
        with (self.folder / (log or "log")).open("ab") as out, (self.folder / "log").open("ab") as errors:
            program = subprocess.Popen(
                command,
                env=self.environment,
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                start_new_session=True,
            )
        self._programs.append(program)
        return program

    def _pw_dump(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                ["pw-dump"], env=self.environment, capture_output=True, text=True, timeout=5, check=False
            )
            return done.stdout
        return ""


@contextlib.contextmanager
def kde_session() -> Iterator[KdeSession]:
    """A session that is ended afterwards."""
    session = KdeSession()
    try:
        yield session.start()
    finally:
        session.stop()


def until(condition: Callable[[], bool], what: str, limit_s: float = PATIENCE_S) -> None:
    """Wait for something."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
