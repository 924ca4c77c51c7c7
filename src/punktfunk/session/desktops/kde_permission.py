"""What KWin must find before it lets this program use its restricted protocols: a desktop file that names them.

KWin asks which installed application a program is by the path of its executable. For a program in Python that is the
interpreter, so that every program of the same interpreter is let in with it.
"""

from __future__ import annotations

import os
from pathlib import Path

from punktfunk.input.gamepads.permissions import RemoveFile, Step, WriteFile
from punktfunk.media.displays.kwin.fake_input import INTERFACE as FAKE_INPUT
from punktfunk.media.displays.kwin.screencast import INTERFACE as SCREENCAST

FILE_NAME = "punktfunk-host.desktop"
INTERFACES = (FAKE_INPUT, SCREENCAST)

# The same text as packaging/kde/punktfunk-host.desktop, which distribution packages fill in; a test compares them.
DESKTOP_FILE = f"""\
[Desktop Entry]
Type=Application
Name=punktfunk-host
Comment=Streams this desktop to the devices that were paired with it
Exec=@PYTHON@
NoDisplay=true
X-KDE-Wayland-Interfaces={",".join(INTERFACES)}
"""


def interpreter() -> str:
    """The executable of this process, as the kernel names it and KWin sees it."""
    return os.readlink("/proc/self/exe")


def desktop_file(home: Path, data_home: str) -> Path:
    """Where it is installed for one user. ``data_home`` is XDG_DATA_HOME, "" where that is not set."""
    folder = Path(data_home) if data_home.startswith("/") else home / ".local/share"
    return folder / "applications" / FILE_NAME


def installation(file: Path, executable: str) -> list[Step]:
    """Let programs of this interpreter use the protocols. KWin notices by itself, from the next connection on."""
    return [WriteFile(file, DESKTOP_FILE.replace("@PYTHON@", executable))]


def removal(file: Path) -> list[Step]:
    """The same undone. Programs that are connected stay so until they end."""
    return [RemoveFile(file)]
