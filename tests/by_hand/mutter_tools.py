"""A GNOME that a person runs, as far as mutter is it: headless, with one monitor, a bus and a PipeWire of its own, as
the user of desktops."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.desktop_tools import as_user

from punktfunk.session.identity import IdentityError, desktop_user

PROGRAMS = ("mutter", "dbus-daemon", "pipewire", "wireplumber", "foot")
needs_mutter = pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason=f"needs {', '.join(PROGRAMS)}")

START_S = 15.0
MONITOR = (800, 600)
"""What the desktop has before anybody streams it."""
_DISPLAY = "wayland-person"


class PersonsGnome:
    """Runs from `start` to `stop`. ``folder`` is the person's runtime folder, ``prefix`` runs a program as
    the person."""

    def __init__(self) -> None:
        try:
            user = desktop_user(None)
        except IdentityError as error:
            pytest.skip(str(error))
        self.folder = Path(tempfile.mkdtemp(prefix="pf-gnome-"))
        os.chown(self.folder, user.uid, user.gid)
        login: tuple[str, ...] = ("env",) if user.is_current else as_user(user.name)
        self.address = f"unix:path={self.folder}/bus"
        self.prefix = (
            *login,
            f"XDG_RUNTIME_DIR={self.folder}",
            f"DBUS_SESSION_BUS_ADDRESS={self.address}",
            f"WAYLAND_DISPLAY={_DISPLAY}",
            "XDG_CURRENT_DESKTOP=GNOME",
            "GSETTINGS_BACKEND=memory",
            "LIBGL_ALWAYS_SOFTWARE=1",
            "PYTHONDONTWRITEBYTECODE=1",
        )
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> PersonsGnome:
        """Start everything and wait until there are monitors."""
        self._spawn("dbus-daemon", "--session", "--nofork", f"--address={self.address}")
        self._wait(lambda: (self.folder / "bus").exists())
        self._spawn("pipewire")
        self._wait(lambda: (self.folder / "pipewire-0").exists())
        self._spawn("wireplumber")
        self.start_mutter()
        return self

    def start_mutter(self) -> None:
        """Start mutter alone, for the first time or again."""
        size = "x".join(map(str, MONITOR))
        arguments = (
            "--headless",
            "--wayland",
            "--no-x11",
            f"--wayland-display={_DISPLAY}",
            f"--virtual-monitor={size}",
        )
        self._spawn(shutil.which("mutter") or "mutter", *arguments)
        self._wait(lambda: bool(self.monitors()))

    def kill_mutter(self) -> None:
        """As a crash would."""
        self._end(self._running.pop(next(name for name in self._running if name.endswith("mutter"))))

    def stop(self) -> None:
        """End it with all that it started."""
        for process in reversed(self._running.values()):
            self._end(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def monitors(self) -> dict[str, Any]:
        """Sizes of the monitors by connector, which of them are virtual and come and go, and the main one; empty while
        there is no mutter."""
        asked = self.run(sys.executable, "-m", "tests.e2e.mutter_monitors", self.address)
        answer: dict[str, Any] = json.loads(asked.stdout) if asked.returncode == 0 else {}
        return answer

    def ours(self) -> dict[str, list[int]]:
        """Sizes of the monitors that are there for streams."""
        found = self.monitors()
        return {name: found["sizes"][name] for name in found["virtual"]}

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A program of the person's, to its end."""
        return subprocess.run([*self.prefix, *command], capture_output=True, text=True, timeout=20, check=False)

    def open(self, *command: str) -> subprocess.Popen[bytes]:
        """A program of the person's, which runs on."""
        return self._spawn(*command)

    def close(self, program: subprocess.Popen[bytes]) -> None:
        """End such a program."""
        self._running = {name: process for name, process in self._running.items() if process is not program}
        self._end(program)

    def log(self) -> str:
        """What all of them said."""
        return (self.folder / "log").read_text(errors="replace")

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [*self.prefix, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._running[f"{len(self._running)} {command[0]}"] = process
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _wait(self, condition: Any) -> None:
        deadline = time.monotonic() + START_S
        while not condition():
            assert time.monotonic() < deadline, self.log()[-4000:]
            time.sleep(0.1)
