"""udev in the guest, for as long as it is needed; another test's may have been there before."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.vm.guest.pad_session import eventually

_DAEMON = Path("/lib/systemd/systemd-udevd")


@contextlib.contextmanager
def udev_running() -> Iterator[None]:
    """Skips without udev."""
    if shutil.which("udevadm") is None or not _DAEMON.exists():
        pytest.skip("udev is not installed")
    if _answers():
        yield
        return
    with subprocess.Popen([_DAEMON], stderr=subprocess.DEVNULL) as daemon:
        eventually(_answers, "udev does not answer")
        yield
        daemon.terminate()
    # It stays behind, and the next one is not there yet when it only looks as if it were.
    Path("/run/udev/control").unlink(missing_ok=True)


def _answers() -> bool:
    command = ["udevadm", "control", "--ping", "--timeout=1"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
