"""The doctor with real processes: it proves a working machine, names what is missing, and cleans up."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.desktop_tools import DESKTOP_USER, needs_desktop, processes_of
from tests.e2e.host_process import PROGRAM, HostProcess, descendants_of, running_host

pytestmark = pytest.mark.e2e

PROOFS = ("pattern", "picture", "keyboard", "tone")
LIMIT_S = 60


def doctor(folder: Path, *arguments: str, path: str = os.environ["PATH"], text: str = "") -> tuple[int, dict[str, Any]]:
    """Exit status, and result by name of check."""
    config = folder / "host.toml"
    config.write_text(f'[host]\nconfig_dir = "{folder}"\nstate_dir = "{folder}"\nruntime_dir = "{folder}/run"\n{text}')
    ran = subprocess.run(
        [*PROGRAM, "doctor", "--json", "--config", str(config), *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env={**os.environ, "PATH": path},
    )
    answer = json.loads(ran.stdout)
    assert answer["ok"] == (ran.returncode == 0), ran.stderr
    return ran.returncode, {check["name"]: check for check in answer["checks"]}


@needs_desktop
def test_every_link_is_proven_and_nothing_is_left_behind(tmp_path: Path) -> None:
    before = set(processes_of(DESKTOP_USER)) if os.geteuid() == 0 else set()
    folders = set(Path("/run/punktfunk").glob("*"))
    status, checks = doctor(tmp_path)
    assert status == 0, checks
    assert [checks[name]["status"] for name in PROOFS] == ["ok"] * len(PROOFS)
    assert "x264" in checks["picture"]["message"] or Path("/dev/dri").exists()
    assert sum(check["took_s"] for check in checks.values()) < LIMIT_S / 2
    if os.geteuid() == 0:
        left = {pid: command for pid, command in processes_of(DESKTOP_USER).items() if pid not in before}
        assert not [command for command in left.values() if "doctor" in command]
    new = set(Path("/run/punktfunk").glob("*")) - folders
    assert not [folder for folder in new if (folder / "doctor").exists()]


def test_what_is_missing_is_named_with_a_fix(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "env"):
        (programs / name).symlink_to(shutil.which(name) or "")
    status, checks = doctor(tmp_path, "--only", "desktop", "--only", "tone", path=str(programs))
    assert status == 1
    assert {check["status"] for check in checks.values()} == {"fail"}
    assert all(check["fix"] for check in checks.values())
    assert "sway" in checks["desktop"]["message"]


def test_the_test_pattern_needs_nothing_from_the_machine(tmp_path: Path) -> None:
    arguments = [argument for name in PROOFS for argument in ("--only", name)]
    status, checks = doctor(tmp_path, *arguments, text='[display]\nkind = "synthetic"\n')
    assert status == 0
    assert [checks[name]["status"] for name in PROOFS] == ["ok", "skip", "skip", "skip"]


def test_a_host_that_runs_is_not_disturbed(tmp_path: Path) -> None:
    with running_host(tmp_path / "host", "--display", "synthetic") as host:
        with host.config.open("a") as config:
            config.write(f"gamestream_port = {host.base_port}\n[gamestream]\nenabled = true\n")
        ran = host.command("doctor", "--json", "--only", "pattern", "--only", "ports", check=False)
        answer = json.loads(ran.stdout)
        assert [check["status"] for check in answer["checks"]] == ["ok", "ok"], answer
        assert host.json("status")["sessions"] == 0


def test_an_impatient_person_interrupts_it(tmp_path: Path) -> None:
    host = HostProcess(tmp_path)
    ran = subprocess.Popen(
        [*PROGRAM, "doctor", "--config", str(host.config)], stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 20
    while not running_sway(children := descendants_of(ran.pid)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    ran.send_signal(2)
    assert ran.wait(15) != 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def running_sway(processes: set[int]) -> bool:
    for pid in processes:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sway\0"):
                return True
    return False
