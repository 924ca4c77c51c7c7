"""What a person sees who starts the host in a terminal of 80 by 24: all at once, and no secret of it in the log."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import termios
import time
from pathlib import Path

import pytest
from tests.e2e.host_process import HostProcess

pytestmark = pytest.mark.e2e

COLUMNS, ROWS = 80, 24
SAYS_LAST = b"Ctrl-C stops the host."


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_the_first_screen(tmp_path: Path, locale: str) -> None:
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    size = {"COLUMNS": str(COLUMNS), "LINES": str(ROWS)}
    environment = {**os.environ, **size, "TERM": "xterm-256color", "LC_ALL": locale}
    shell = ("sh", "-c", f'"$@" 2>{os.ttyname(slave)}', "sh")
    host = HostProcess(
        tmp_path,
        "--display",
        "synthetic",
        "--audio",
        "off",
        "--log-level",
        "info",
        prefix=shell,
        environment=environment,
    )
    host.spawn()
    shown = b""
    deadline = time.monotonic() + 60
    while SAYS_LAST not in shown and time.monotonic() < deadline:
        if select.select([master], [], [], 0.5)[0]:
            shown += os.read(master, 65536)
    assert SAYS_LAST in shown, shown.decode() + host.log()
    host.command("stop")
    assert host.process is not None
    assert host.process.wait(15) == 0
    os.close(slave)
    os.close(master)
    text = re.sub(r"\x1b\[[0-9;]*[mK]", "", shown.decode()).replace("\r\n", "\n")
    screen = text[text.index("punktfunk-host 0") :]
    assert len(screen.splitlines()) < ROWS
    assert all(len(line) <= COLUMNS for line in screen.splitlines())
    assert re.search(rf"^https://127\.0\.0\.1:{host.mgmt_port}/setup#\S{{32}}$", screen, re.MULTILINE)
    assert ("█" in screen) == (locale == "C.UTF-8")
    for words in ("SHA-256", "pair PIN", "pair --native", "synthetic", "FFmpeg", "Sound: off"):
        assert words in screen
    assert "/setup#" not in host.log()
